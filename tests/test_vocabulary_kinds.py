"""What each kind of tokenizer is made of, and how BPE puts its tokens together."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from toy_tokenizers import CYRILLIC, LATIN, TOYS, kind

from core.errors import InputError
from core.vocabulary.kinds import kind_of
from core.vocabulary.merges import MergeTree, byte_characters
from core.vocabulary.rewriting import backend_json, rewrite_tokenizer

TOKENIZERS = {name: make() for name, make in TOYS.items()}
KINDS = {name: kind(tokenizer) for name, tokenizer in TOKENIZERS.items()}
kinds = pytest.mark.parametrize("name", sorted(TOYS))
bpe = pytest.mark.parametrize("name", ["byte_bpe", "character_bpe"])


# -- every kind ------------------------------------------------------------------------------------------------------


@kinds
def test_pieces_and_special_tokens_are_the_tokenizers(name: str) -> None:
    tokenizer, own = TOKENIZERS[name], KINDS[name]
    assert own.pieces == {token: piece for piece, token in tokenizer.get_vocab().items()}
    assert own.special == set(tokenizer.all_special_ids)
    assert own.unknown == (None if name == "byte_bpe" else tokenizer.unk_token_id)
    assert own.spells_everything


@kinds
def test_an_added_token_is_special(name: str) -> None:
    tokenizer = TOYS[name]()
    tokenizer.add_tokens(["<place>"])
    added = tokenizer.convert_tokens_to_ids("<place>")
    own = kind(tokenizer)
    assert own.special == {*tokenizer.all_special_ids, added}
    assert own.pieces[added] == "<place>" and added not in own.own


@pytest.mark.parametrize(
    ("name", "piece", "text"),
    [
        ("wordpiece", "##ž", "ž"),
        ("wordpiece", "##", "#"),
        ("wordpiece", "most", "most"),
        ("unigram", "▁most", "▁most"),
        ("byte_bpe", "Ġ", " "),
        ("byte_bpe", "Ã¡", "á"),
        ("byte_bpe", "Ã", ""),
        ("byte_bpe", "中", ""),
        ("character_bpe", "ž", "ž"),
    ],
)
def test_a_piece_stands_for_its_text(name: str, piece: str, text: str) -> None:
    own = KINDS[name]
    if piece == "##":
        assert kind_of(wordpieces("#", "##", "###")).spelt("###") == text
    else:
        assert own.spelt(piece) == text


def test_prefix_and_suffix_are_no_text() -> None:
    own = kind_of(json.loads(character_model(prefix="##", suffix="</w>").to_str()))
    assert [own.spelt(piece) for piece in ("a", "##b", "c</w>", "##c</w>")] == ["a", "b", "c", "c"]


def test_the_bytes_have_the_characters_that_the_library_gives_them() -> None:
    assert set(byte_characters()) == set(pre_tokenizers.ByteLevel.alphabet())
    for text in ("až😀\n\x00ÿ中", "".join(map(chr, range(256)))):
        ((written, _),) = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
        assert bytes(byte_characters()[character] for character in written).decode() == text


def test_bytes_made_by_a_normalizer_or_in_a_sequence_count_too() -> None:
    backend = Tokenizer(models.BPE(dict.fromkeys(["x"], 0) | {"Ã": 1, "¡": 2, "Ã¡": 3}, [("Ã", "¡")]))
    assert kind_of(json.loads(backend.to_str())).spelt("Ã¡") == "Ã¡"
    backend.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.ByteLevel()])
    assert kind_of(json.loads(backend.to_str())).spelt("Ã¡") == "á"
    backend.normalizer = normalizers.NFC()
    steps = [pre_tokenizers.Digits(), pre_tokenizers.ByteLevel(use_regex=False)]
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    assert kind_of(json.loads(backend.to_str())).spelt("Ã¡") == "á"


def wordpieces(*pieces: str) -> dict[str, Any]:
    vocabulary = {piece: i for i, piece in enumerate(["[UNK]", *pieces])}
    return dict(json.loads(Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]")).to_str()))


def test_a_word_hangs_on_its_neighbours_where_a_character_of_a_piece_is_none() -> None:
    """Then a word that is unknown because a longer piece leads nowhere becomes known where that piece goes."""
    assert kind_of(wordpieces("a", "ab", "##b", "##c")).spells_everything
    written = wordpieces("a", "ab", "##bc")
    assert not kind_of(written).spells_everything
    before = Tokenizer.from_str(json.dumps(written))
    after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(written, [0, 1, 3])))
    assert (before.encode("abc").tokens, after.encode("abc").tokens) == (["[UNK]"], ["a", "##bc"])
    pieces = [("<unk>", 0.0), ("a", -1.0), ("ab", -1.5)]
    assert not kind_of(json.loads(Tokenizer(models.Unigram(pieces, unk_id=0)).to_str())).spells_everything


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (models.WordLevel({"a": 0}, unk_token="a"), "WordLevel tokenizer can't be trimmed"),
        (models.BPE({"a": 0}, [], dropout=0.1), r"drops merges by chance \(0.1"),
    ],
    ids=["word level", "dropout"],
)
def test_what_cannot_be_proved_is_refused(model: Any, match: str) -> None:
    written = json.loads(Tokenizer(model).to_str())
    with pytest.raises(InputError, match=match) as caught:
        kind_of(written)
    assert caught.value.faults[0].hint
    with pytest.raises(InputError, match=match):
        rewrite_tokenizer(written, [0])


def test_no_dropout_is_none() -> None:
    assert kind_of(json.loads(Tokenizer(models.BPE({"a": 0}, [], dropout=0.0)).to_str())).own == {0: "a"}


# -- BPE -------------------------------------------------------------------------------------------------------------


def character_model(prefix: str = "", suffix: str = "", **settings: Any) -> Tokenizer:
    """A BPE tokenizer of words of a, b and c."""
    forms = [f"{start}{letter}{end}" for start in {"", prefix} for letter in "abc" for end in {"", suffix}]
    vocabulary = {piece: i for i, piece in enumerate(sorted({"<unk>", *forms}))}
    settings |= {"continuing_subword_prefix": prefix} if prefix else {}
    settings |= {"end_of_word_suffix": suffix} if suffix else {}
    return Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", **settings))


def with_merges(backend: Tokenizer, choices: list[int], prefix: str, suffix: str, order: Any) -> Tokenizer:
    """The tokenizer with merges of the tokens at random places, in random order."""
    written = json.loads(backend.to_str())
    vocabulary = written["model"]["vocab"]
    merges: dict[tuple[str, str], None] = {}
    for choice in choices:
        pieces = sorted(set(vocabulary) - {"<unk>"})
        left, right = pieces[choice % len(pieces)], pieces[choice // len(pieces) % len(pieces)]
        follows = right.startswith(prefix) and not (suffix and left.endswith(suffix))
        merged = left + right.removeprefix(prefix)
        if follows and len(merged) <= len(prefix) + 6 + len(suffix):
            vocabulary.setdefault(merged, len(vocabulary))
            merges[left, right] = None
    written["model"]["merges"] = order(list(map(list, merges)))
    backend = Tokenizer.from_str(json.dumps(written))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return backend


@pytest.mark.parametrize("ignore", [False, True], ids=["merges", "words first"])
@pytest.mark.parametrize(("prefix", "suffix"), [("", ""), ("##", ""), ("", "</w>"), ("##", "</w>")])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_text_of_any_bpe_is_cut_by_its_tokens_and_their_parts(
    prefix: str, suffix: str, ignore: bool, data: st.DataObject
) -> None:
    choices = data.draw(st.lists(st.integers(0, 10_000), min_size=5, max_size=40))
    draw = data.draw(st.randoms(use_true_random=False))
    plain = character_model(prefix, suffix, ignore_merges=ignore)
    before = with_merges(plain, choices, prefix, suffix, lambda merges: draw.sample(merges, len(merges)))
    text = data.draw(st.text("abcd ", max_size=24))
    written = json.loads(before.to_str())
    own, ids = kind_of(written), before.encode(text).ids
    kept = sorted({*ids, *own.special, *(part for token in ids for part in own.parts(token))})
    after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(written, kept)))
    assert [kept[token] for token in after.encode(text).ids] == ids


def seen_on_the_way(written: dict[str, Any], text: str) -> set[str]:
    """The tokens that a text consists of with none of the merges, with the first one, …, with all."""
    merges, found = written["model"]["merges"], set()
    for count in range(len(merges) + 1):
        cut = {**written, "model": written["model"] | {"merges": merges[:count]}}
        found |= set(Tokenizer.from_str(json.dumps(cut)).encode(text, add_special_tokens=False).tokens)
    return found


def test_parts_are_what_comes_and_goes_when_the_tokenizer_itself_builds_a_token() -> None:
    """In a trained BPE a merge comes after those of its parts, so each step shows when merges are added one by one."""
    written, own = backend_json(TOKENIZERS["byte_bpe"]), KINDS["byte_bpe"]
    bare = {**written, "normalizer": None, "pre_tokenizer": None}  # what stands for bytes stays as it is
    of_byte = {byte: character for character, byte in byte_characters().items()}
    for word in (" rieku", " záhrad", "most", "ž"):
        backend = Tokenizer.from_str(json.dumps(bare))
        symbols = "".join(of_byte[byte] for byte in word.encode())
        tokens = backend.encode(symbols, add_special_tokens=False).tokens
        parts = {own.pieces[part] for token in tokens for part in own.parts(backend.token_to_id(token))}
        assert parts | set(tokens) == seen_on_the_way(bare, symbols)


@bpe
def test_parts_are_enough_and_hold_all_that_is_needed(name: str) -> None:
    written, own = backend_json(TOKENIZERS[name]), KINDS[name]
    plain = {**written, "pre_tokenizer": None, "normalizer": None}
    checked = 0
    for token, piece in own.own.items():
        parts = own.parts(token)
        if not parts or token % 9:
            continue
        checked += 1
        assert token not in parts and len(set(parts)) == len(parts)
        kept = sorted(own.special | own.always() | {*parts, token})
        after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(plain, kept)))
        assert after.encode(piece, add_special_tokens=False).tokens == [piece]
        for part in parts:  # without it the token is reached on another way, or not at all
            without = rewrite_tokenizer(plain, sorted(own.special | own.always() | {*parts, token} - {part}))
            if part not in own.always():
                cut = Tokenizer.from_str(json.dumps(without)).encode(piece, add_special_tokens=False).tokens
                assert cut == [piece] or own.pieces[part] not in cut
    assert checked > 10


@bpe
def test_tokens_that_text_holds_have_parts_unless_they_are_one_symbol(name: str) -> None:
    own, backend = KINDS[name], TOKENIZERS[name].backend_tokenizer
    for line in LATIN + CYRILLIC:
        for token in set(backend.encode(line, add_special_tokens=False).ids) - own.special:
            assert bool(own.parts(token)) == (len(own.own[token]) > 1)


@bpe
def test_every_merge_between_kept_tokens_is_kept_in_order(name: str) -> None:
    written = backend_json(TOKENIZERS[name])
    own = KINDS[name]
    kept = sorted(own.special | own.always() | {token for token in own.own if token % 2})
    pieces = {own.pieces[token] for token in kept}
    new = rewrite_tokenizer(written, kept)["model"]["merges"]
    expected = [pair for pair in written["model"]["merges"] if {*pair, "".join(pair)} <= pieces]
    assert new == expected and 0 < len(new) < len(written["model"]["merges"])


def test_legacy_merges_are_read() -> None:
    model = {"vocab": {"a": 0, "b": 1, "ab": 2, "abb": 3}}
    for merges in (["a b", "ab b"], [["a", "b"], ["ab", "b"]]):
        tree = MergeTree(model | {"merges": merges})
        assert (tree.parts("abb"), tree.parts("ab"), tree.parts("a")) == ((0, 1, 2), (0, 1), ())
        assert tree.among(["a", "b", "abb"]) == [] and tree.among(["b", "ab", "abb"]) == [["ab", "b"]]


def test_of_a_merge_that_is_listed_twice_the_last_counts_as_in_the_library() -> None:
    vocabulary = {piece: i for i, piece in enumerate(["a", "b", "c", "ab", "bc"])}
    merges = [["a", "b"], ["b", "c"], ["a", "b"]]
    before = Tokenizer(models.BPE(vocabulary, [tuple(merge) for merge in merges]))
    tree = MergeTree({"vocab": vocabulary, "merges": merges})
    after = Tokenizer(models.BPE(vocabulary, [tuple(merge) for merge in tree.among(vocabulary)]))
    assert after.encode("abc").tokens == before.encode("abc").tokens


def test_a_token_that_no_merges_lead_to_has_no_parts() -> None:
    vocabulary = {"a": 0, "b": 1, "c": 2, "bc": 3, "ab": 4, "abc": 5}
    tree = MergeTree({"vocab": vocabulary, "merges": [["b", "c"], ["ab", "c"]]})
    assert tree.parts("abc") == (), "b and c go together first"
    assert tree.parts("ab") == () and tree.parts("xyz") == () and tree.parts("") == ()
    assert MergeTree({"vocab": {"ab": 0}, "merges": []}).parts("ab") == ()


def test_a_word_that_is_a_token_needs_no_merges_where_they_are_ignored() -> None:
    vocabulary = {piece: i for i, piece in enumerate(["a", "b", "c", "bc", "abc"])}
    backend = Tokenizer(models.BPE(vocabulary, [("b", "c")], ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    written = json.loads(backend.to_str())
    assert kind_of(written).parts(4) == ()
    after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(written, [0, 2, 4])))
    assert after.encode("abc a").tokens == backend.encode("abc a").tokens == ["abc", "a"]


def test_bytes_are_fallen_back_to_as_before() -> None:
    written, own = backend_json(TOKENIZERS["character_bpe"]), KINDS["character_bpe"]
    before = TOKENIZERS["character_bpe"].backend_tokenizer
    kept = sorted(own.special | own.always())
    after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(written, kept)))
    assert after.encode("中。").tokens == before.encode("中。").tokens
    assert after.decode(after.encode("Môj 中 яž").ids) == "Môj 中 яž"


def test_an_added_token_in_a_gap_of_the_vocabulary_is_refused() -> None:
    """The library gives it another id than its file says; trimmed, two tokens would have the same one."""
    written = json.loads(Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "b": 4}, unk_token="[UNK]")).to_str())
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    written["added_tokens"] = [{"id": 2, "content": "<laugh>", **flags}]
    with pytest.raises(InputError, match="added token '<laugh>' has the id 2"):
        kind_of(written)
    written["added_tokens"][0]["id"] = 5
    assert kind_of(written).pieces[5] == "<laugh>"
