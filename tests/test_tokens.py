"""Counting, choosing and rewriting: what is kept is segmented as before."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from toy_tokenizers import CYRILLIC, LATIN, unigram, wordpiece
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from core.compression.alphabet import needed_characters, scripts_of
from core.compression.tokens import (
    backend_json,
    check_segmentation,
    check_vocabulary,
    choose_tokens,
    count_tokens,
    pieces_of,
    remap_config,
    rewrite_tokenizer,
    trim_tokenizer,
    unknown_id,
)
from core.context import Quiet
from core.errors import InputError, Stopped

TOKENIZERS = {"wordpiece": wordpiece(), "unigram": unigram()}
SIZES = {"wordpiece": 180, "unigram": 135}


def selected(tokenizer: PreTrainedTokenizerBase, size: int) -> tuple[int, ...]:
    counts = count_tokens(LATIN, len(LATIN), tokenizer.backend_tokenizer, Quiet())
    return choose_tokens(backend_json(tokenizer), counts, size).kept


KEPT = {name: selected(tokenizer, SIZES[name]) for name, tokenizer in TOKENIZERS.items()}
TRIMMED = {name: trim_tokenizer(tokenizer, KEPT[name]) for name, tokenizer in TOKENIZERS.items()}

kinds = pytest.mark.parametrize("kind", sorted(TOKENIZERS))
words = st.sampled_from(sorted({word for line in LATIN + CYRILLIC for word in line.split()}))
pieces = st.sampled_from(
    sorted(
        {pieces_of(backend_json(TRIMMED[kind]))[i].replace("##", "") for kind in KEPT for i in range(0, SIZES[kind], 3)}
    )
)
texts = st.lists(st.one_of(words, pieces, st.text(max_size=3), st.just(" ")), max_size=12).map("".join)


# Counting


@kinds
def test_counts_are_those_of_a_plain_count(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    lines = [*LATIN, "", "most most most"]
    counts = count_tokens(lines, len(lines), tokenizer.backend_tokenizer, Quiet())
    encoded = [tokenizer.backend_tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
    for token in range(len(tokenizer)):
        assert counts.occurrences[token] == sum(ids.count(token) for ids in encoded)
        assert counts.documents[token] == sum(token in ids for ids in encoded)
    assert (counts.texts, counts.tokens) == (len(lines), sum(map(len, encoded)))
    assert counts.distinct == len({token for ids in encoded for token in ids})
    assert counts.characters["ž"] == "".join(LATIN).count("ž")


@kinds
def test_counts_add_up_over_parts_and_chunks(kind: str) -> None:
    backend = TOKENIZERS[kind].backend_tokenizer
    lines = LATIN * 150  # several chunks
    whole = count_tokens(lines, len(lines), backend, Quiet())
    parts = count_tokens(lines[:7], 7, backend, Quiet()) + count_tokens(lines[7:], len(lines) - 7, backend, Quiet())
    once = count_tokens(LATIN, len(LATIN), backend, Quiet())
    assert np.array_equal(whole.documents, parts.documents) and np.array_equal(whole.documents, 150 * once.documents)
    assert np.array_equal(whole.occurrences, parts.occurrences)
    assert whole.characters == parts.characters and whole.texts == parts.texts == 3000


def test_counting_reports_and_can_be_stopped() -> None:
    class Recorder(Quiet):
        reports: list[tuple[int, int]]

        def __init__(self) -> None:
            self.reports = []

        def progress(self, done: int, total: int) -> None:
            self.reports.append((done, total))

        def check(self) -> None:
            if self.reports:
                raise Stopped

    ctx = Recorder()
    with pytest.raises(Stopped):
        count_tokens(LATIN * 150, 3000, TOKENIZERS["wordpiece"].backend_tokenizer, ctx)
    assert ctx.reports == [(2000, 3000)]


def test_characters_are_counted_as_the_normalizer_leaves_them() -> None:
    counts = count_tokens(["ÁÁ á"], 1, wordpiece(lower=True).backend_tokenizer, Quiet())
    assert counts.characters["a"] == 3 and "Á" not in counts.characters


def test_truncation_and_padding_of_the_tokenizer_do_not_count_and_stay() -> None:
    tokenizer = wordpiece().backend_tokenizer
    plain = count_tokens(LATIN, 20, tokenizer, Quiet())
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9)
    limited = count_tokens(LATIN, 20, tokenizer, Quiet())
    assert np.array_equal(plain.occurrences, limited.occurrences)
    assert tokenizer.truncation is not None and tokenizer.padding is not None


# The alphabet


def test_a_script_counts_from_one_percent_of_the_letters() -> None:
    assert scripts_of({"a": 99, "я": 1, "5": 1000, "!": 1000}) == ("Latin", "Cyrillic")
    assert scripts_of({"a": 100, "я": 1}) == ("Latin",)
    assert scripts_of({"!": 3}) == ()


def test_needed_characters_follow_script_corpus_and_general_signs() -> None:
    known = "añßяα中7٣!–।،€¿ː"
    assert needed_characters(known, {"a": 10}) == set("añß7!–।،€¿")
    assert needed_characters(known, {"a": 1000, "α": 1}) == set("añß7!–।،€¿α")
    assert "٣" in needed_characters(known, {"ب": 10}), "a digit of the script that the corpus is written in"


# Choosing


@kinds
def test_selection_is_ordered_stable_and_counts_every_token(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    counts = count_tokens(LATIN, 20, tokenizer.backend_tokenizer, Quiet())
    selection = choose_tokens(backend_json(tokenizer), counts, SIZES[kind])
    assert selection == choose_tokens(backend_json(tokenizer), counts, SIZES[kind])
    assert list(selection.kept) == sorted(set(selection.kept)) and len(selection.kept) == SIZES[kind]
    assert selection.special + selection.alphabet + selection.frequency == SIZES[kind]
    assert selection.special == 5
    assert set(tokenizer.all_special_ids) <= set(selection.kept)
    assert selection.coverage == pytest.approx(counts.occurrences[list(selection.kept)].sum() / counts.tokens)


@kinds
def test_kept_for_frequency_are_the_most_frequent_and_of_equals_the_lower_id(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    counts = count_tokens(LATIN, 20, tokenizer.backend_tokenizer, Quiet())
    smaller, larger = (choose_tokens(backend_json(tokenizer), counts, SIZES[kind] + more).kept for more in (0, 1))
    (newcomer,) = set(larger) - set(smaller)
    left_out = set(range(len(tokenizer))) - set(larger)
    best_left = min(left_out, key=lambda token: (-counts.documents[token], token))
    assert (-counts.documents[newcomer], newcomer) < (-counts.documents[best_left], best_left)


@kinds
def test_every_form_of_a_needed_character_is_kept_and_foreign_ones_are_not(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    kept = {pieces_of(backend_json(tokenizer))[token] for token in KEPT[kind]}
    continued = "##" if kind == "wordpiece" else ""
    for character in "ñøßaž5!–€。":
        assert {character, continued + character} <= kept
    assert not kept & {"я", "##я", "α", "中"}
    assert ("▁" in kept) == (kind == "unigram")
    assert "[unused1]" not in kept


def test_the_smallest_score_is_kept_since_unknown_text_costs_by_it() -> None:
    vocabulary = pieces_of(backend_json(TOKENIZERS["unigram"]))
    assert "αβαβ" in {vocabulary[token] for token in KEPT["unigram"]}


def test_byte_fallback_tokens_are_kept() -> None:
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary = [("<unk>", 0.0), ("▁", -1.0), ("ab", -1.5), ("a", -2.0), *((name, -3.0) for name in names)]
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    counts = count_tokens(["ab"], 1, backend, Quiet())
    selection = choose_tokens(json.loads(backend.to_str()), counts, 259)
    assert (selection.special, selection.alphabet, selection.frequency) == (1, 258, 0)
    trimmed = Tokenizer.from_str(json.dumps(rewrite_tokenizer(json.loads(backend.to_str()), selection.kept)))
    assert trimmed.encode("a中").tokens == backend.encode("a中").tokens == ["a", "<0xE4>", "<0xB8>", "<0xAD>"]


def test_fewer_tokens_than_asked_make_a_smaller_vocabulary() -> None:
    tokenizer = TOKENIZERS["wordpiece"]
    counts = count_tokens(LATIN, 20, tokenizer.backend_tokenizer, Quiet())
    selection = choose_tokens(backend_json(tokenizer), counts, 10_000)
    assert len(selection.kept) < len(tokenizer) and selection.coverage == 1.0
    assert set(np.flatnonzero(counts.documents)) <= set(selection.kept)


@kinds
def test_an_alphabet_larger_than_the_vocabulary_is_refused_with_the_nearest_value(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    counts = count_tokens(LATIN, 20, tokenizer.backend_tokenizer, Quiet())
    with pytest.raises(InputError, match=r"A vocabulary of 50 is too small: .* always kept") as caught:
        choose_tokens(backend_json(tokenizer), counts, 50)
    nearest = int(caught.value.faults[0].hint.rstrip(".").split()[-1])
    assert choose_tokens(backend_json(tokenizer), counts, nearest).frequency == 0
    with pytest.raises(InputError, match=f"{nearest:,} tokens"):
        choose_tokens(backend_json(tokenizer), counts, nearest - 1)


def test_counts_of_another_tokenizer_are_a_fault() -> None:
    counts = count_tokens(LATIN, 20, Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")), Quiet())
    with pytest.raises(ValueError, match="counts of 1 ids"):
        choose_tokens(backend_json(TOKENIZERS["wordpiece"]), counts, 180)


def test_bpe_is_refused() -> None:
    backend = Tokenizer(models.BPE({"a": 0}, []))
    with pytest.raises(InputError, match="BPE tokenizer can't be trimmed: not supported yet"):
        choose_tokens(json.loads(backend.to_str()), count_tokens(["a"], 1, backend, Quiet()), 5)
    with pytest.raises(InputError, match="not supported yet"):
        rewrite_tokenizer(json.loads(backend.to_str()), [0])


# Segmentation


@kinds
@settings(max_examples=300, deadline=None)
@given(text=texts)
def test_text_of_kept_tokens_is_segmented_as_before(kind: str, text: str) -> None:
    old = TOKENIZERS[kind](text)["input_ids"]
    kept = KEPT[kind]
    if set(old) <= set(kept):
        assert TRIMMED[kind](text)["input_ids"] == [kept.index(token) for token in old]


@kinds
@settings(max_examples=100, deadline=None)
@given(text=texts, data=st.data())
def test_any_choice_of_tokens_keeps_the_segmentation_of_its_text(kind: str, text: str, data: st.DataObject) -> None:
    written = backend_json(TOKENIZERS[kind])
    old = TOKENIZERS[kind](text)["input_ids"]
    lowest = {token for token, piece in pieces_of(written).items() if piece == "αβαβ"}
    must = set(TOKENIZERS[kind].all_special_ids) | set(old) | lowest
    more = data.draw(st.sets(st.sampled_from(range(len(TOKENIZERS[kind]))), max_size=200))
    kept = sorted(must | more)
    trimmed = Tokenizer.from_str(json.dumps(rewrite_tokenizer(written, kept)))
    assert trimmed.encode(text).ids == [kept.index(token) for token in old]


@kinds
@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet=sorted(set("".join(LATIN)) | set("ñøß–€")), max_size=40))
def test_text_of_kept_characters_has_no_unknown_token(kind: str, text: str) -> None:
    assert TOKENIZERS[kind].unk_token_id not in TOKENIZERS[kind](text)["input_ids"]
    assert TRIMMED[kind].unk_token_id not in TRIMMED[kind](text)["input_ids"]


@kinds
def test_check_segmentation_counts_and_notices(kind: str) -> None:
    before, after = TOKENIZERS[kind].backend_tokenizer, TRIMMED[kind].backend_tokenizer
    seen, comparable = check_segmentation(before, after, KEPT[kind], LATIN + CYRILLIC, Quiet())
    assert seen == len(LATIN + CYRILLIC) and 0 < comparable < len(LATIN)
    wrong = Tokenizer.from_str(after.to_str())
    wrong.normalizer = normalizers.Lowercase()
    with pytest.raises(RuntimeError, match="changed the segmentation"):
        check_segmentation(before, wrong, KEPT[kind], LATIN, Quiet())


# Rewriting


@kinds
def test_rewriting_touches_nothing_but_ids_and_vocabulary(kind: str) -> None:
    written = backend_json(TOKENIZERS[kind])
    frozen = json.dumps(written)
    new = rewrite_tokenizer(written, KEPT[kind])
    assert json.dumps(written) == frozen
    assert new.keys() == written.keys()
    for part in ("normalizer", "pre_tokenizer", "decoder", "truncation", "padding", "version"):
        assert new[part] == written[part]
    old = pieces_of(written)
    assert pieces_of(new) == {place: old[token] for place, token in enumerate(KEPT[kind])}
    assert [entry["content"] for entry in new["added_tokens"]] == [
        entry["content"] for entry in written["added_tokens"]
    ]
    if kind == "unigram":
        scores = dict(map(tuple, written["model"]["vocab"]))
        assert all(scores[piece] == score for piece, score in new["model"]["vocab"])


@kinds
def test_keeping_all_changes_nothing(kind: str) -> None:
    written = backend_json(TOKENIZERS[kind])
    assert rewrite_tokenizer(written, range(len(TOKENIZERS[kind]))) == written


@kinds
def test_special_tokens_keep_their_parts_and_places(kind: str) -> None:
    old, new = TOKENIZERS[kind], TRIMMED[kind]
    assert new.special_tokens_map == old.special_tokens_map
    pairs = [tokenizer.convert_ids_to_tokens(tokenizer("a", "o!")["input_ids"]) for tokenizer in (old, new)]
    assert pairs[0] == pairs[1]
    assert new.unk_token_id == unknown_id(backend_json(new))
    if kind == "unigram":
        assert new.convert_ids_to_tokens([0, 1, 2, 3, SIZES[kind] - 1]) == ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    else:
        assert new.convert_ids_to_tokens([0, 1, 2, 3, 4]) == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def _backend(processor: Any) -> Tokenizer:
    vocabulary = {token: i for i, token in enumerate(["x", "[PAD]", "[UNK]", "y", "[CLS]", "[SEP]", "z", "##z"])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processor
    backend.enable_padding(pad_id=1, pad_token="[PAD]", length=5)
    backend.enable_truncation(4)
    return backend


@pytest.mark.parametrize(
    "processor",
    [
        processors.BertProcessing(("[SEP]", 5), ("[CLS]", 4)),
        processors.RobertaProcessing(("[SEP]", 5), ("[CLS]", 4)),
        processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 4), ("[SEP]", 5)]),
        processors.Sequence([processors.BertProcessing(("[SEP]", 5), ("[CLS]", 4)), processors.ByteLevel()]),
    ],
    ids=["bert", "roberta", "template", "sequence"],
)
def test_post_processors_padding_and_truncation_get_the_new_ids(processor: Any) -> None:
    backend = _backend(processor)
    written = json.loads(backend.to_str())
    kept = [1, 2, 4, 5, 6, 7]
    trimmed = Tokenizer.from_str(json.dumps(rewrite_tokenizer(written, kept)))
    for text in ("z", "zzz z zz", "zz unknown"):
        assert trimmed.encode(text).ids == [kept.index(token) for token in backend.encode(text).ids]
        assert trimmed.encode(text).tokens == backend.encode(text).tokens
    with pytest.raises(ValueError, match=r"lack the special tokens \[4, 5\]"):
        rewrite_tokenizer(written, [1, 2, 6])


@kinds
def test_an_added_token_beyond_the_vocabulary_moves_up(kind: str) -> None:
    tokenizer = {"wordpiece": wordpiece, "unigram": unigram}[kind]()
    length = len(tokenizer)
    tokenizer.add_tokens(["<place>", "<person>"])
    kept = selected(tokenizer, SIZES[kind])
    assert kept[-2:] == (length, length + 1) and len(kept) == SIZES[kind]
    trimmed = trim_tokenizer(tokenizer, kept)
    assert trimmed.convert_tokens_to_ids(["<place>", "<person>"]) == [SIZES[kind] - 2, SIZES[kind] - 1]
    text = "a <person> o<place>!"
    assert trimmed.tokenize(text) == tokenizer.tokenize(text)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ([0, 3, 4, 5, 6, 6], "ascend"),
        ([3, 0, 4, 5, 6], "ascend"),
        ([0, 3, 4, 5], "lack"),
        ([0, 3, 4, 5, 6, 9999], "9999"),
    ],
)
def test_unusable_ids_are_a_fault(kept: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rewrite_tokenizer(backend_json(TOKENIZERS["wordpiece"]), kept)


# A whole tokenizer


@kinds
def test_a_trimmed_tokenizer_keeps_class_and_settings_and_reloads_alike(kind: str, tmp_path: Any) -> None:
    old, new = TOKENIZERS[kind], TRIMMED[kind]
    assert type(new) is type(old) and len(new) == SIZES[kind]
    assert new.model_max_length == 64
    new.save_pretrained(tmp_path)
    assert not {path.name for path in tmp_path.iterdir()} & {"vocab.txt", "sentencepiece.bpe.model"}
    loaded = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    assert type(loaded) is type(old)
    assert backend_json(loaded) == backend_json(new)
    assert loaded.special_tokens_map == old.special_tokens_map and loaded.model_max_length == 64


@pytest.mark.parametrize("lower", [True, False])
def test_casing_survives(lower: bool) -> None:
    tokenizer = wordpiece(lower=lower)
    trimmed = trim_tokenizer(tokenizer, selected(tokenizer, 180))
    assert (trimmed.tokenize("MOST") == trimmed.tokenize("most")) is lower


def test_a_class_that_would_rebuild_it_otherwise_gives_way_to_the_plain_one() -> None:
    tokenizer = unigram()
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    trimmed = trim_tokenizer(tokenizer, selected(tokenizer, 135))
    assert type(trimmed) is PreTrainedTokenizerFast
    assert trimmed.tokenize("MOST") == tokenizer.tokenize("MOST") == tokenizer.tokenize("most")
    assert trimmed.special_tokens_map == tokenizer.special_tokens_map


# The configuration


def test_a_configuration_gets_the_new_ids() -> None:
    config = {
        "model_type": "bert",
        "pad_token_id": 4,
        "eos_token_id": [2, 9],
        "bos_token_id": None,
        "sep_token_id": 3,
        "x": 4,
    }
    changed = remap_config(config, [0, 2, 4, 7])
    assert changed == config | {"pad_token_id": 2, "eos_token_id": [1], "sep_token_id": None}


def test_a_roberta_whose_padding_would_move_is_refused() -> None:
    config = {"model_type": "xlm-roberta", "pad_token_id": 1}
    assert remap_config(config, [0, 1, 5])["pad_token_id"] == 1
    with pytest.raises(InputError, match="from id 1 to 0"):
        remap_config(config, [1, 5])


def test_a_tokenizer_longer_than_the_embedding_is_refused() -> None:
    check_vocabulary(10, 10)
    with pytest.raises(InputError, match="11 tokens, the model only 10"):
        check_vocabulary(11, 10)
