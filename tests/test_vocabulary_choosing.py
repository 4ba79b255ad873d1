"""Which tokens stay, and why."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, models
from toy_tokenizers import CYRILLIC, LATIN, SIZES, TOYS, counted, kind

from core.context import Quiet
from core.errors import InputError
from core.vocabulary.choosing import REASONS, Selection, Wanted, choose_tokens, coverage_curve, everything
from core.vocabulary.counting import TokenCounts, count_tokens
from core.vocabulary.kinds import Kind, kind_of
from core.vocabulary.rewriting import rewrite_tokenizer

TOKENIZERS = {name: make() for name, make in TOYS.items()}
KINDS = {name: kind(tokenizer) for name, tokenizer in TOKENIZERS.items()}
COUNTS = {name: counted(tokenizer) for name, tokenizer in TOKENIZERS.items()}
kinds = pytest.mark.parametrize("name", sorted(TOYS))
frequencies = pytest.mark.parametrize("frequency", ["document", "token"])


def choose(name: str, *, words: tuple[int, ...] = (), **wanted: object) -> Selection:
    return choose_tokens(KINDS[name], COUNTS[name], Wanted(**wanted), words)


def smallest(name: str) -> int:
    return coverage_curve(KINDS[name], COUNTS[name])[0][0]


def why(selection: Selection) -> dict[int, str]:
    return dict(zip(selection.kept, selection.reasons, strict=True))


def covered(kept: tuple[int, ...], counts: TokenCounts) -> float:
    return float(counts.occurrences[list(kept)].sum() / counts.tokens)


def by_frequency(counts: TokenCounts, frequency: str) -> list[int]:
    by = counts.documents if frequency == "document" else counts.occurrences
    return sorted(map(int, np.flatnonzero(by)), key=lambda token: (-by[token], token))


# -- to a size -------------------------------------------------------------------------------------------------------


@kinds
@frequencies
def test_a_selection_is_ordered_stable_and_as_large_as_wanted(name: str, frequency: str) -> None:
    selection = choose(name, size=SIZES[name], frequency=frequency)
    assert selection == choose(name, size=SIZES[name], frequency=frequency)
    assert list(selection.kept) == sorted(set(selection.kept))
    assert len(selection.kept) == len(selection.reasons) == SIZES[name]
    assert tuple(selection.counted()) == REASONS and sum(selection.counted().values()) == SIZES[name]
    assert selection.coverage == covered(selection.kept, COUNTS[name])
    assert selection.distinct == COUNTS[name].distinct


@kinds
def test_every_reason_is_the_right_one(name: str) -> None:
    own, tokens = KINDS[name], TOKENIZERS[name]
    selection = choose(name, size=SIZES[name])
    reasons = why(selection)
    assert {token for token, reason in reasons.items() if reason == "special"} == set(tokens.all_special_ids)
    letters = {token for token, piece in own.own.items() if own.spelt(piece) in {"ž", "ñ", "7", "–"}} - own.special
    assert letters and {reasons[token] for token in letters} <= {"alphabet"}
    count = {token for token, reason in reasons.items() if reason == "count"}
    assert count and all(COUNTS[name].documents[token] for token in count)
    merge = {token for token, reason in reasons.items() if reason == "merge"}
    needed = {part for token in reasons for part in own.parts(token)}
    assert merge <= needed <= set(reasons), "what a kept token is put together from is kept"
    assert bool(merge) == ("bpe" in name)
    assert not {"rounding", "words"} & set(reasons.values())


@kinds
@frequencies
def test_kept_for_their_count_are_the_most_frequent_and_of_equals_the_lower_id(name: str, frequency: str) -> None:
    must = set(choose(name, size=smallest(name)).kept)
    kept = set(must)
    for token in by_frequency(COUNTS[name], frequency):
        group = {token, *KINDS[name].parts(token)} - kept
        if len(kept) + len(group) <= SIZES[name]:
            kept |= group
    assert set(choose(name, size=SIZES[name], frequency=frequency).kept) == kept


def test_the_frequencies_differ() -> None:
    """A token that fills one text is frequent by its occurrences, one that is in two texts by its texts."""
    tokenizer = TOKENIZERS["wordpiece"]
    ids = tokenizer.convert_tokens_to_ids(["most", "rieku"])
    counts = counted(tokenizer, ["most most most most", "rieku", "rieku"])
    size = coverage_curve(KINDS["wordpiece"], counts)[0][0] + 1
    for frequency, token in zip(("token", "document"), ids, strict=True):
        selection = choose_tokens(KINDS["wordpiece"], counts, Wanted(size=size, frequency=frequency))
        assert [old for old, reason in why(selection).items() if reason == "count"] == [token]


@kinds
def test_every_form_of_a_needed_character_is_kept_and_foreign_ones_are_not(name: str) -> None:
    own = KINDS[name]
    kept = {own.pieces[token] for token in choose(name, size=SIZES[name]).kept}
    known = {"##" + character for character in "ñøßaž5!–€。"} if name == "wordpiece" else set()
    known |= set("ñøßaž5!–€。" if name in ("wordpiece", "unigram") else "a5!")
    assert known <= kept
    spelt = {own.spelt(piece) for piece in kept}
    assert "á" in spelt and not spelt & {"я", "α", "中"}
    assert ("▁" in kept) == (name in ("unigram", "character_bpe"))
    assert "[unused1]" not in kept


def test_the_smallest_score_is_kept_since_unknown_text_costs_by_it() -> None:
    reasons = why(choose("unigram", size=SIZES["unigram"]))
    (lowest,) = (token for token, piece in KINDS["unigram"].own.items() if piece == "αβαβ")
    assert reasons[lowest] == "alphabet"


def test_bytes_are_kept() -> None:
    own = KINDS["byte_bpe"]
    kept = {own.pieces[token] for token in choose("byte_bpe", size=smallest("byte_bpe")).kept}
    assert {piece for piece in own.own.values() if len(piece) == 1} <= kept and len(kept) >= 261
    own = KINDS["character_bpe"]
    kept = {own.pieces[token] for token in choose("character_bpe", size=smallest("character_bpe")).kept}
    assert {f"<0x{byte:02X}>" for byte in range(256)} <= kept


def test_unigrams_bytes_are_kept() -> None:
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary = [("<unk>", 0.0), ("▁", -1.0), ("ab", -1.5), ("a", -2.0), *((byte, -3.0) for byte in names)]
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    written = json.loads(backend.to_str())
    selection = choose_tokens(kind_of(written), count_tokens(["ab"], 1, backend, Quiet()), Wanted(size=259))
    assert selection.counted() == dict.fromkeys(REASONS, 0) | {"special": 1, "alphabet": 258}
    trimmed = Tokenizer.from_str(json.dumps(rewrite_tokenizer(written, selection.kept)))
    assert trimmed.encode("a中").tokens == backend.encode("a中").tokens == ["a", "<0xE4>", "<0xB8>", "<0xAD>"]


@kinds
def test_fewer_tokens_than_asked_make_a_smaller_vocabulary(name: str) -> None:
    selection = choose(name, size=10_000)
    assert len(selection.kept) < len(TOKENIZERS[name]) and selection.coverage == 1.0
    assert set(np.flatnonzero(COUNTS[name].documents)) <= set(selection.kept)
    assert selection.counted()["rounding"] == 0


@kinds
def test_a_size_without_room_for_the_alphabet_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(InputError, match=r"A vocabulary of 50 is too small: .* always kept") as caught:
        choose(name, size=50)
    assert caught.value.faults[0].key == "targets.vocabulary_size"
    nearest = int(caught.value.faults[0].hint.rstrip(".").split()[-1])
    assert choose(name, size=nearest).counted()["count"] == 0
    with pytest.raises(InputError, match=f"{nearest:,} tokens"):
        choose(name, size=nearest - 1)


def test_counts_of_another_tokenizer_are_a_fault() -> None:
    counts = count_tokens(LATIN, 20, Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")), Quiet())
    for ask in (lambda: choose_tokens(KINDS["wordpiece"], counts, Wanted(size=180)),
                lambda: coverage_curve(KINDS["wordpiece"], counts)):  # fmt: skip
        with pytest.raises(ValueError, match="counts of 1 ids"):
            ask()


@kinds
def test_a_vocabulary_that_is_not_cut_keeps_everything(name: str) -> None:
    selection = everything(KINDS[name], COUNTS[name])
    assert selection.kept == tuple(range(len(TOKENIZERS[name]))) and selection.coverage == 1.0
    assert selection.counted()["special"] == len(TOKENIZERS[name].all_special_ids)
    assert sum(selection.counted().values()) == len(TOKENIZERS[name])


# -- to a coverage ---------------------------------------------------------------------------------------------------


@kinds
@frequencies
def test_a_coverage_is_reached_with_the_fewest_tokens(name: str, frequency: str) -> None:
    for share in (0.01, 0.8, 0.9, 0.95, 1.0):
        selection = choose(name, coverage=share, frequency=frequency)
        assert selection.coverage == covered(selection.kept, COUNTS[name]) >= share
        kept = set(choose(name, size=smallest(name)).kept)
        for token in by_frequency(COUNTS[name], frequency):
            if covered(tuple(kept), COUNTS[name]) >= share:
                break
            kept |= {token, *KINDS[name].parts(token)}
        assert set(selection.kept) == kept


@kinds
def test_a_coverage_of_everything_ends_where_the_corpus_does(name: str) -> None:
    selection = choose(name, coverage=1.0)
    assert selection.kept == choose(name, size=10_000).kept
    assert selection.coverage == 1.0


# -- to a multiple ---------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("multiple", [3, 8, 16])
def test_a_size_is_rounded_up_and_filled_from_the_corpus(name: str, multiple: int) -> None:
    size = -(-smallest(name) // multiple) * multiple + 1
    selection = choose(name, size=size, multiple=multiple)
    assert len(selection.kept) == -(-size // multiple) * multiple
    assert selection == choose(name, size=len(selection.kept))
    assert choose(name, size=len(selection.kept), multiple=multiple) == selection, "a multiple is not rounded up"


@kinds
@frequencies
@pytest.mark.parametrize("multiple", [3, 8, 64])
def test_a_coverages_size_is_rounded_up_no_further_than_needed(name: str, frequency: str, multiple: int) -> None:
    for share in np.arange(0.4, 1.0, 0.06):
        least = choose(name, coverage=float(share), frequency=frequency)
        rounded = choose(name, coverage=float(share), frequency=frequency, multiple=multiple)
        assert len(rounded.kept) == min(-(-len(least.kept) // multiple) * multiple, len(TOKENIZERS[name]))
        assert set(least.kept) <= set(rounded.kept) and rounded.coverage >= least.coverage


@kinds
@pytest.mark.parametrize("multiple", [8, 64, 1000])
def test_where_the_corpus_runs_out_the_rest_are_tokens_of_low_ids(name: str, multiple: int) -> None:
    all_used = set(choose(name, coverage=1.0).kept)
    for wanted in ({"coverage": 1.0}, {"size": 10_000}):
        selection = choose(name, **wanted, multiple=multiple)
        length = min(-(-len(all_used) // multiple) * multiple, len(TOKENIZERS[name]))
        assert len(selection.kept) == length and selection.counted()["rounding"] == length - len(all_used)
        added = [token for token, reason in why(selection).items() if reason == "rounding"]
        assert all_used.isdisjoint(added) and all_used | set(added) == set(selection.kept)
        parts = {part for token in added for part in KINDS[name].parts(token)}
        assert parts <= set(selection.kept)
        if not parts:
            unused = sorted(set(range(len(TOKENIZERS[name]))) - all_used)
            assert added == unused[: len(added)]


# -- a list of words -------------------------------------------------------------------------------------------------


@kinds
def test_listed_tokens_stay_with_their_parts(name: str) -> None:
    own, backend = KINDS[name], TOKENIZERS[name].backend_tokenizer
    ids = tuple(sorted(set(backend.encode(" ".join(CYRILLIC[:2]), add_special_tokens=False).ids)))
    assert not set(ids) <= set(choose(name, size=SIZES[name]).kept)
    selection = choose(name, size=SIZES[name] + 40, words=ids)
    reasons = why(selection)
    assert set(ids) <= set(selection.kept) and len(selection.kept) == SIZES[name] + 40
    # The first reason that holds: a listed token that is special stays special.
    assert {token for token, reason in reasons.items() if reason == "words"} == set(ids) - own.special
    assert {part for token in ids for part in own.parts(token)} <= set(selection.kept)


def test_too_many_words_for_the_size_are_told() -> None:
    words = tuple(range(200, 400))
    with pytest.raises(InputError, match="200 for the words of the list"):
        choose("wordpiece", size=180, words=words)


# -- the curve -------------------------------------------------------------------------------------------------------


@kinds
@frequencies
def test_the_curve_says_what_choosing_gives_at_each_of_its_sizes(name: str, frequency: str) -> None:
    curve = coverage_curve(KINDS[name], COUNTS[name], frequency)
    sizes = [size for size, _ in curve]
    assert sizes == sorted(set(sizes)) and 20 < len(curve) <= 120
    for size, share in curve:
        selection = choose(name, size=size, frequency=frequency)
        assert (len(selection.kept), selection.coverage) == (size, share)
    with pytest.raises(InputError):
        choose(name, size=sizes[0] - 1)
    assert curve[-1] == (len(choose(name, coverage=1.0).kept), 1.0)


@kinds
def test_the_curve_begins_with_the_words_of_the_list(name: str) -> None:
    ids = tuple(TOKENIZERS[name].backend_tokenizer.encode(CYRILLIC[0], add_special_tokens=False).ids)
    curve = coverage_curve(KINDS[name], COUNTS[name], "document", ids)
    assert curve[0][0] > smallest(name)
    assert len(choose(name, size=curve[0][0], words=ids).kept) == curve[0][0]
    assert json.loads(json.dumps(curve)) == [list(point) for point in curve]


def test_a_curve_of_very_many_tokens_has_120_points_at_most() -> None:
    pieces = ["[UNK]", *(f"{number:04}" for number in range(2000))]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    counts = count_tokens(pieces[1:], 2000, backend, Quiet())
    curve = coverage_curve(kind_of(json.loads(backend.to_str())), counts)
    assert curve[0] == (1, 0.0) and curve[-1] == (2001, 1.0) and 60 < len(curve) <= 120


@kinds
def test_a_corpus_without_tokens_needs_what_is_always_kept(name: str) -> None:
    none: Kind = KINDS[name]
    counts = count_tokens([], 0, TOKENIZERS[name].backend_tokenizer, Quiet())
    (point,) = coverage_curve(none, counts)
    selection = choose_tokens(none, counts, Wanted(coverage=0.5))
    assert point == (len(selection.kept), 0.0) and selection.counted()["count"] == 0
