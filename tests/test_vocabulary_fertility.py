"""What a smaller vocabulary does to words: counted plainly, and shown so that it can be read."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from toy_tokenizers import CYRILLIC, LATIN, SIZES, TOYS, chosen, kind

from core.context import Quiet
from core.errors import Stopped
from core.vocabulary.fertility import Fertility, fertility
from core.vocabulary.rewriting import rewrite_tokenizer

TOKENIZERS = {name: make() for name, make in TOYS.items()}
KINDS = {name: kind(tokenizer) for name, tokenizer in TOKENIZERS.items()}
kinds = pytest.mark.parametrize("name", sorted(TOYS))


def pair(name: str, less: int = 0) -> tuple[Tokenizer, Tokenizer, tuple[int | None, int | None]]:
    """A toy, itself with fewer tokens, and the unknown token of both."""
    backend, unknown = TOKENIZERS[name].backend_tokenizer, KINDS[name].unknown
    kept = chosen(TOKENIZERS[name], SIZES[name] - less).kept
    after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(json.loads(backend.to_str()), kept)))
    return backend, after, (unknown, None if unknown is None else kept.index(unknown))


def measured(name: str, texts: list[str], less: int = 0) -> Fertility:
    before, after, unknown = pair(name, less)
    return fertility(before, after, unknown, texts, Quiet())


def pieces_of_words(*vocabulary: str) -> Tokenizer:
    ids = {piece: i for i, piece in enumerate(dict.fromkeys(["[UNK]", *vocabulary]))}
    backend = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return backend


# -- counting --------------------------------------------------------------------------------------------------------


@kinds
def test_tokens_and_words_are_those_of_a_plain_count(name: str) -> None:
    before, after, (old, new) = pair(name)
    texts = [*LATIN, *CYRILLIC, "中 中"]
    found = fertility(before, after, (old, new), texts, Quiet())
    cut = [[one.encode(text, add_special_tokens=False).ids for text in texts] for one in (before, after)]
    words = sum(len(text.split()) for text in texts)
    assert (found.texts, found.words) == (len(texts), words)
    assert (found.before, found.after) == tuple(sum(map(len, side)) / words for side in cut)
    unknown = [sum(ids.count(token) for ids in side) for side, token in zip(cut, (old, new), strict=True)]
    assert [found.unknown_before, found.unknown_after] == unknown
    assert found.before != found.after and 0 < found.split < 1
    assert (found.unknown_after > 0) == (name in ("wordpiece", "unigram"))


@kinds
def test_words_of_one_text_each_are_split_as_often_as_counted(name: str) -> None:
    """Alone, a word's tokens are all its own."""
    before, after, unknown = pair(name)
    words = [word for line in LATIN for word in line.split()]
    split = [len(after.encode(word, add_special_tokens=False)) > len(before.encode(word, add_special_tokens=False))
             for word in words]  # fmt: skip
    assert fertility(before, after, unknown, words, Quiet()).split == sum(split) / len(words)


@kinds
def test_nothing_changes_where_nothing_goes(name: str) -> None:
    backend, unknown = TOKENIZERS[name].backend_tokenizer, KINDS[name].unknown
    found = fertility(backend, backend, (unknown, unknown), LATIN, Quiet())
    assert found.before == found.after > 1 and (found.split, found.worst) == (0, ())
    assert found.example is not None and found.example.before == found.example.after


@kinds
def test_texts_without_words_are_left_out(name: str) -> None:
    blank = ["", "   ", "\t\n", "\u2003"]
    assert measured(name, [*blank, *LATIN, *blank]) == measured(name, LATIN)
    nothing = measured(name, blank)
    assert (nothing.texts, nothing.words, nothing.before, nothing.split, nothing.worst) == (0, 0, 0, 0, ())
    assert nothing.example is None


@kinds
def test_limits_and_blanks_between_words_do_not_count(name: str) -> None:
    before, after, unknown = pair(name)
    found = fertility(before, after, unknown, LATIN, Quiet())
    before, after = (Tokenizer.from_str(one.to_str()) for one in (before, after))
    after.enable_truncation(3)
    before.enable_padding(length=100)
    assert fertility(before, after, unknown, LATIN, Quiet()) == found


def test_it_can_be_stopped() -> None:
    class Impatient(Quiet):
        def check(self) -> None:
            raise Stopped

    with pytest.raises(Stopped):
        fertility(*pair("wordpiece"), LATIN, Impatient())


# -- the worst words -------------------------------------------------------------------------------------------------


def test_the_worst_words_cost_the_most_tokens_together() -> None:
    singles = [form for letter in "abcd" for form in (letter, f"##{letter}")]
    before, after = pieces_of_words(*singles, "aaaa", "bbb", "cc", "dd"), pieces_of_words(*singles)
    found = fertility(before, after, (0, 0), ["aaaa bbb bbb cc", "dd dd dd, a"], Quiet())
    worst = [(word.pieces.text, word.count, len(word.pieces.after) - len(word.pieces.before)) for word in found.worst]
    assert worst == [("bbb", 2, 2), ("aaaa", 1, 3), ("dd", 2, 1), ("cc", 1, 1)], "dd, is no word of letters only"
    assert found.worst[1].to_json() == {"word": "aaaa", "count": 1, "before": ["aaaa"], "after": ["a", "a", "a", "a"]}
    assert found.split == 7 / 8


def test_equal_words_come_by_their_letters_and_at_most_twelve() -> None:
    letters = "abcdefghijklmno"
    singles = [form for letter in letters for form in (letter, f"##{letter}")]
    before, after = pieces_of_words(*singles, *(2 * letter for letter in letters)), pieces_of_words(*singles)
    found = fertility(before, after, (0, 0), [" ".join(2 * letter for letter in reversed(letters))], Quiet())
    assert [word.pieces.text for word in found.worst] == [2 * letter for letter in letters[:12]]
    assert found.split == 1


@pytest.mark.parametrize("word", ["http://aa", "aa.", "aa1", "1aa", "(aa)", "aa,aa", "№aa"])
def test_what_is_more_than_letters_is_split_but_not_shown(word: str) -> None:
    singles = [form for letter in "a1http:/(),.№" for form in (letter, f"##{letter}")]
    before, after = pieces_of_words(*singles, "aa", "##aa"), pieces_of_words(*singles)
    found = fertility(before, after, (0, 0), [word], Quiet())
    assert (found.split, found.worst) == (1, ())


@pytest.mark.parametrize("word", ["aa", "l'aa", "aa-aa", "a\u0301aa", "ʼaa", "яaa"])
def test_marks_hyphens_and_apostrophes_belong_to_words(word: str) -> None:
    singles = [form for letter in "al'-\u0301ʼя" for form in (letter, f"##{letter}")]
    before, after = pieces_of_words(*singles, "aa", "##aa"), pieces_of_words(*singles)
    assert [one.pieces.text for one in fertility(before, after, (0, 0), [word], Quiet()).worst] == [word]


# -- pieces as they are shown ----------------------------------------------------------------------------------------


@kinds
def test_shown_pieces_make_up_the_text_again(name: str) -> None:
    found = measured(name, LATIN, less=25)
    shown = [word.pieces for word in found.worst]
    assert shown and found.example is not None
    for pieces in [*shown, found.example]:
        for side in (pieces.before, pieces.after):
            assert "".join(side).translate(str.maketrans("", "", "▁·")) == pieces.text.replace(" ", "")
            assert all(side)


@kinds
def test_a_word_shows_one_piece_a_token(name: str) -> None:
    before, after, unknown = pair(name, less=25)
    words = [line.split()[0] for line in LATIN]
    found = fertility(before, after, unknown, words, Quiet())
    assert found.worst
    for word in found.worst:
        text = word.pieces.text
        assert len(word.pieces.before) == len(before.encode(text, add_special_tokens=False))
        assert len(word.pieces.after) == len(after.encode(text, add_special_tokens=False))


def test_bytes_of_a_character_show_as_dots() -> None:
    """In both kinds that have bytes: the character at its first one, a dot for each that follows."""
    found = measured("byte_bpe", ["中ž", "a 中"])
    assert found.worst == ()
    smaller = Tokenizer.from_str(
        json.dumps(rewrite_tokenizer(json.loads(TOKENIZERS["byte_bpe"].backend_tokenizer.to_str()), range(261)))
    )
    found = fertility(TOKENIZERS["byte_bpe"].backend_tokenizer, smaller, (None, None), ["brat ľud ľud"], Quiet())
    (ludo,) = (word.pieces for word in found.worst if word.pieces.text == "ľud")
    assert ludo.after == ("▁", "ľ", "·", "u", "d") and len(ludo.before) < 5
    # "ô" is two bytes, and the second of them and "j" are one token.
    shown = {word.pieces.text: word.pieces.before for word in measured("byte_bpe", LATIN, less=25).worst}
    assert shown["Môj"] == ("Mô", "·j")
    backend, own = TOKENIZERS["character_bpe"].backend_tokenizer, KINDS["character_bpe"]
    kept = sorted(own.special | own.always())
    bare = Tokenizer.from_str(json.dumps(rewrite_tokenizer(json.loads(backend.to_str()), kept)))
    found = fertility(backend, bare, (own.unknown, kept.index(own.unknown)), ["ľud"], Quiet())
    assert found.worst[0].pieces.after == ("ľ", "·", "u", "d")


def test_the_mark_of_a_words_start_that_stands_alone_is_shown_and_counts_for_the_word_that_follows() -> None:
    singles = [("<unk>", 0.0), ("▁", -1.0), ("a", -2.0), ("b", -2.0)]
    before = Tokenizer(models.Unigram([*singles, ("▁a", -1.0), ("▁ab", -1.0)], unk_id=0))
    after = Tokenizer(models.Unigram(singles, unk_id=0))
    for one in (before, after):
        one.pre_tokenizer = pre_tokenizers.Metaspace()
    found = fertility(before, after, (0, 0), ["b ab ab"], Quiet())
    (word,) = found.worst
    assert word.to_json() == {"word": "ab", "count": 2, "before": ["ab"], "after": ["▁", "a", "b"]}
    assert found.split == 2 / 3


def test_a_character_that_the_normalizer_changes_is_shown_as_it_is_written() -> None:
    singles = [form for letter in "fia" for form in (letter, f"##{letter}")]
    before, after = pieces_of_words(*singles, "fia"), pieces_of_words(*singles)
    for one in (before, after):
        one.normalizer = normalizers.NFKC()
    (word,) = fertility(before, after, (0, 0), ["ﬁa"], Quiet()).worst
    assert (word.pieces.before, word.pieces.after) == (("ﬁa",), ("ﬁ", "·", "a"))


# -- the example -----------------------------------------------------------------------------------------------------


def test_the_example_is_of_ordinary_length_and_grows_as_all_do() -> None:
    singles = [form for letter in "ab" for form in (letter, f"##{letter}")]
    before, after = pieces_of_words(*singles, "aa", "bbbbb"), pieces_of_words(*singles)
    short, long = "aa aa", " ".join(["aa"] * 60)
    twice, fivefold, same = (" ".join([word] * 10) for word in ("aaaa"[:2] + " aa aa", "bbbbb", "a a a"))
    mean = fertility(before, after, (0, 0), [short, long, fivefold, twice, same], Quiet())
    assert mean.example is not None and mean.example.text == twice
    assert fertility(before, after, (0, 0), [short, long], Quiet()).example is None
    assert len(mean.example.before) == 30 and len(mean.example.after) == 60


@kinds
def test_what_is_told_is_json(name: str) -> None:
    found = measured(name, LATIN)
    told = json.loads(json.dumps(found.to_json()))
    assert told["held_out"] == len(LATIN) and told["fertility"] == {"before": found.before, "after": found.after}
    assert told["unknown"] == {"before": found.unknown_before, "after": found.unknown_after}
    assert told["example"].keys() == {"text", "before", "after"} and told["split"] == found.split
    assert 0 < len(told["worst"]) <= 12
    assert all(word.keys() == {"word", "count", "before", "after"} for word in told["worst"])
