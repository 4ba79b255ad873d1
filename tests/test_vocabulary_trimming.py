"""The list of words, what is told of a choice, and the table of what stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models
from toy_tokenizers import CYRILLIC, LATIN, SIZES, TOYS, chosen, counted, kind

from core.context import Quiet
from core.errors import InputError
from core.events import Event, Message
from core.recipe import parse
from core.vocabulary.choosing import Wanted, choose_tokens, coverage_curve
from core.vocabulary.counting import count_tokens
from core.vocabulary.kinds import kind_of
from core.vocabulary.rewriting import rewrite_tokenizer
from core.vocabulary.trimming import choose, choose_for, examine, listed_words, table, word_ids

TOKENIZERS = {name: make() for name, make in TOYS.items()}
KINDS = {name: kind(tokenizer) for name, tokenizer in TOKENIZERS.items()}
COUNTS = {name: counted(tokenizer) for name, tokenizer in TOKENIZERS.items()}
kinds = pytest.mark.parametrize("name", sorted(TOYS))
RECIPE = '[teacher]\nmodel = "sample"\n[language]\ncode = "slk"\n[corpus]\nsources = ["sample"]\n'


class Log(Quiet):
    """A context that remembers its messages."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, Message):
            self.texts.append(f"{event.level}: {event.text}")


# -- a list of words -------------------------------------------------------------------------------------------------


@kinds
def test_each_word_of_the_list_is_cut_as_before_also_inside_a_sentence(name: str, tmp_path: Path) -> None:
    backend, own = TOKENIZERS[name].backend_tokenizer, KINDS[name]
    words = ["бабушка", "волки", "slivky", "вечер 中", "Môj brat", "a", "o"]
    path = tmp_path / "words.txt"
    path.write_text("\n".join([*words, "", "  книгу  "]) + "\n", encoding="utf-8")
    ids = word_ids(path, backend, Quiet())
    assert ids == sorted(set(ids))
    kept = choose_tokens(own, COUNTS[name], Wanted(coverage=0.01), ids).kept
    after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(json.loads(backend.to_str()), kept)))
    for word in [*words, "книгу"]:
        for text in (word, f"a {word} o", f"{word} {word}", f"o {word}"):
            assert [kept[token] for token in after.encode(text).ids] == backend.encode(text).ids, text
    assert any(
        [kept[token] for token in after.encode(line).ids] != backend.encode(line).ids for line in LATIN + CYRILLIC
    )


@pytest.mark.parametrize("text", ["", "\n \n\t\n"])
def test_a_list_without_words_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        word_ids(path, TOKENIZERS["wordpiece"].backend_tokenizer, Quiet())
    assert str(path) in caught.value.faults[0].problem and caught.value.faults[0].hint


def test_a_list_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zip.txt").write_bytes(b"PK\x03\x04" + bytes(100))
    for name in ("no.txt", "zip.txt", "."):
        with pytest.raises(InputError):
            word_ids(tmp_path / name, TOKENIZERS["wordpiece"].backend_tokenizer, Quiet())


def test_a_recipe_without_a_list_has_no_words(tmp_path: Path) -> None:
    backend = TOKENIZERS["wordpiece"].backend_tokenizer
    assert list(listed_words(parse(RECIPE), backend, Quiet())) == []
    (tmp_path / "words.txt").write_text("most", encoding="utf-8")
    path = json.dumps(str(tmp_path / "words.txt"))
    recipe = parse(RECIPE + f"[method]\nvocabulary_words = {path}\n")
    assert list(listed_words(recipe, backend, Quiet())) == [TOKENIZERS["wordpiece"].convert_tokens_to_ids("most")]


# -- what a recipe wants ---------------------------------------------------------------------------------------------


@kinds
def test_a_recipes_words_are_the_same_as_plain_ones(name: str) -> None:
    backend, own, counts = TOKENIZERS[name].backend_tokenizer, KINDS[name], COUNTS[name]
    recipe = parse(
        RECIPE + "[targets]\nvocabulary_coverage = 0.9\nvocabulary_multiple = 8\n"
        '[method]\nvocabulary_frequency = "token"\n'
    )
    wanted = Wanted(coverage=0.9, multiple=8, frequency="token")
    assert choose_for(recipe, own, backend, counts, Quiet()) == choose_tokens(own, counts, wanted)
    recipe = parse(RECIPE + f"[targets]\nvocabulary_size = {SIZES[name]}\n")
    assert choose_for(recipe, own, backend, counts, Quiet()) == chosen(TOKENIZERS[name], SIZES[name])


@kinds
def test_a_vocabulary_that_the_corpus_cannot_fill_is_told(name: str) -> None:
    log = Log()
    selection = choose(KINDS[name], COUNTS[name], Wanted(size=10_000), (), log)
    (text,) = log.texts
    assert text.startswith("warning: The corpus holds only ")
    assert f"has {len(selection.kept):,} instead of 10,000" in text


def test_a_last_place_that_nothing_fits_is_told_as_that() -> None:
    """Where a token needs two places and there is one, the corpus is not to blame."""
    own, counts, log = KINDS["character_bpe"], COUNTS["character_bpe"], Log()
    curve = coverage_curve(own, counts)
    short = [size for size in range(*(size for size, _ in (curve[0], curve[-1])))
             if len(choose_tokens(own, counts, Wanted(size=size)).kept) < size]  # fmt: skip
    assert short
    selection = choose(own, counts, Wanted(size=short[0]), (), log)
    assert selection.coverage < 1 and len(log.texts) == 1
    assert "others that no longer fit" in log.texts[0] and f"instead of {short[0]}" in log.texts[0]


@kinds
def test_what_was_wanted_is_not_told(name: str) -> None:
    log = Log()
    for wanted in (Wanted(size=SIZES[name]), Wanted(coverage=1.0), Wanted(size=SIZES[name], multiple=8)):
        choose(KINDS[name], COUNTS[name], wanted, (), log)
    assert log.texts == []


# -- what is found out -----------------------------------------------------------------------------------------------


@kinds
def test_findings_hold_proof_and_fertility(name: str) -> None:
    backend, own = TOKENIZERS[name].backend_tokenizer, KINDS[name]
    kept = chosen(TOKENIZERS[name], SIZES[name]).kept
    after = Tokenizer.from_str(json.dumps(rewrite_tokenizer(json.loads(backend.to_str()), kept)))
    told = examine(backend, after, own, kept, COUNTS[name], LATIN, Quiet()).to_json()
    assert told["proof"]["lines"] == told["held_out"] == len(LATIN)
    assert told["proof"]["compared"] > 0 and told["unknown"] == {"before": 0, "after": 0}
    assert told["fertility"]["before"] < told["fertility"]["after"]


# -- the table -------------------------------------------------------------------------------------------------------


@kinds
def test_the_table_lists_every_kept_token(name: str) -> None:
    selection = chosen(TOKENIZERS[name], SIZES[name])
    text = "".join(table(KINDS[name], selection, COUNTS[name]))
    head, *rows = (line.split("\t") for line in text.removesuffix("\n").split("\n"))
    assert head == ["new_id", "old_id", "token", "reason", "texts", "occurrences"]
    assert len(rows) == SIZES[name]
    for place, (new, old, piece, reason, texts, occurrences) in enumerate(rows):
        assert (int(new), int(old), reason) == (place, selection.kept[place], selection.reasons[place])
        token = piece.encode("ascii").decode("unicode_escape") if "\\" in piece else piece
        assert token == KINDS[name].pieces[int(old)]
        assert int(texts) == COUNTS[name].documents[int(old)]
        assert int(occurrences) == COUNTS[name].occurrences[int(old)]


def test_what_would_break_the_table_is_spelt_out() -> None:
    pieces = ["[UNK]", "a\tb", "\n", "\r", "\u2028", "\x85", "\\n", "\u00a0", " ", "ž", "\ue000"]
    backend = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    own = kind_of(json.loads(backend.to_str()))
    counts = count_tokens(pieces, len(pieces), backend, Quiet())
    selection = choose_tokens(own, counts, Wanted(coverage=1.0))
    text = "".join(table(own, selection, counts))
    lines = text.splitlines()
    assert len(lines) == len(selection.kept) + 1 and all(line.count("\t") == 5 for line in lines)
    shown = dict(zip(selection.kept, (line.split("\t")[2] for line in lines[1:]), strict=True))
    assert len(set(shown.values())) == len(shown), "two tokens look alike"
    assert [shown.get(token) for token in (1, 2, 4, 9)] == [r"a\tb", r"\n", r"\u2028", "ž"]
