"""What trimming claims of every text: cut as before where its tokens are kept, and no new unknown tokens.

`--real DIR` tests it on the tokenizers in a folder too, with `--real-corpus FILE` on the tokens that a corpus needs.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Encoding, Tokenizer
from toy_tokenizers import CYRILLIC, LATIN, SIZES, TOYS

from core.context import Quiet
from core.vocabulary.choosing import Selection, Wanted, choose_tokens, coverage_curve
from core.vocabulary.counting import TokenCounts, count_tokens
from core.vocabulary.kinds import Kind, kind_of
from core.vocabulary.rewriting import rewrite_tokenizer
from resources import sample

REAL_STRINGS, REAL_SIZES, REAL_SEED = 10_000, (6_000, 40_000), 20


@dataclass
class Pair:
    """A tokenizer and its trimmed self."""

    before: Tokenizer
    after: Tokenizer
    kind: Kind
    kept: tuple[int, ...]
    characters: frozenset[str] = frozenset()
    """What the kept alphabet spells."""
    new_id: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.new_id = {old: new for new, old in enumerate(self.kept)}

    def comparable(self, old: Encoding) -> bool:
        """Whether all tokens are kept; an unknown word only where each of its characters decides by itself."""
        return self.new_id.keys() >= set(old.ids) and (self.kind.spells_everything or self.kind.unknown not in old.ids)

    def cut_alike(self, old: Encoding, new: Encoding) -> bool:
        """Whether both have the same tokens at the same places."""
        return [self.new_id[token] for token in old.ids] == new.ids and old.offsets == new.offsets

    def spelt(self, text: str) -> bool:
        """Whether the kept alphabet holds all characters of a text."""
        normal = self.before.normalizer.normalize_str(text) if self.before.normalizer else text
        return self.characters.issuperset("".join(normal.split()))

    def newly_unknown(self, old: Encoding, new: Encoding) -> bool:
        """Whether something can't be spelt that could be."""
        if self.kind.unknown is None:
            return False
        return new.ids.count(self.new_id[self.kind.unknown]) > old.ids.count(self.kind.unknown)


def trimmed(before: Tokenizer, kept: Collection[int]) -> Tokenizer:
    return Tokenizer.from_str(json.dumps(rewrite_tokenizer(json.loads(before.to_str()), sorted(kept))))


def pair(before: Tokenizer, kind: Kind, selection: Selection) -> Pair:
    alphabet = zip(selection.kept, selection.reasons, strict=True)
    spelt = (kind.spelt(kind.own[token]) for token, reason in alphabet if reason == "alphabet")
    characters = frozenset(text for text in spelt if len(text) == 1)
    return Pair(before, trimmed(before, selection.kept), kind, selection.kept, characters)


def toy(name: str) -> Pair:
    backend = TOYS[name]().backend_tokenizer
    kind = kind_of(json.loads(backend.to_str()))
    counts = count_tokens(LATIN, len(LATIN), backend, Quiet())
    return pair(backend, kind, choose_tokens(kind, counts, Wanted(size=SIZES[name])))


PAIRS = {name: toy(name) for name in TOYS}
kinds = pytest.mark.parametrize("name", sorted(TOYS))

words = st.sampled_from(sorted({word for line in LATIN + CYRILLIC for word in line.split()}))
pieces = st.sampled_from(
    sorted({p.kind.spelt(p.kind.pieces[token]) for p in PAIRS.values() for token in p.kept if token % 3 == 0})
)
texts = st.lists(st.one_of(words, pieces, st.text(max_size=3), st.just(" ")), max_size=12).map("".join)


@kinds
@settings(max_examples=120, deadline=None)
@given(text=texts)
def test_text_of_kept_tokens_is_cut_as_before(name: str, text: str) -> None:
    toy = PAIRS[name]
    old = toy.before.encode(text)
    if toy.comparable(old):
        assert toy.cut_alike(old, toy.after.encode(text))


@kinds
@settings(max_examples=50, deadline=None)
@given(text=texts, data=st.data())
def test_any_tokens_that_hold_a_texts_own_cut_it_as_before(name: str, text: str, data: st.DataObject) -> None:
    """Whatever else is kept, as long as it comes with its parts and what all text rests on."""
    toy = PAIRS[name]
    old = toy.before.encode(text)
    more = data.draw(st.sets(st.sampled_from(sorted(toy.kind.pieces)), max_size=200))
    wanted = more | set(old.ids)
    kept = toy.kind.special | toy.kind.always() | wanted | {part for token in wanted for part in toy.kind.parts(token)}
    other = Pair(toy.before, trimmed(toy.before, kept), toy.kind, tuple(sorted(kept)))
    assert other.cut_alike(old, other.after.encode(text))


@kinds
@settings(max_examples=120, deadline=None)
@given(text=st.text(alphabet=sorted(set("".join(LATIN)) | set("ñøß–€")), max_size=40))
def test_text_of_the_alphabet_has_no_unknown_token(name: str, text: str) -> None:
    toy = PAIRS[name]
    old, new = toy.before.encode(text), toy.after.encode(text)
    if toy.kind.unknown is None:
        assert toy.after.decode(new.ids) == toy.before.decode(old.ids) == text
    else:
        assert toy.spelt(text)
        assert toy.kind.unknown not in old.ids and toy.new_id[toy.kind.unknown] not in new.ids


# -- real tokenizers -------------------------------------------------------------------------------------------------

_LETTERS = (
    "00c0-024f 0250-02af 0370-03ff 0400-052f 0531-0587 05d0-05ea 0620-064a 0671-06d3 0780-07b1 0905-0939 0985-09b9 "
)
_LETTERS += (
    "0a05-0a39 0a85-0ab9 0b05-0b39 0b85-0bb9 0c05-0c39 0c85-0cb9 0d05-0d39 0d85-0dc6 0e01-0e3a 0e81-0eb0 0f40-0f6c "
)
_LETTERS += (
    "1000-102a 10a0-10ff 1100-11ff 1200-137f 13a0-13ff 1401-167f 1780-17b3 1820-1878 1e00-1fff 2c80-2cff 3041-3096 "
)
_LETTERS += "30a1-30fa 3105-312f 4e00-9fff a000-a48c ac00-d7a3 fb00-fb4f fb50-fdff fe70-fefc ff01-ff9f 1d400-1d7ff"
_MARKS = "0300-036f 0483-0487 0591-05bd 064b-065f 093a-094f 0e31-0e3a 0e47-0e4e 1dc0-1dff 20d0-20f0 302a-302f fe00-fe0f"
_EMOJI = "1f300-1f64f 1f680-1f6ff 1f900-1f9ff 1f1e6-1f1ff 2600-27bf 200d-200d fe0f-fe0f 1f3fb-1f3ff"
_DIGITS = "0030-0039 0660-0669 0966-096f 00b2-00b3 00bc-00be 2070-2089 2150-218b 2460-249b ff10-ff19"
_SIGNS = "0021-002f 003a-0040 005b-0060 007b-007e 00a1-00bf 2010-2027 2030-205e 20a0-20c0 2100-214f 3001-3030 fe30-fe6f"
_SPACES = (
    "0009-000d 0020-0020 0085-0085 00a0-00a0 1680-1680 2000-200b 2028-2029 202f-202f 205f-2060 3000-3000 feff-feff"
)


def _characters(ranges: str) -> list[str]:
    spans = (span.split("-") for span in ranges.split())
    return [chr(code) for low, high in spans for code in range(int(low, 16), int(high, 16) + 1)]


def random_strings(pair: Pair, corpus: list[str], seed: int) -> Iterator[str]:
    """Strings of mixed scripts; a third of them of what is kept, so that many can be compared."""
    draw = random.Random(seed)
    kept = [text for token in pair.kept if (text := pair.kind.spelt(pair.kind.pieces[token]))]
    alphabet = sorted(pair.characters)
    running = [word for line in draw.sample(corpus, min(2000, len(corpus))) for word in line.split()]
    mixed = [_characters(ranges) for ranges in (_LETTERS, _LETTERS, _MARKS, _EMOJI, _DIGITS, _SIGNS, _SPACES)]
    spaces = mixed[-1]

    def anything() -> str:
        code = draw.randrange(0x110000 - 0x800)
        return chr(code if code < 0xD800 else code + 0x800)

    def part(of_kept: bool) -> str:
        dice = draw.random()
        if dice < 0.25:
            return draw.choice(running)
        if of_kept:
            return draw.choice(kept) if dice < 0.6 else draw.choice(alphabet) if dice < 0.8 else draw.choice(" \n\t")
        if dice < 0.35:
            return draw.choice(kept)
        if dice < 0.45:
            return anything()
        if dice < 0.6:
            return draw.choice(spaces)
        return "".join(draw.choices(draw.choice(mixed), k=draw.randint(1, 4)))

    while True:
        of_kept = draw.random() < 1 / 3
        yield "".join(part(of_kept) for _ in range(draw.randint(1, 1 if of_kept and draw.random() < 0.3 else 12)))


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest) -> tuple[Tokenizer, Kind, TokenCounts, list[str]]:
    """A real tokenizer, and a corpus counted with it."""
    path = Path(request.config.getoption("--real-corpus") or sample.corpus_file())
    corpus = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    tokenizer = Tokenizer.from_file(str(request.param / "tokenizer.json"))
    kind = kind_of(json.loads(tokenizer.to_str()))
    return tokenizer, kind, count_tokens(corpus, len(corpus), tokenizer, Quiet()), corpus


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a tokenizer in the folder of `--real`; without it, pytest skips what has no parameters."""
    if "real" in metafunc.fixturenames:
        folder = metafunc.config.getoption("--real")
        found = sorted(path.parent for path in Path(folder).glob("*/tokenizer.json")) if folder else []
        metafunc.parametrize("real", found, ids=[path.name for path in found], indirect=True, scope="module")


@pytest.mark.parametrize("size", REAL_SIZES)
def test_a_real_tokenizer_cuts_random_strings_as_before(
    real: tuple[Tokenizer, Kind, TokenCounts, list[str]], size: int
) -> None:
    tokenizer, kind, counts, corpus = real
    size = max(size, coverage_curve(kind, counts)[0][0])
    selection = choose_tokens(kind, counts, Wanted(size=size, multiple=size))  # also where the corpus has fewer
    both = pair(tokenizer, kind, selection)
    strings = random_strings(both, corpus, REAL_SEED)
    seen = compared = spelt = 0
    wrong: list[str] = []
    while seen < REAL_STRINGS:
        batch = [next(strings) for _ in range(500)]
        for text, old, new in zip(batch, tokenizer.encode_batch(batch), both.after.encode_batch(batch), strict=True):
            seen += 1
            if both.comparable(old):
                compared += 1
                wrong += [] if both.cut_alike(old, new) else [text]
            if both.spelt(text):
                spelt += 1
                wrong += [text] if both.newly_unknown(old, new) else []
    print(f"\n{len(selection.kept)} tokens: {seen} strings, {compared} compared, {spelt} spelt, {len(wrong)} wrong")
    assert not wrong, [ascii(text) for text in wrong[:10]]
    assert compared > REAL_STRINGS / 20 and spelt > REAL_STRINGS / 20


def test_a_real_tokenizers_counts_are_those_of_a_plain_count(
    real: tuple[Tokenizer, Kind, TokenCounts, list[str]],
) -> None:
    tokenizer, kind, counts, corpus = real
    both = pair(tokenizer, kind, choose_tokens(kind, counts, Wanted(coverage=0.9)))
    strings = random_strings(both, corpus, REAL_SEED + 1)
    texts = [*(next(strings) for _ in range(3000)), *corpus[:3000]]
    found = count_tokens(texts, len(texts), tokenizer, Quiet())
    encoded = [one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=False)]
    occurrences = Counter(token for ids in encoded for token in ids)
    documents = Counter(token for ids in encoded for token in set(ids))
    assert {token: int(found.occurrences[token]) for token in np.flatnonzero(found.occurrences)} == occurrences
    assert {token: int(found.documents[token]) for token in np.flatnonzero(found.documents)} == documents
