"""What a corpus is made of: counts that a plain count gives too, its characters, its scripts."""

from __future__ import annotations

import errno
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
from toy_tokenizers import CYRILLIC, LATIN, TOYS, counted, wordpiece

from core.context import Quiet
from core.corpus.prepare import PreparedCorpus, prepare
from core.errors import Stopped
from core.recipe import Corpus
from core.vocabulary import counting, trimming
from core.vocabulary.alphabet import needed_characters, scripts_of
from core.vocabulary.counting import TokenCounts, count_tokens
from core.vocabulary.trimming import count_corpus

TOKENIZERS = {name: make() for name, make in TOYS.items()}
kinds = pytest.mark.parametrize("name", sorted(TOYS))


def assert_equal(one: TokenCounts, other: TokenCounts) -> None:
    assert np.array_equal(one.documents, other.documents)
    assert np.array_equal(one.occurrences, other.occurrences)
    assert (one.texts, one.characters) == (other.texts, other.characters)


class Recorder(Quiet):
    """A context that remembers what it is told, and stops after the first report where it should."""

    def __init__(self, *, stops: bool = False) -> None:
        self.reports: list[tuple[int, int]] = []
        self._stops = stops

    def progress(self, done: int, total: int) -> None:
        self.reports.append((done, total))

    def check(self) -> None:
        if self._stops and any(done for done, _ in self.reports):
            raise Stopped


# -- counting --------------------------------------------------------------------------------------------------------


@kinds
def test_counts_are_those_of_a_plain_count(name: str) -> None:
    backend = TOKENIZERS[name].backend_tokenizer
    lines = [*LATIN, "", "most most most", "中。"]
    counts = count_tokens(lines, len(lines), backend, Quiet())
    encoded = [backend.encode(line, add_special_tokens=False).ids for line in lines]
    for token in range(len(TOKENIZERS[name])):
        assert counts.occurrences[token] == sum(ids.count(token) for ids in encoded)
        assert counts.documents[token] == sum(token in ids for ids in encoded)
    assert (counts.texts, counts.tokens) == (len(lines), sum(map(len, encoded)))
    assert counts.distinct == len({token for ids in encoded for token in ids})
    assert counts.characters["ž"] == "".join(LATIN).count("ž") and counts.characters["中"] == 1


@kinds
def test_counts_add_up_over_parts_and_chunks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = TOKENIZERS[name].backend_tokenizer
    monkeypatch.setattr(counting, "_CHUNK_TEXTS", 700)
    lines = LATIN * 150  # several chunks
    whole = count_tokens(lines, len(lines), backend, Quiet())
    assert_equal(whole, count_tokens(lines[:7], 7, backend, Quiet()) + count_tokens(lines[7:], 2993, backend, Quiet()))
    once = counted(TOKENIZERS[name])
    assert np.array_equal(whole.documents, 150 * once.documents)
    assert np.array_equal(whole.occurrences, 150 * once.occurrences)
    assert whole.texts == 3000


texts = st.lists(
    st.one_of(
        st.sampled_from(sorted({word for line in LATIN + CYRILLIC for word in line.split()})),
        st.sampled_from(
            [" ", "  ", "\t", "\u00a0", "\u3000", " \u0301", "´", "ﬁ", "中", "[MASK]", " <mask> ", "▁", "'s", "``"]
        ),
        st.text(max_size=3),
    ),
    max_size=10,
).map("".join)


@kinds
@settings(max_examples=60, deadline=None)
@given(lines=st.lists(texts, max_size=6))
def test_counts_of_any_texts_are_those_of_a_plain_count(name: str, lines: list[str]) -> None:
    """Words are cut only once where spaces part them; that must not show."""
    backend = TOKENIZERS[name].backend_tokenizer
    counts = count_tokens(lines, len(lines), backend, Quiet())
    encoded = [backend.encode(line, add_special_tokens=False).ids for line in lines]
    occurrences = Counter(token for ids in encoded for token in ids)
    assert {token: int(counts.occurrences[token]) for token in np.flatnonzero(counts.occurrences)} == occurrences
    documents = Counter(token for ids in encoded for token in set(ids))
    assert {token: int(counts.documents[token]) for token in np.flatnonzero(counts.documents)} == documents
    normalizer = backend.normalizer
    characters = Counter("".join(normalizer.normalize_str(line) if normalizer else line for line in lines))
    for counter in (characters, found := Counter(counts.characters)):
        del counter[" "], counter["▁"]  # what parts words may be left out
    assert found == characters


def variants() -> dict[str, Tokenizer]:
    """Tokenizers whose words hang together in other ways."""
    pieces = [("<unk>", 0.0), *((piece, -2.0) for piece in ("▁", "a", "b", "▁a", "ab", "a▁b")), ("b▁", -1.0)]
    made = {}
    for scheme in ("always", "first", "never"):
        made[scheme] = Tokenizer(models.Unigram(pieces, unk_id=0))
        made[scheme].pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=scheme != "never")
    for name, regex, space in (("prefixed", True, True), ("no words", False, False)):
        made[name] = Tokenizer.from_str(TOKENIZERS["byte_bpe"].backend_tokenizer.to_str())
        made[name].pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=space, use_regex=regex)
    for name, token in (("right", AddedToken("ab", rstrip=True)), ("spaced", AddedToken("a b"))):
        made[name] = Tokenizer.from_str(TOKENIZERS["wordpiece"].backend_tokenizer.to_str())
        made[name].add_tokens([token])
    made["joined"] = Tokenizer.from_str(TOKENIZERS["wordpiece"].backend_tokenizer.to_str())
    made["joined"].normalizer = normalizers.Replace(Regex("a b"), "ab")
    return made


@pytest.mark.parametrize("backend", [pytest.param(made, id=name) for name, made in variants().items()])
def test_words_that_hang_together_are_counted_together(backend: Tokenizer) -> None:
    lines = ["a b", "a  b", " a b", "a b ", "", "  ", "ab a b ab ", "b a\tb", "a▁b", "b b\u00a0a", "a b a b a b"]
    for line in lines:
        counts = count_tokens([line], 1, backend, Quiet())
        ids = Counter(backend.encode(line, add_special_tokens=False).ids)
        assert {token: int(counts.occurrences[token]) for token in np.flatnonzero(counts.occurrences)} == ids, line


def test_many_texts_are_counted_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_CHUNK_CHARACTERS", 10_000)
    ctx = Recorder()
    long = " ".join(LATIN * 400)
    counts = count_tokens([long, "most", long], 3, TOKENIZERS["wordpiece"].backend_tokenizer, ctx)
    assert ctx.reports == [(0, 3), (1, 3), (3, 3)]
    assert counts.tokens == 800 * counted(TOKENIZERS["wordpiece"]).tokens + 1


def test_no_texts_hold_nothing() -> None:
    counts = count_tokens(iter([]), 0, TOKENIZERS["unigram"].backend_tokenizer, Quiet())
    assert (counts.texts, counts.tokens, counts.distinct, len(counts.characters)) == (0, 0, 0, 0)
    assert len(counts.documents) == len(TOKENIZERS["unigram"])


def test_counting_reports_and_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_CHUNK_TEXTS", 2000)
    ctx = Recorder(stops=True)
    with pytest.raises(Stopped):
        count_tokens(LATIN * 150, 3000, TOKENIZERS["wordpiece"].backend_tokenizer, ctx)
    assert ctx.reports == [(0, 3000), (2000, 3000)]


def test_characters_are_counted_as_the_normalizer_leaves_them() -> None:
    counts = count_tokens(["ÁÁ á"], 1, wordpiece(lower=True).backend_tokenizer, Quiet())
    assert counts.characters["a"] == 3 and "Á" not in counts.characters


@kinds
def test_truncation_and_padding_of_the_tokenizer_do_not_count_and_stay(name: str) -> None:
    tokenizer = TOYS[name]()
    plain = counted(tokenizer)
    tokenizer.backend_tokenizer.enable_truncation(3)
    tokenizer.backend_tokenizer.enable_padding(length=9)
    assert_equal(counted(tokenizer), plain)
    assert tokenizer.backend_tokenizer.truncation is not None and tokenizer.backend_tokenizer.padding is not None


def test_special_tokens_count_only_where_a_text_names_them() -> None:
    tokenizer = TOKENIZERS["wordpiece"]
    counts = counted(tokenizer, ["most", "[MASK] most [MASK]"])
    assert counts.occurrences[tokenizer.mask_token_id] == 2 and counts.documents[tokenizer.mask_token_id] == 1
    assert counts.occurrences[tokenizer.cls_token_id] == 0


@kinds
def test_counts_are_saved_and_loaded(name: str, tmp_path: Path) -> None:
    counts = counted(TOKENIZERS[name], [*LATIN, "中 \u2028 \t \x85 😀 \x7f"])
    counts.save(tmp_path)
    loaded = TokenCounts.load(tmp_path)
    assert_equal(loaded, counts)
    assert loaded.documents.dtype == loaded.occurrences.dtype == np.int64
    assert_equal(loaded + loaded, counts + counts)


# -- a corpus, counted once on a machine -----------------------------------------------------------------------------


@pytest.fixture
def corpus(tmp_path: Path) -> PreparedCorpus:
    (tmp_path / "a.txt").write_text("\n".join(LATIN), encoding="utf-8")
    settings = Corpus(sources=("a.txt",), validation_fraction=0.3)
    return prepare(settings, tmp_path, 1, tmp_path / "corpus", Quiet())


@kinds
def test_counts_from_the_cache_equal_fresh_ones(
    name: str, corpus: PreparedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = TOYS[name]().backend_tokenizer
    (tmp_path / "own").mkdir()
    fresh = count_corpus(corpus, backend, tmp_path / "own", Quiet())
    monkeypatch.setattr(trimming, "count_tokens", None)  # what was counted isn't counted again,
    assert_equal(count_corpus(corpus, backend, tmp_path / "own", Quiet()), fresh)
    backend.enable_truncation(3)  # nor for limits that don't count
    assert_equal(count_corpus(corpus, backend, tmp_path / "own", Quiet()), fresh)
    backend.normalizer = normalizers.Lowercase()
    with pytest.raises(TypeError):
        count_corpus(corpus, backend, tmp_path / "own", Quiet())


def test_a_corpus_is_counted_on_its_training_part_but_for_its_characters(
    corpus: PreparedCorpus, tmp_path: Path
) -> None:
    tokenizer = TOKENIZERS["wordpiece"]
    counts = count_corpus(corpus, tokenizer.backend_tokenizer, tmp_path, Quiet())
    train, held_out = counted(tokenizer, list(corpus.train)), counted(tokenizer, list(corpus.validation))
    assert held_out.texts > 0 and counts.texts == train.texts
    assert np.array_equal(counts.documents, train.documents)
    assert np.array_equal(counts.occurrences, train.occurrences)
    assert counts.characters == train.characters + held_out.characters != train.characters


# -- the alphabet ----------------------------------------------------------------------------------------------------


def test_a_script_counts_from_one_percent_of_the_letters() -> None:
    assert scripts_of({"a": 99, "я": 1, "5": 1000, "!": 1000}) == ("Latin", "Cyrillic")
    assert scripts_of({"a": 100, "я": 1}) == ("Latin",)
    assert scripts_of({"!": 3}) == ()
    assert scripts_of(counted(TOKENIZERS["byte_bpe"], CYRILLIC).characters) == ("Cyrillic",)


def test_needed_characters_follow_script_corpus_and_general_signs() -> None:
    known = "añßяα中7٣!–।،€¿ː"
    assert needed_characters(known, {"a": 10}) == set("añß7!–।،€¿")
    assert needed_characters(known, {"a": 1000, "α": 1}) == set("añß7!–।،€¿α")
    assert "٣" in needed_characters(known, {"ب": 10}), "a digit of the script that the corpus is written in"
    assert needed_characters("", {"a": 10}) == set(), "a character that the teacher doesn't know can't be kept"


def test_a_first_word_that_is_another_one_elsewhere_is_not_taken_for_it() -> None:
    pieces = [("<unk>", 0.0), ("▁a", -1.0), ("a", -2.0), ("▁", -3.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    steps = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="first")]
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    assert backend.encode("a a a").tokens == ["▁a", "a", "a"]
    assert list(count_tokens(["a a a"], 1, backend, Quiet()).occurrences) == [0, 1, 2, 0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_why_counts_cannot_be_written_is_told(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            TokenCounts(np.ones(100), np.ones(100), 1, Counter()).save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    TokenCounts(np.arange(100), np.arange(100), 1, Counter()).save(tmp_path)
    assert TokenCounts.load(tmp_path).documents.tolist() == list(range(100))
