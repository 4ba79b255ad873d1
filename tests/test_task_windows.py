"""Texts that are longer than a window: every token is read, and the gradient is that of the whole text."""

from __future__ import annotations

import dataclasses
import random

import pytest
import tiny_tasks
import torch

from core.context import Quiet
from core.tasks import training
from core.tasks.encoding import encode, unit_features, unit_vectors, window_length
from core.tasks.examples import TextExample
from core.tasks.kinds import METHODS
from core.tasks.learners import Frozen
from core.tasks.probe import LiveProbe
from core.tasks.training import train_and_score

TOY = tiny_tasks.tokenizer()


def text(count: int, seed: int = 0) -> TextExample:
    return TextExample(" ".join(random.Random(seed).choices(tiny_tasks.WORDS, k=count)), "a")


def windows(count: int, max_length: int = 10) -> list[int]:
    """Tokens, without the special ones, of each window of a text of `count` words."""
    (item,) = encode([text(count)], TOY, max_length).items
    return [len(window.ids) - 2 for window in item]


def test_a_long_text_is_parted_evenly_and_no_token_is_lost() -> None:
    assert [windows(count) for count in (1, 8, 9, 16, 17, 50)] == [
        [1], [8], [5, 4], [8, 8], [6, 6, 5], [8, 7, 7, 7, 7, 7, 7],
    ]  # fmt: skip
    encoded = encode([text(50), text(3), TextExample("\x07", "b")], TOY, 10)
    ids = [[token for window in item for token in window.ids[1:-1]] for item in encoded.items]
    assert ids == [TOY(text(n).text, add_special_tokens=False)["input_ids"] for n in (50, 3)] + [[]]
    assert all((window.ids[0], window.ids[-1]) == (2, 3) for window in encoded.windows)
    assert encoded.lengths == (1, 1, 1)
    assert encoded.sizes == (50 + 2 * 7, 5, 2)


def test_cut_keeps_the_first_window_full() -> None:
    encoded = encode([text(50), text(3)], TOY, 10, cut=True)
    assert [len(window.ids) for window in encoded.windows] == [10, 5]
    assert list(encoded.windows[0].ids[1:-1]) == TOY(text(50).text, add_special_tokens=False)["input_ids"][:8]


def test_all_windows_of_a_text_are_in_one_batch() -> None:
    examples = [text(count, count) for count in (3, 40, 9, 8, 70, 1, 17, 5)]
    encoded = encode(examples, TOY, 10)
    batches = list(encoded.batches(range(len(examples)), 40, "cpu"))
    assert sorted(unit for batch in batches for unit in batch.units.tolist()) == list(range(len(examples)))
    for batch in batches:
        assert batch.owners.tolist() == sorted(batch.owners.tolist())
        parts = torch.bincount(batch.owners).tolist()
        assert parts == [len(encoded.items[unit]) for unit in batch.units.tolist()]
        assert batch.input_ids.numel() <= 40 or len(batch.units) == 1


def test_a_long_text_is_the_mean_over_all_its_tokens() -> None:
    lm = tiny_tasks.tiny_model(positions=12)
    examples = [text(30, 1), text(4, 2), text(100, 3)]
    encoded = encode(examples, lm.tokenizer, window_length(lm))
    assert [len(item) for item in encoded.items] == [3, 1, 10]
    expected = []
    for item in encoded.items:
        with torch.no_grad():
            states = [lm.hidden_states(torch.tensor([w.ids]), torch.ones(1, len(w.ids)))[0] for w in item]
        expected.append(torch.cat(states).mean(0))
    for tokens in (1, 30, 10_000):
        torch.testing.assert_close(unit_features(lm, encoded, tokens, Quiet()), torch.stack(expected))


def test_a_short_text_is_what_it_was_to_the_bit() -> None:
    lm = tiny_tasks.tiny_model()
    encoded = encode([text(count, count) for count in (3, 9, 20, 5)], lm.tokenizer, window_length(lm))
    (batch,) = encoded.batches(range(4), 1000, "cpu")
    with torch.no_grad():
        hidden = lm.hidden_states(batch.input_ids, batch.attention_mask)
        mask = batch.attention_mask.unsqueeze(-1).to(hidden.dtype)
        assert torch.equal(batch.features(hidden), (hidden * mask).sum(1) / mask.sum(1))
        assert torch.equal(unit_vectors(lm, batch, 1000, Quiet()), batch.features(hidden))


@pytest.mark.parametrize(("dropout", "tokens"), [(False, 12), (False, 24), (False, 1000), (True, 12)])
def test_a_text_in_parts_has_the_gradient_of_the_whole(dropout: bool, tokens: int) -> None:
    """With dropout too, where a part is a window: what is computed a second time drops the same."""
    lm = tiny_tasks.tiny_model(positions=12)
    lm.model.train(dropout)
    (batch,) = encode([text(60, 4)], lm.tokenizer, window_length(lm)).batches([0], 1000, "cpu")
    assert len(batch.input_ids) == 6
    torch.manual_seed(0)
    rows = [lm.hidden_states(ids[None], mask[None])[0][mask == 1]
            for ids, mask in zip(batch.input_ids, batch.attention_mask, strict=True)]  # fmt: skip
    torch.cat(rows).mean(0).square().sum().backward()
    expected = {name: p.grad.clone() for name, p in lm.model.named_parameters() if p.grad is not None}
    lm.model.zero_grad()
    torch.manual_seed(0)
    unit_vectors(lm, batch, tokens, Quiet()).square().sum().backward()
    assert len(expected) > 10
    for name, parameter in lm.model.named_parameters():
        if name in expected:
            torch.testing.assert_close(parameter.grad, expected[name])


def test_micro_batches_of_long_texts_do_not_change_the_gradient() -> None:
    rng = random.Random(1)
    data = tiny_tasks.toy_task()
    train = tuple(TextExample(text(rng.randint(1, 60), seed).text, example.label)
                  for seed, example in enumerate(data.train))  # fmt: skip
    data = dataclasses.replace(data, train=train)
    model = training.learner(
        tiny_tasks.tiny_model(positions=12),
        data,
        method="full",
        reduction_factor=2,
        seed=1,
        device="cpu",
        ctx=Quiet(),
        frozen=Frozen(),
    ).eval()
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(1))
    split = model.prepare(data.train)
    targets = torch.tensor([data.labels.index(example.label) for example in data.train])
    gradients = []
    for tokens in (12, 50, 10_000):
        model.micro_batch_tokens = tokens
        model.zero_grad()
        training._accumulate_gradient(model, split, [0, 3, 7, 8, 9], targets, Quiet())
        gradients.append([parameter.grad.clone() for parameter in model.encoder.parameters()])
    for one, *others in zip(*gradients, strict=True):
        for other in others:
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("method", METHODS)
def test_what_stands_late_in_a_text_is_learnt(method: str) -> None:
    """The first window of every text is the same; only what follows tells the labels apart."""
    data = tiny_tasks.toy_task()
    filler = " ".join(["w0", "w10"] * 5)

    def late(split: tuple[TextExample, ...]) -> tuple[TextExample, ...]:
        return tuple(TextExample(f"{filler} {' '.join([e.text] * 3)}", e.label) for e in split)

    data = dataclasses.replace(data, train=late(data.train), validation=late(data.validation), test=late(data.test))
    rate = {"adapter": 5e-3, "full": 3e-3, "probe": 5e-2}[method]
    result = train_and_score(
        tiny_tasks.tiny_model(positions=12), data, method=method, seed=1, epochs=4, patience=4, learning_rate=rate,
        batch_size=8, reduction_factor=2, ctx=Quiet(),
    )  # fmt: skip
    assert result.scores["macro_f1"] > 85


def test_the_live_probe_reads_no_more_than_a_window_of_a_text() -> None:
    data = tiny_tasks.toy_task()
    long = tuple(TextExample(" ".join([e.text] * 50), e.label) for e in data.train)
    probe = LiveProbe(dataclasses.replace(data, train=long), TOY, 12)
    assert sum(probe._encoded.sizes) <= 12 * (len(data.train) + len(data.validation))
