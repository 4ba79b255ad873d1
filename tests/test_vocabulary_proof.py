"""The proof of a segmentation counts what it compared, and notices what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from tokenizers import Tokenizer, models, normalizers
from toy_tokenizers import CYRILLIC, LATIN, SIZES, TOYS, chosen, kind, wordpiece

from core.context import Quiet
from core.errors import Stopped
from core.vocabulary.kinds import Kind, kind_of
from core.vocabulary.proof import SegmentationProof, prove_segmentation
from core.vocabulary.rewriting import rewrite_tokenizer

TOKENIZERS = {name: make() for name, make in TOYS.items()}
KINDS = {name: kind(tokenizer) for name, tokenizer in TOKENIZERS.items()}
KEPT = {name: chosen(tokenizer, SIZES[name]).kept for name, tokenizer in TOKENIZERS.items()}
kinds = pytest.mark.parametrize("name", sorted(TOYS))
TEXTS = [*LATIN, *CYRILLIC, "", "a o u", "中"]


def trimmed(name: str, **changes: object) -> Tokenizer:
    """The trimmed tokenizer, with some of its model's settings or vocabulary changed."""
    written = rewrite_tokenizer(json.loads(TOKENIZERS[name].backend_tokenizer.to_str()), KEPT[name])
    return Tokenizer.from_str(json.dumps(written | {"model": written["model"] | changes}))


def alphabet(own: Kind, kept: Iterable[int]) -> set[str]:
    """The characters whose every form is kept."""
    lost = {own.spelt(piece) for token, piece in own.own.items() if token not in set(kept)}
    return set(own.characters) - lost


def prove(name: str, after: Tokenizer, texts: list[str] = TEXTS) -> SegmentationProof:
    own, kept = KINDS[name], KEPT[name]
    before = TOKENIZERS[name].backend_tokenizer
    return prove_segmentation(before, after, own, kept, alphabet(own, kept), texts, Quiet())


@kinds
def test_what_was_compared_is_counted(name: str) -> None:
    backend, own = TOKENIZERS[name].backend_tokenizer, KINDS[name]
    proof = prove(name, trimmed(name))
    ids = [backend.encode(text).ids for text in TEXTS]
    kept = [one for one in ids if set(one) <= set(KEPT[name])]
    assert proof.lines == len(TEXTS)
    assert (proof.compared, proof.tokens) == (len(kept), sum(map(len, kept)))
    lost = own.characters - alphabet(own, KEPT[name])
    normal = [backend.normalizer.normalize_str(text) if backend.normalizer else text for text in TEXTS]
    spelt = [own.spells_bytes or not set(text) & lost for text in normal]
    assert proof.spelt == sum(spelt) and own.spells_bytes == ("bpe" in name)
    assert 0 < proof.compared < proof.lines and proof.spelt > 0


@kinds
def test_nothing_is_proved_on_no_texts(name: str) -> None:
    assert prove(name, trimmed(name), []) == SegmentationProof(0, 0, 0, 0)


@kinds
def test_limits_of_the_tokenizers_do_not_shorten_the_proof(name: str) -> None:
    after = trimmed(name)
    whole = prove(name, after)
    after.enable_truncation(4)
    assert prove(name, after) == whole and after.truncation is not None


@kinds
def test_another_segmentation_is_noticed(name: str) -> None:
    wrong = trimmed(name)
    wrong.normalizer = normalizers.Lowercase()
    with pytest.raises(RuntimeError, match="changed the segmentation of"):
        prove(name, wrong, ["O", *LATIN])


@kinds
def test_two_ids_that_are_mixed_up_are_noticed(name: str) -> None:
    after = trimmed(name)
    one, other = (
        after.encode("o", add_special_tokens=False).ids[-1],
        after.encode("8", add_special_tokens=False).ids[-1],
    )
    vocabulary = json.loads(after.to_str())["model"]["vocab"]
    if name == "unigram":
        vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    else:
        pieces = {token: piece for piece, token in vocabulary.items()}
        vocabulary |= {pieces[one]: other, pieces[other]: one}
    assert prove(name, after, []).lines == 0
    with pytest.raises(RuntimeError, match="numbers its tokens in another way"):
        prove(name, trimmed(name, vocab=vocabulary), [])  # whether or not a text holds them


@pytest.mark.parametrize("name", ["byte_bpe", "character_bpe"])
def test_a_lost_merge_is_noticed(name: str) -> None:
    after = trimmed(name)
    text = next(line for line in LATIN if prove(name, after, [line]).compared)
    longest = max(after.encode(text, add_special_tokens=False).tokens, key=len)
    merges = json.loads(after.to_str())["model"]["merges"]
    fewer = [merge for merge in merges if "".join(merge) != longest]
    assert len(longest) > 1 and len(fewer) < len(merges)
    with pytest.raises(RuntimeError, match="changed the segmentation"):
        prove(name, trimmed(name, merges=fewer), [text])


def test_a_lost_smallest_score_is_noticed() -> None:
    """Without it, unknown text costs less, and a path through it may be the best."""
    scores = {"<unk>": 0.0, "▁": -2.0, "xy": -5.0, "z": -20.0, "a": -20.0, "b": -20.0, "yzab": -1.0, "rare": -60.0}
    before = Tokenizer(models.Unigram(list(scores.items()), unk_id=0))
    own = kind_of(json.loads(before.to_str()))
    assert before.encode("xyzab").tokens == ["xy", "z", "a", "b"] and 7 in own.always()
    for kept, right in ((range(8), True), (range(7), False)):
        after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(json.loads(before.to_str()), kept)))
        if right:
            assert prove_segmentation(before, after, own, kept, alphabet(own, kept), ["xyzab"], Quiet()).compared == 1
        else:
            with pytest.raises(RuntimeError, match="changed the segmentation"):
                prove_segmentation(before, after, own, kept, alphabet(own, kept), ["xyzab"], Quiet())


@pytest.mark.parametrize("name", ["wordpiece", "unigram"])
def test_a_lost_letter_of_the_language_is_noticed(name: str) -> None:
    """A text that has a token which goes can't be compared, but it must still be spelt."""
    before, own = TOKENIZERS[name].backend_tokenizer, KINDS[name]
    promised = alphabet(own, KEPT[name])
    kept = [token for token in KEPT[name] if own.spelt(own.pieces[token]) != "ž"]
    after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(json.loads(before.to_str()), kept)))
    assert "ž" in promised and prove_segmentation(before, after, own, kept, promised, ["moru"], Quiet()).spelt == 1
    with pytest.raises(RuntimeError, match="made parts of 'žijú' unknown"):
        prove_segmentation(before, after, own, kept, promised, ["moru", "žijú"], Quiet())
    # What the language does without may go, and what the teacher never knew is no matter.
    assert prove_segmentation(before, after, own, kept, promised - {"ž"}, ["žijú", "moru ☃"], Quiet()).spelt == 1


def test_a_fallback_on_bytes_that_are_not_there_spells_nothing() -> None:
    """Such tokenizers exist; a character that goes is unknown then, and no fault of the trimming."""
    pieces = [("<unk>", 0.0), ("▁", -1.0), ("a", -2.0), ("b", -3.0), ("<0x41>", -4.0)]
    models_of = [Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))]
    vocabulary = {piece: i for i, (piece, _) in enumerate(pieces)}
    models_of.append(Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True)))
    for before in models_of:
        written = json.loads(before.to_str())
        own = kind_of(written)
        after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(written, [0, 1, 2, 4])))
        assert after.encode("ab").ids.count(0) == 1 and not own.spells_bytes
        proof = prove_segmentation(before, after, own, [0, 1, 2, 4], {"a", "▁"}, ["ab", "a"], Quiet())
        assert (proof.lines, proof.compared) == (2, 1) and proof.spelt <= 1


def test_an_unknown_word_is_compared_only_where_it_does_not_hang_on_its_neighbours() -> None:
    vocabulary = {piece: i for i, piece in enumerate(["[UNK]", "a", "ab", "##bc"])}
    before = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    written = json.loads(before.to_str())
    after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(written, [0, 1, 3])))
    proof = prove_segmentation(before, after, kind_of(written), [0, 1, 3], {"a"}, ["abc", "a", "x"], Quiet())
    assert (proof.lines, proof.compared, proof.spelt) == (3, 1, 0), "abc is known now, and x can't be told apart"


def test_casing_is_looked_at_as_the_tokenizer_leaves_it() -> None:
    tokenizer = wordpiece(lower=True)
    own, kept = kind(tokenizer), chosen(tokenizer, 180).kept
    after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(json.loads(tokenizer.backend_tokenizer.to_str()), kept)))
    proof = prove_segmentation(tokenizer.backend_tokenizer, after, own, kept, alphabet(own, kept), ["A O U"], Quiet())
    assert (proof.compared, proof.spelt) == (1, 1)


def test_the_proof_can_be_stopped() -> None:
    class Impatient(Quiet):
        def check(self) -> None:
            raise Stopped

    before = TOKENIZERS["unigram"].backend_tokenizer
    with pytest.raises(Stopped):
        prove_segmentation(before, trimmed("unigram"), KINDS["unigram"], KEPT["unigram"], "", LATIN, Impatient())
