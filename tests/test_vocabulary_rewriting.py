"""The tokenizer with fewer tokens: nothing changes but ids and vocabulary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from toy_tokenizers import SIZES, TOYS, byte_bpe, chosen, unigram, wordpiece
from transformers import AutoTokenizer, PreTrainedTokenizerFast, RobertaTokenizer

from core.errors import InputError
from core.vocabulary.kinds import kind_of
from core.vocabulary.rewriting import (
    backend_json,
    check_vocabulary,
    numbering,
    remap_config,
    rewrite_tokenizer,
    trim_tokenizer,
)

TOKENIZERS = {name: make() for name, make in TOYS.items()}
KEPT = {name: chosen(tokenizer, SIZES[name]).kept for name, tokenizer in TOKENIZERS.items()}
TRIMMED = {name: trim_tokenizer(tokenizer, KEPT[name]) for name, tokenizer in TOKENIZERS.items()}
kinds = pytest.mark.parametrize("name", sorted(TOYS))
PARTS_OF_A_MODEL = {"vocab", "merges", "unk_id"}


# -- tokenizer.json --------------------------------------------------------------------------------------------------


@kinds
def test_rewriting_touches_nothing_but_ids_and_vocabulary(name: str) -> None:
    written = backend_json(TOKENIZERS[name])
    frozen = json.dumps(written)
    new = rewrite_tokenizer(written, KEPT[name])
    assert json.dumps(written) == frozen
    assert new.keys() == written.keys()
    for part in ("normalizer", "pre_tokenizer", "decoder", "truncation", "padding", "version"):
        assert new[part] == written[part]
    old = kind_of(written).pieces
    assert kind_of(new).pieces == {place: old[token] for place, token in enumerate(KEPT[name])}
    assert [entry["content"] for entry in new["added_tokens"]] == [
        entry["content"] for entry in written["added_tokens"]
    ]
    assert all(new["model"][key] == value for key, value in written["model"].items() if key not in PARTS_OF_A_MODEL)
    if name == "unigram":
        scores = dict(map(tuple, written["model"]["vocab"]))
        assert all(scores[piece] == score for piece, score in new["model"]["vocab"])


@kinds
def test_keeping_all_changes_nothing(name: str) -> None:
    written = backend_json(TOKENIZERS[name])
    assert rewrite_tokenizer(written, range(len(TOKENIZERS[name]))) == written


@kinds
def test_special_tokens_keep_their_parts_and_places(name: str) -> None:
    old, new = TOKENIZERS[name], TRIMMED[name]
    assert new.special_tokens_map == old.special_tokens_map
    pairs = [tokenizer.convert_ids_to_tokens(tokenizer("a", "o!")["input_ids"]) for tokenizer in (old, new)]
    assert pairs[0] == pairs[1]
    assert new.convert_ids_to_tokens(range(SIZES[name])) == [old.convert_ids_to_tokens(token) for token in KEPT[name]]
    special = [new.convert_ids_to_tokens(token) for token in sorted(new.all_special_ids)]
    assert special == [old.convert_ids_to_tokens(token) for token in sorted(old.all_special_ids)]
    if name == "unigram":
        assert new.convert_ids_to_tokens([0, 1, 2, 3, SIZES[name] - 1]) == ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


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
def test_an_added_token_beyond_the_vocabulary_moves_up(name: str) -> None:
    tokenizer = TOYS[name]()
    length = len(tokenizer)
    tokenizer.add_tokens(["<place>", "<person>"])
    kept = chosen(tokenizer, SIZES[name]).kept
    assert kept[-2:] == (length, length + 1) and len(kept) == SIZES[name]
    trimmed = trim_tokenizer(tokenizer, kept)
    assert trimmed.convert_tokens_to_ids(["<place>", "<person>"]) == [SIZES[name] - 2, SIZES[name] - 1]
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


# -- a whole tokenizer -----------------------------------------------------------------------------------------------


@kinds
def test_a_trimmed_tokenizer_keeps_class_and_settings_and_reloads_alike(name: str, tmp_path: Path) -> None:
    old, new = TOKENIZERS[name], TRIMMED[name]
    assert type(new) is type(old) and len(new) == SIZES[name]
    assert new.model_max_length == 64
    new.save_pretrained(tmp_path)
    assert not {path.name for path in tmp_path.iterdir()} & {"vocab.txt", "sentencepiece.bpe.model"}
    loaded = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    assert type(loaded) is type(old)
    assert backend_json(loaded) == backend_json(new)
    assert loaded.special_tokens_map == old.special_tokens_map and loaded.model_max_length == 64


def test_a_roberta_tokenizer_keeps_its_class(tmp_path: Path) -> None:
    written = backend_json(byte_bpe())["model"]
    pieces = list(written["vocab"])[5:]  # without its own special tokens
    vocabulary = {piece: i for i, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *pieces, "<mask>"])}
    tokenizer = RobertaTokenizer(vocab=vocabulary, merges=list(map(tuple, written["merges"])))
    kept = chosen(tokenizer, 400).kept
    trimmed = trim_tokenizer(tokenizer, kept)
    assert type(trimmed) is RobertaTokenizer
    assert trimmed.convert_ids_to_tokens([0, 1, 2, 3, 399]) == ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trimmed.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    assert backend_json(loaded) == backend_json(trimmed)
    for text in ("o<mask>", "8", "中"):
        assert loaded(text)["input_ids"] == [kept.index(token) for token in tokenizer(text)["input_ids"]]


@pytest.mark.parametrize("lower", [True, False])
def test_casing_survives(lower: bool) -> None:
    tokenizer = wordpiece(lower=lower)
    trimmed = trim_tokenizer(tokenizer, chosen(tokenizer, 180).kept)
    assert (trimmed.tokenize("MOST") == trimmed.tokenize("most")) is lower


def test_a_class_that_would_rebuild_it_otherwise_gives_way_to_the_plain_one() -> None:
    tokenizer = unigram()
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    trimmed = trim_tokenizer(tokenizer, chosen(tokenizer, 135).kept)
    assert type(trimmed) is PreTrainedTokenizerFast
    assert trimmed.tokenize("MOST") == tokenizer.tokenize("MOST") == tokenizer.tokenize("most")
    assert trimmed.special_tokens_map == tokenizer.special_tokens_map


# -- config.json -----------------------------------------------------------------------------------------------------


def test_ids_are_numbered_by_their_place() -> None:
    assert numbering([0, 4, 9]) == {0: 0, 4: 1, 9: 2} and numbering([]) == {}
    for wrong in ([1, 1], [2, 1]):
        with pytest.raises(ValueError, match="ascend"):
            numbering(wrong)


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
