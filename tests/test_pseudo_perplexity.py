"""Pseudo-perplexity: the plain formula, and how little of it is computed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tiny_tasks import WORDS, tiny_model

from core.analysis.allowances import copies_may_hold
from core.analysis.operations import Reading, forward, training
from core.analysis.pseudo_perplexity import masked_copies, pseudo_perplexity, sampled, windows
from core.context import Quiet
from core.errors import Stopped
from core.models import LanguageModel
from core.recipe import Schedule
from core.tasks.encoding import special_ids
from tests.tiny_training import Recorder

TEXTS = ["w1 w2 w3 long er w4", "w5", "nowhere w6 w7", " ".join(WORDS)]


def double(family: str = "bert") -> LanguageModel:
    lm = tiny_model(family)
    lm.model.double()
    return lm


def one_at_a_time(lm: LanguageModel, texts: list[str], max_length: int) -> tuple[float, int]:
    """The sum of log P(token | all others), and how many tokens there are: a forward pass each."""
    special = set(lm.tokenizer.all_special_ids)
    total, tokens = 0.0, 0
    for window in windows(texts, lm.tokenizer, max_length):
        for place, token in enumerate(window):
            if token in special:
                continue
            ids = torch.tensor([window])
            ids[0, place] = lm.tokenizer.mask_token_id
            with torch.no_grad():
                logits = lm.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            total += logits[0, place].log_softmax(-1)[token].item()
            tokens += 1
    return total, tokens


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "distilbert"])
@pytest.mark.parametrize("micro_tokens", [1, 50, 10_000])
def test_many_copies_at_once_give_what_one_at_a_time_gives(family: str, micro_tokens: int) -> None:
    lm = double(family)
    total, tokens = one_at_a_time(lm, TEXTS, 12)
    found = pseudo_perplexity(lm, TEXTS, 12, micro_tokens, Quiet())
    assert found is not None and found.tokens == tokens
    assert found.a_token == pytest.approx(math.exp(-total / tokens), rel=1e-9)
    assert found.a_word == pytest.approx(math.exp(-total / sum(len(text.split()) for text in TEXTS)), rel=1e-9)


def test_a_long_text_is_read_in_pieces_and_none_of_it_is_lost() -> None:
    tokenizer = tiny_model().tokenizer
    before, after = special_ids(tokenizer)
    pieces = windows(TEXTS, tokenizer, 8)
    assert max(map(len, pieces)) == 8
    assert all(piece[: len(before)] == before and piece[-len(after) :] == after for piece in pieces)
    inner = [token for piece in pieces for token in piece[len(before) : -len(after)]]
    whole = [token for text in TEXTS for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
    assert inner == whole


def test_every_known_token_is_masked_once_and_alone() -> None:
    tokenizer = tiny_model().tokenizer
    batches = masked_copies(windows(TEXTS, tokenizer, 12), tokenizer, 40)
    masked = sum(int((batch.input_ids == tokenizer.mask_token_id).sum()) for batch in batches)
    copies = sum(len(batch.input_ids) for batch in batches)
    assert masked == copies == sum(len(batch.labels) for batch in batches) == 5 + 1 + 2 + len(WORDS)
    assert tokenizer.unk_token_id not in torch.cat([batch.labels for batch in batches])


def test_of_text_that_the_model_does_not_know_nothing_is_said() -> None:
    assert pseudo_perplexity(tiny_model(), ["nowhere", ""], 12, 100, Quiet()) is None


def test_a_model_that_has_diverged_has_none() -> None:
    lm = tiny_model()
    with torch.no_grad():
        for parameter in lm.model.parameters():
            parameter.fill_(math.nan)
    found = pseudo_perplexity(lm, TEXTS, 12, 100, Quiet())
    assert found is not None and found.a_token is found.a_word is None


def test_it_can_be_stopped() -> None:
    with pytest.raises(Stopped):
        pseudo_perplexity(tiny_model(), TEXTS, 12, 50, Recorder(stop_at=2))


# -- which texts -----------------------------------------------------------------------------------------------------


def test_the_sample_is_drawn_at_random_and_a_smaller_one_is_its_beginning() -> None:
    tokenizer = tiny_model().tokenizer
    texts = [f"w{number % 20} w{number // 20}" for number in range(100)]
    small, large = (sampled(texts, tokenizer, 12, read, 7) for read in (100, 1000))
    assert len(small) < len(large) < 100 and large[: len(small)] == small
    assert large == sampled(texts, tokenizer, 12, 1000, 7) != sampled(texts, tokenizer, 12, 1000, 8)
    assert large != texts[: len(large)]


@pytest.mark.parametrize("text", ["w1 " * 500, "w1" * 500, "w1 " + "x" * 500])
def test_only_the_beginning_of_a_long_text_is_read(text: str) -> None:
    (found,) = sampled([text], tiny_model().tokenizer, 32, 1, 7)
    assert text.startswith(found) and 0 < len(found) <= 400 and len(found.split()) <= 64


@pytest.mark.parametrize("steps", [60, 250, 2000])
def test_it_costs_a_few_percent_of_the_distillations(steps: int) -> None:
    """Of two of them, whatever the student's size: by multiplications, the teacher asked at every step."""
    lm = tiny_model()
    schedule = Schedule(distil_steps=steps, batch_tokens=8192)
    texts = [" ".join(WORDS[number % 7 :]) for number in range(2000)]
    read = windows(sampled(texts, lm.tokenizer, 32, copies_may_hold(schedule), 1), lm.tokenizer, 32)
    copies = Reading(sum(len(w) ** 2 for w in read), sum(len(w) ** 3 for w in read), sum(map(len, read)), 0)
    tokens = 2 * steps * schedule.batch_tokens
    learnt = Reading(tokens, tokens * 10, 0.15 * tokens, 0)
    teacher = lm.sizes
    for student in (teacher, replace(teacher, layers=1, hidden=16)):
        spent = sum(forward(lm.family, sizes, copies) for sizes in (teacher, student))
        whole = training(lm.family, student, learnt) + forward(lm.family, teacher, learnt)
        assert 0 < spent < 0.05 * whole
