"""Encoding, training with each method, and the live probe."""

import dataclasses
import random

import pytest
import tiny_tasks
import torch

from core.context import Quiet
from core.errors import Stopped
from core.tasks import training
from core.tasks.data import TaskData, TextExample, TokenExample
from core.tasks.encoding import encode, special_ids, unit_features, window_length
from core.tasks.kinds import METHODS
from core.tasks.learners import Frozen
from core.tasks.probe import LiveProbe, ridge_scores
from core.tasks.training import shuffled_batches, train_and_score

RATES = {"adapter": 5e-3, "full": 3e-3, "probe": 5e-2}


def run(data: TaskData, method: str = "adapter", lm=None, **changes):
    values = dict(seed=1, epochs=4, patience=4, learning_rate=RATES[method], batch_size=8, reduction_factor=2)
    return train_and_score(lm or tiny_tasks.tiny_model(), data, method=method, ctx=Quiet(), **(values | changes))


def shuffled_labels(data: TaskData) -> TaskData:
    rng = random.Random(4)
    splits = {}
    for name in ("train", "validation", "test"):
        examples = getattr(data, name)
        labels = rng.sample([example.label for example in examples], len(examples))
        splits[name] = tuple(TextExample(e.text, label) for e, label in zip(examples, labels, strict=True))
    return dataclasses.replace(data, **splits)


# Encoding


def test_texts_are_framed() -> None:
    toy = tiny_tasks.tokenizer()
    encoded = encode([TextExample("w3 w4", "a"), TextExample("w1", "b"), TextExample("\x07", "b")], toy, 10)
    assert [window.ids for window in encoded.windows] == [(2, 8, 9, 3), (2, 6, 3), (2, 3)]
    assert encoded.lengths == (1, 1, 1)
    assert special_ids(toy) == ((2,), (3,))


def test_a_token_is_read_off_its_first_sub_token() -> None:
    encoded = encode([TokenExample(("w1", "longer", "w2"), ("A", "B", "C"))], tiny_tasks.tokenizer(), 10)
    assert [(w.ids, w.units, w.positions) for w in encoded.windows] == [((2, 6, 25, 26, 7, 3), (0, 1, 2), (1, 2, 4))]


def test_a_token_without_sub_tokens_is_unknown() -> None:
    tokens = ("\x07", "w1", "\u200b", " ", "?")
    encoded = encode([TokenExample(tokens, ("A",) * 5)], tiny_tasks.tokenizer(), 10)
    assert [(w.ids, w.positions) for w in encoded.windows] == [((2, 1, 6, 1, 1, 1, 3), (1, 2, 3, 4, 5))]


@pytest.mark.parametrize("max_length", [3, 4, 7, 12, 32])
def test_every_token_of_a_long_sentence_is_read_once(max_length: int) -> None:
    rng = random.Random(max_length)
    vocabulary = [*tiny_tasks.WORDS, "longer", "long" + "er" * 40]
    examples = [TokenExample(tuple(rng.choices(vocabulary, k=k)), ("A",) * k) for k in (1, 40, 3, 200)]
    encoded = encode(examples, tiny_tasks.tokenizer(), max_length)
    assert encoded.lengths == (1, 40, 3, 200)
    assert [unit for window in encoded.windows for unit in window.units] == list(range(244))
    tokens = [token for example in examples for token in example.tokens]
    first = dict(zip(vocabulary, [*range(5, 25), 25, 25], strict=True))
    for window in encoded.windows:
        assert len(window.ids) <= max_length
        assert (window.ids[0], window.ids[-1]) == (2, 3)
        assert [window.ids[position] for position in window.positions] == [first[tokens[unit]] for unit in window.units]


def test_later_windows_begin_with_what_came_before() -> None:
    words = tuple(tiny_tasks.WORDS[:12])
    encoded = encode([TokenExample(words, ("A",) * 12)], tiny_tasks.tokenizer(), 10)
    assert [window.ids[1:-1] for window in encoded.windows] == [tuple(range(5, 13)), tuple(range(11, 17))]
    assert [window.units for window in encoded.windows] == [tuple(range(8)), tuple(range(8, 12))]


def test_batches_hold_every_window_once_within_the_budget() -> None:
    encoded = encode(tiny_tasks.toy_task().train, tiny_tasks.tokenizer(), 32)
    batches = list(encoded.batches(range(len(encoded.windows)), 40, "cpu"))
    assert sorted(unit for batch in batches for unit in batch.units.tolist()) == list(range(96))
    assert all(batch.input_ids.numel() <= 40 for batch in batches)
    assert all((batch.input_ids[batch.attention_mask == 0] == 0).all() for batch in batches)
    assert all(batch.attention_mask[0].all() for batch in batches)


@pytest.mark.parametrize("kind", ["topic", "pos"])
def test_features_do_not_depend_on_batches(kind: str) -> None:
    lm = tiny_tasks.tiny_model()
    encoded = encode(tiny_tasks.toy_task(kind).train, lm.tokenizer, window_length(lm))
    alone, together = (unit_features(lm, encoded, tokens, Quiet()) for tokens in (1, 10_000))
    torch.testing.assert_close(alone, together)
    hidden = lm.hidden_states(torch.tensor([encoded.windows[5].ids]), torch.ones(1, len(encoded.windows[5].ids)))[0]
    if kind == "topic":
        torch.testing.assert_close(alone[5], hidden.mean(0))
    else:
        torch.testing.assert_close(alone[list(encoded.windows[5].units)], hidden[1:-1])


def test_random_batches_hold_everything_once_and_like_sizes() -> None:
    sizes = [index % 7 for index in range(100)]
    batches = list(shuffled_batches(sizes, 8, random.Random(1)))
    assert sorted(index for batch in batches for index in batch) == list(range(100))
    assert batches == list(shuffled_batches(sizes, 8, random.Random(1)))
    assert batches != list(shuffled_batches(sizes, 8, random.Random(2)))
    assert sum(max(sizes[i] for i in batch) - min(sizes[i] for i in batch) for batch in batches) <= len(batches) * 2


# Training


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["topic", "pos"])
def test_a_toy_task_is_learnt(method: str, kind: str) -> None:
    data = tiny_tasks.toy_task(kind)
    result = run(data, method)
    assert next(iter(result.scores.values())) > 90
    assert result.validation > 90
    right = [example.label if kind == "topic" else example.tags for example in data.test]
    assert sum(given == gold for given, gold in zip(result.predictions, right, strict=True)) > 50


@pytest.mark.parametrize("method", METHODS)
def test_seeds_reproduce_and_differ(method: str) -> None:
    data = shuffled_labels(tiny_tasks.toy_task())
    state = torch.random.get_rng_state()
    results = []
    for seed in (1, 1, 2):
        torch.rand(3)
        results.append(run(data, method, seed=seed, epochs=2))
    assert results[0] == results[1]
    assert results[0] != results[2]
    torch.random.set_rng_state(state)
    run(data, method, epochs=1)
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("method", METHODS)
def test_the_model_and_its_tokenizer_stay_as_they_were(method: str) -> None:
    lm = tiny_tasks.tiny_model()
    lm.model.train()
    before, toy = tiny_tasks.tensors(lm), lm.tokenizer.backend_tokenizer.to_str()
    run(tiny_tasks.toy_task("pos"), method, lm, epochs=1)
    assert tiny_tasks.same(before, lm)
    assert lm.model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in lm.model.parameters())
    assert lm.tokenizer.backend_tokenizer.to_str() == toy


class StopAfter(Quiet):
    def __init__(self, count: int) -> None:
        self.left = count

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Stopped


@pytest.mark.parametrize("method", METHODS)
def test_a_stop_leaves_everything_as_it_was(method: str) -> None:
    lm = tiny_tasks.tiny_model()
    before, state = tiny_tasks.tensors(lm), torch.random.get_rng_state()
    with pytest.raises(Stopped):
        train_and_score(
            lm, tiny_tasks.toy_task(), method=method, seed=1, epochs=2, patience=2, learning_rate=None, batch_size=None,
            reduction_factor=None, ctx=StopAfter(2),
        )  # fmt: skip
    assert tiny_tasks.same(before, lm)
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(("method", "changing"), [("adapter", (".down.", ".up.", "head.")), ("probe", ("head.",))])
def test_only_what_should_train_changes(
    method: str, changing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    learners = []
    make = training.learner

    def remember(*args, **values):
        model = make(*args, **values)
        learners.append((model, {name: value.clone() for name, value in model.state_dict().items()}))
        return model

    monkeypatch.setattr(training, "learner", remember)
    run(tiny_tasks.toy_task(), method, epochs=2)
    ((model, before),) = learners
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) != any(part in name for part in changing), name


def test_full_training_changes_the_whole_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = tiny_tasks.tiny_model()
    learners = []
    make = training.learner
    monkeypatch.setattr(training, "learner", lambda *a, **v: learners.append(make(*a, **v)) or learners[-1])
    run(tiny_tasks.toy_task(), "full", lm, epochs=1)
    before = lm.model.get_submodule("bert").state_dict()
    after = learners[0].encoder.state_dict()
    assert [name for name in before if torch.equal(before[name], after[name])] == ["embeddings.position_ids"] * (
        "embeddings.position_ids" in before
    )


def fake_scores(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    left = iter(values)
    monkeypatch.setattr(training, "main_score", lambda kind, gold, given: next(left))


def test_the_first_of_equal_epochs_wins_and_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_scores(monkeypatch, [10, 30, 20, 30, 29, 99])
    result = run(tiny_tasks.toy_task(), "probe", epochs=10, patience=3)
    assert (result.best_epoch, result.epochs, result.validation) == (2, 5, 30)


def test_the_best_epoch_is_what_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    data = shuffled_labels(tiny_tasks.toy_task())
    seen = []
    predict = training._predict

    def remember(*args):
        seen.append(predict(*args))
        return seen[-1]

    monkeypatch.setattr(training, "_predict", remember)
    fake_scores(monkeypatch, [1, 9, 2, 3])
    # All three splits alike: what the best epoch says of validation, it must say of test.
    result = run(dataclasses.replace(data, validation=data.test), "adapter", epochs=4)
    assert len(seen) == 5
    assert list(result.predictions) == seen[1]
    assert seen[1] != seen[3]


def test_the_test_split_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny_tasks.toy_task()
    seen = []
    predict = training._predict
    monkeypatch.setattr(training, "_predict", lambda *args: seen.append(args[2]) or predict(*args))
    run(data, "adapter", epochs=3)
    assert [examples is data.test for examples in seen] == [False, False, False, True]


def test_micro_batches_do_not_change_the_gradient() -> None:
    data = tiny_tasks.toy_task("pos")
    model = training.learner(
        tiny_tasks.tiny_model(),
        data,
        method="full",
        reduction_factor=2,
        seed=1,
        device="cpu",
        ctx=Quiet(),
        frozen=Frozen(),
    ).eval()
    split = model.prepare(data.train)
    targets = torch.tensor([data.labels.index(tag) for example in data.train for tag in example.tags])
    gradients = []
    for tokens in (16, 10_000):
        model.micro_batch_tokens = tokens
        model.zero_grad()
        training._accumulate_gradient(model, split, [0, 3, 7, 8, 9], targets, Quiet())
        gradients.append([parameter.grad.clone() for parameter in model.encoder.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_long_sentences_get_a_prediction_for_every_token() -> None:
    data = tiny_tasks.toy_task("pos")
    words = tuple(random.Random(2).choices(tiny_tasks.WORDS, k=90))
    long = TokenExample(words, tuple("ABC"[tiny_tasks.WORDS.index(word) % 3] for word in words))
    result = run(dataclasses.replace(data, test=(long, *data.test)), "full", tiny_tasks.tiny_model(positions=12))
    assert [len(tags) for tags in result.predictions] == [90, *(len(example.tags) for example in data.test)]
    assert result.scores["accuracy"] > 90
    assert result.scores["f1"] == pytest.approx(result.scores["accuracy"])


# The live probe


@pytest.mark.parametrize("kind", ["topic", "pos"])
def test_the_live_probe_learns_and_repeats_itself(kind: str) -> None:
    lm = tiny_tasks.tiny_model()
    lm.model.train()
    state, before = torch.random.get_rng_state(), tiny_tasks.tensors(lm)
    probe = LiveProbe(tiny_tasks.toy_task(kind), lm.tokenizer, window_length(lm))
    first = probe(lm)
    assert first > 85
    assert first == probe(lm) == LiveProbe(tiny_tasks.toy_task(kind), lm.tokenizer, window_length(lm))(lm)
    assert lm.model.training
    assert tiny_tasks.same(before, lm)
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_live_probe_never_sees_the_test_split() -> None:
    lm = tiny_tasks.tiny_model()
    data = shuffled_labels(tiny_tasks.toy_task())
    without = dataclasses.replace(data, test=())
    assert LiveProbe(data, lm.tokenizer, 32)(lm) == LiveProbe(without, lm.tokenizer, 32)(lm)


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_the_live_probe_survives_a_dead_model(value: float) -> None:
    lm = tiny_tasks.tiny_model()
    with torch.no_grad():
        for parameter in lm.model.parameters():
            parameter.fill_(value)
    assert 0 <= LiveProbe(tiny_tasks.toy_task(), lm.tokenizer, 32)(lm) < 60


def test_the_live_probe_can_be_stopped() -> None:
    lm = tiny_tasks.tiny_model()
    with pytest.raises(Stopped):
        LiveProbe(tiny_tasks.toy_task(), lm.tokenizer, 32)(lm, StopAfter(0))


def test_ridge_solves_the_weighted_problem() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(40, 5, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0] * 30 + [1] * 10)
    targets = torch.nn.functional.one_hot(labels, 2).double()
    scores = ridge_scores(features, targets, features)
    weight = torch.where(labels == 0, 30.0, 10.0).double() ** -0.5
    weight /= weight.sum()
    mean = weight @ features
    penalty = 0.03 * (weight @ (features - mean) ** 2).mean()
    extended = torch.cat([features - mean, torch.ones(40, 1)], dim=1)
    gram = extended.T @ (weight[:, None] * extended) + torch.diag(torch.tensor([*[penalty] * 5, 0.0]))
    expected = extended @ torch.linalg.solve(gram, extended.T @ (weight[:, None] * targets))
    torch.testing.assert_close(scores, expected)
    torch.testing.assert_close(scores.sum(-1), torch.ones(40, dtype=torch.float64))
