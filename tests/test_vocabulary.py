"""The model on fewer tokens is the same model on text of these."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import normalizers
from toy_tokenizers import LATIN, model, unigram, wordpiece

from core.compression.tokens import backend_json, choose_tokens, count_tokens
from core.compression.vocabulary import cut_vocabulary, prove
from core.context import Quiet
from core.errors import InputError
from core.models import LanguageModel, load, save, tensors_of

SIZES = {"bert": 180, "distilbert": 180, "xlm-roberta": 135}


def build(kind: str, *, tied: bool, spare_rows: int = 0) -> tuple[LanguageModel, tuple[int, ...]]:
    tokenizer = unigram() if kind == "xlm-roberta" else wordpiece()
    counts = count_tokens(LATIN, len(LATIN), tokenizer.backend_tokenizer, Quiet())
    kept = choose_tokens(backend_json(tokenizer), counts, SIZES[kind]).kept
    return model(kind, tokenizer, tied=tied, spare_rows=spare_rows), kept


@pytest.fixture(
    scope="module",
    params=[(kind, tied) for kind in SIZES for tied in (True, False)],
    ids=lambda param: f"{param[0]}-{'tied' if param[1] else 'untied'}",
)
def case(request: pytest.FixtureRequest) -> tuple[LanguageModel, tuple[int, ...], LanguageModel]:
    lm, kept = build(request.param[0], tied=request.param[1])
    return lm, kept, cut_vocabulary(lm, kept)


Case = tuple[LanguageModel, tuple[int, ...], LanguageModel]


def test_each_token_keeps_its_rows_and_all_else_stays(case: Case) -> None:
    lm, kept, trimmed = case
    before, after = tensors_of(lm), tensors_of(trimmed)
    assert before.keys() == after.keys()
    for name, entry in lm.family.all_tensors(lm.sizes):
        expected = before[name][list(kept)] if entry.axes[0] == "vocabulary" else before[name]
        assert torch.equal(after[name], expected), name
    assert trimmed.sizes == replace(lm.sizes, vocabulary=len(kept))


def test_token_ids_and_padding_follow(case: Case) -> None:
    lm, kept, trimmed = case
    for name in ("pad", "bos", "eos"):
        old = getattr(lm.model.config, f"{name}_token_id")
        new = getattr(trimmed.model.config, f"{name}_token_id")
        assert new == (None if old is None else kept.index(old))
    assert trimmed.model.config.pad_token_id == trimmed.tokenizer.pad_token_id
    assert trimmed.module(trimmed.family.embedding).padding_idx == trimmed.model.config.pad_token_id
    assert len(trimmed.tokenizer) == trimmed.model.config.vocab_size == len(kept)


def test_text_of_kept_tokens_gives_the_same_states_and_logits(case: Case) -> None:
    lm, kept, trimmed = case
    proof = prove(lm, trimmed, kept, [*LATIN, "a o u", "Some words with ž that were not in the text, 5!"])
    assert proof.lines == len(LATIN) + 2
    assert 0 < proof.compared < proof.lines
    assert proof.tokens > 2 * proof.compared
    assert proof.largest_difference <= 1e-5


def test_the_original_stays_as_it_is(case: Case) -> None:
    lm, kept, _ = case
    config = lm.config
    tensors = {name: tensor.clone() for name, tensor in tensors_of(lm).items()}
    length = len(lm.tokenizer)
    cut_vocabulary(lm, kept)
    assert lm.config == config and len(lm.tokenizer) == length
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in tensors_of(lm).items())


def test_keeping_every_token_is_the_same_model_bit_for_bit(case: Case) -> None:
    lm, _, _ = case
    same = cut_vocabulary(lm, range(len(lm.tokenizer)))
    assert backend_json(same.tokenizer) == backend_json(lm.tokenizer)
    batch = lm.tokenizer(LATIN, padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = [m.model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits for m in (lm, same)]
    assert torch.equal(*logits)


def test_it_saves_and_loads_as_it_is(case: Case, tmp_path: Path) -> None:
    _, _, trimmed = case
    save(trimmed, tmp_path)
    loaded, has_head = load(tmp_path)
    assert has_head
    assert backend_json(loaded.tokenizer) == backend_json(trimmed.tokenizer)
    assert loaded.model.config.pad_token_id == trimmed.model.config.pad_token_id
    again = tensors_of(loaded)
    assert all(torch.equal(tensor, again[name]) for name, tensor in tensors_of(trimmed).items())


def test_rows_beyond_the_tokenizer_go() -> None:
    lm, _ = build("bert", tied=True, spare_rows=8)
    trimmed = cut_vocabulary(lm, range(len(lm.tokenizer)))
    assert lm.sizes.vocabulary == trimmed.sizes.vocabulary + 8 == len(trimmed.tokenizer) + 8


def test_a_tokenizer_longer_than_the_embedding_is_refused() -> None:
    lm, kept = build("bert", tied=True)
    lm.tokenizer.add_tokens(["<place>"])
    with pytest.raises(InputError, match="the model only"):
        cut_vocabulary(lm, kept)


def test_padding_behind_the_kept_tokens_builds() -> None:
    """The old padding id lies beyond the new vocabulary: the model must be built with the new one."""
    tokenizer = wordpiece()
    tokenizer.add_special_tokens({"pad_token": "<padding>"})
    counts = count_tokens(LATIN, len(LATIN), tokenizer.backend_tokenizer, Quiet())
    kept = choose_tokens(backend_json(tokenizer), counts, 180).kept
    trimmed = cut_vocabulary(model("bert", tokenizer, tied=True), kept)
    assert trimmed.model.config.pad_token_id == trimmed.tokenizer.pad_token_id == 179
    assert trimmed.module(trimmed.family.embedding).padding_idx == 179


def _changed(trimmed: LanguageModel, name: str) -> LanguageModel:
    wrong = copy.deepcopy(trimmed.model)
    with torch.no_grad():
        wrong.state_dict()[name][3] += 0.01
    return LanguageModel(wrong, trimmed.tokenizer)


def test_a_proof_fails_where_something_changed() -> None:
    lm, kept = build("bert", tied=False)
    trimmed = cut_vocabulary(lm, kept)
    with pytest.raises(RuntimeError, match="changed the hidden states"):
        prove(lm, _changed(trimmed, "bert.embeddings.word_embeddings.weight"), kept, ["a o u", *LATIN])
    with pytest.raises(RuntimeError, match="changed logits"):
        prove(lm, _changed(trimmed, "cls.predictions.decoder.weight"), kept, LATIN)
    wrong = copy.deepcopy(trimmed.tokenizer)
    wrong.backend_tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(RuntimeError, match="changed the segmentation"):
        prove(lm, LanguageModel(trimmed.model, wrong), kept, LATIN)
