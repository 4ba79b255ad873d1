"""The model on fewer tokens is the same model on text of these."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_tokenizers import LATIN, SIZES, TOYS, chosen, model, wordpiece

from core.compression.vocabulary import LOGIT_TOLERANCE, cut_vocabulary, prove_model
from core.context import Quiet
from core.errors import InputError, Stopped
from core.models import LanguageModel, load, save, tensors_of
from core.vocabulary.rewriting import backend_json

MODELS = {"bert": "wordpiece", "distilbert": "wordpiece", "xlm-roberta": "unigram", "roberta": "byte_bpe"}
"""The tokenizer that each architecture is tested with."""


def build(kind: str, *, tied: bool, spare_rows: int = 0) -> tuple[LanguageModel, tuple[int, ...]]:
    name = MODELS[kind]
    tokenizer = TOYS[name]()
    return model(kind, tokenizer, tied=tied, spare_rows=spare_rows), chosen(tokenizer, SIZES[name]).kept


@pytest.fixture(
    scope="module",
    params=[(kind, tied) for kind in MODELS for tied in (True, False)],
    ids=lambda param: f"{param[0]}-{'tied' if param[1] else 'untied'}",
)
def case(request: pytest.FixtureRequest) -> tuple[LanguageModel, tuple[int, ...], LanguageModel]:
    lm, kept = build(request.param[0], tied=request.param[1])
    return lm, kept, cut_vocabulary(lm, kept)


Case = tuple[LanguageModel, tuple[int, ...], LanguageModel]


def kept_word(lm: LanguageModel, kept: tuple[int, ...]) -> str:
    """A word whose tokens are kept, also in the middle of a text."""
    found = ((word, lm.tokenizer(f"{word} {word} ")["input_ids"]) for line in LATIN for word in line.split())
    return next(word for word, ids in found if set(ids) <= set(kept))


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
    texts = [*LATIN, "8 o", "Some words with ž that were not in the text, 5!"]
    proof = prove_model(lm, trimmed, kept, texts, 1000)
    encoded = [lm.tokenizer.backend_tokenizer.encode(text).ids for text in texts]
    read = [[token for token in ids if token in kept] for ids in encoded]
    assert (proof.compared, proof.tokens) == (len(texts), sum(map(len, read))) and read != encoded
    assert 0 <= proof.largest_difference <= LOGIT_TOLERANCE * 10


def test_no_more_texts_are_compared_than_wanted(case: Case) -> None:
    lm, kept, trimmed = case
    word = kept_word(lm, kept)
    assert prove_model(lm, trimmed, kept, [word] * 5, 3).compared == 3
    assert prove_model(lm, trimmed, kept, [word], 0).compared == prove_model(lm, trimmed, kept, [], 9).compared == 0


def test_texts_longer_than_the_model_reads_are_cut(case: Case) -> None:
    lm, kept, trimmed = case
    proof = prove_model(lm, trimmed, kept, [f"{kept_word(lm, kept)} " * 100], 1)
    assert (proof.compared, proof.tokens) == (1, lm.max_length)
    assert lm.tokenizer.backend_tokenizer.truncation is None


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
    trimmed = cut_vocabulary(model("bert", tokenizer, tied=True), chosen(tokenizer, 180).kept)
    assert trimmed.model.config.pad_token_id == trimmed.tokenizer.pad_token_id == 179
    assert trimmed.module(trimmed.family.embedding).padding_idx == 179


def test_a_robertas_padding_stays_where_its_positions_start() -> None:
    lm, kept = build("roberta", tied=True)
    trimmed = cut_vocabulary(lm, kept)
    assert trimmed.model.config.pad_token_id == lm.model.config.pad_token_id == 3
    assert trimmed.max_length == lm.max_length == 62


def _changed(trimmed: LanguageModel, name: str) -> LanguageModel:
    wrong = copy.deepcopy(trimmed.model)
    with torch.no_grad():
        wrong.state_dict()[name][3] += 0.01
    return LanguageModel(wrong, trimmed.tokenizer)


def test_a_proof_fails_where_something_changed() -> None:
    lm, kept = build("bert", tied=False)
    trimmed = cut_vocabulary(lm, kept)
    assert prove_model(lm, trimmed, kept, ["a o u", *LATIN], 50).compared > 1
    with pytest.raises(RuntimeError, match="changed the hidden states of"):
        prove_model(lm, _changed(trimmed, "bert.embeddings.word_embeddings.weight"), kept, ["a o u", *LATIN], 50)
    with pytest.raises(RuntimeError, match="changed logits of"):
        prove_model(lm, _changed(trimmed, "cls.predictions.decoder.weight"), kept, LATIN, 50)
    with pytest.raises(RuntimeError, match="changed logits of"):
        prove_model(lm, _changed(trimmed, "cls.predictions.decoder.bias"), kept, LATIN, 50)
    wrong = [*kept[:20], kept[21], kept[20], *kept[22:]]
    with pytest.raises(ValueError, match="ascend"):
        prove_model(lm, trimmed, wrong, LATIN, 50)


def test_a_proof_can_be_stopped() -> None:
    class Impatient(Quiet):
        def check(self) -> None:
            raise Stopped

    lm, kept = build("bert", tied=True)
    with pytest.raises(Stopped):
        prove_model(lm, cut_vocabulary(lm, kept), kept, LATIN, 50, Impatient())
