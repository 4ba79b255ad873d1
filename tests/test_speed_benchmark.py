from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import resources
from benchmarks.speed.cost import Block, Way, multiplications, products
from benchmarks.speed.models import random_pair, renumbered, stage_sizes
from benchmarks.speed.page import race_table, tables
from benchmarks.speed.profiling import by_kind
from benchmarks.speed.race import reached
from benchmarks.speed.reference import reference
from benchmarks.speed.sides import OURS, REFERENCE, Task, measure_ours, measure_reference
from benchmarks.speed.step import SIDES
from benchmarks.speed.texts import LEAST, MOST, drawn_lengths, ids_of, joined, quantiles
from core.families.bert import FAMILY
from core.models import load_tokenizer

SAMPLE = Path(resources.__file__).parent / "sample"
MODEL, TEXT = SAMPLE / "teacher", SAMPLE / "texts" / "slk.txt"


@pytest.fixture
def as_before() -> Iterator[None]:
    was = torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.use_deterministic_algorithms(was)
    torch.utils.deterministic.fill_uninitialized_memory = filled


def task(side: str) -> Task:
    return Task(
        side=side,
        model=str(MODEL),
        text=str(TEXT),
        stage="layers",
        batch=2,
        steps=1,
        vocabulary=800,
        precision="float32",
        seed=1,
    )


def test_stages_have_the_papers_sizes() -> None:
    config = {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
    sizes = FAMILY.sizes({**config, "vocab_size": 119547, "max_position_embeddings": 512, "type_vocab_size": 2})
    whole, half = stage_sizes("layers", sizes)
    assert whole == sizes and (half.layers, half.hidden) == (6, 768)
    pruned, narrow = stage_sizes("hidden", sizes)
    assert (pruned.layers, pruned.feed_forward, pruned.hidden) == (6, 2048, 768)
    assert (narrow.feed_forward, narrow.hidden, narrow.heads) == (2048, 312, 12)


def test_lengths_spread_as_documents_do() -> None:
    lengths = drawn_lengths(1000, seed=3)
    found = quantiles(lengths)
    assert found["least"] == LEAST and found["most"] == MOST and 135 <= found["median"] <= 145
    assert lengths == drawn_lengths(1000, seed=3) != sorted(lengths)


def test_lines_are_joined_until_a_text_is_long_enough() -> None:
    tokenizer = load_tokenizer(MODEL)
    lines = [line for line in TEXT.read_text(encoding="utf-8").splitlines() if line][:200]
    texts = joined(lines, [60, 80, 70], tokenizer)
    assert [len(ids_of(text, tokenizer)) >= aim for text, aim in zip(texts, [60, 80, 70], strict=True)] == [True] * 3
    assert " ".join(lines).startswith(" ".join(texts))
    assert len(joined(lines, [60] * 1000, tokenizer)) < 1000


def test_tokens_that_went_become_others_and_lengths_stay() -> None:
    [text] = renumbered([np.array([0, 5, 9, 7])], kept=[0, 5, 6, 7], special=[0])
    assert text[0] == 0 and text[1] == 1 and text[3] == 3 and text[2] in (1, 2, 3)


def test_multiplications_are_those_of_the_matrix_products_and_attention() -> None:
    pair = random_pair(MODEL, "layers", seed=1)
    block = Block(rows=2, width=50, tokens=80, squares=2 * 40**2, masked=12)
    way = Way(everywhere=True, hidden_states=False, all_logits=True)
    counted = sum(times * a * b * c for (a, b, c), times in products(pair, [block], way).items())
    attention = sum(
        times * 2 * 2 * 50**2 * lm.sizes.layers * lm.sizes.hidden
        for lm, times in ((pair.teacher, 1), (pair.student, 3))
    )
    assert multiplications(pair, [block], way, padding=True) == pytest.approx(counted + attention, rel=0.01)
    assert multiplications(pair, [block], way, padding=False) < counted


def test_the_references_loss_is_half_text_half_teacher() -> None:
    pair = random_pair(MODEL, "layers", seed=1)
    texts = [np.arange(20, 60), np.arange(30, 40)]
    torch.manual_seed(2)
    before = [parameter.detach().clone() for parameter in pair.student.model.parameters()]
    loss = reference(pair, bfloat16=False).step(texts)
    assert any(not torch.equal(*two) for two in zip(before, pair.student.model.parameters(), strict=True))
    # Random models say all tokens alike: the text's part is the logarithm of the vocabulary.
    assert loss == pytest.approx(0.5 * np.log(pair.student.sizes.vocabulary), rel=0.15)


@pytest.mark.usefixtures("as_before")
def test_both_sides_are_measured_on_the_same_tokens() -> None:
    theirs, ours = measure_reference(task(REFERENCE)), measure_ours(task("defaults"), OURS["defaults"])
    assert theirs["texts"] == ours["texts"] and ours["vocabulary"] == 800 < theirs["vocabulary"]
    assert ours["tokens"] % theirs["tokens"] == 0 and ours["tokens"] == pytest.approx(8192, rel=0.05)
    assert theirs["padding"] > ours["padding"] and ours["tokens_per_second"] > 0
    found: dict[str, Any] = {"kind": "step", **dict.fromkeys(("model", "text", "stage"), "x"), "precision": "float32"}
    text = tables([{**found, "batch": 2, "sides": {REFERENCE: theirs, "defaults": ours}}])
    assert text.count("\n| x, x | ") == 3


def test_every_side_can_be_asked_for() -> None:
    assert (REFERENCE, *OURS) == SIDES


def test_time_goes_to_the_kind_of_work_that_it_is_inside_of() -> None:
    def event(name: str, micro: float, above: Any = None, shapes: Any = ()) -> Any:
        return SimpleNamespace(name=name, self_cpu_time_total=1e6 * micro, cpu_parent=above, input_shapes=shapes)

    step = event("Optimizer.step#AdamW.step", 1)
    events = [
        step,
        event("aten::mul_", 1, step),
        event("aten::addmm", 3),
        event("aten::sub", 2, shapes=[[7, 50], [7, 50]]),
        event("aten::add", 1, shapes=[[7, 20]]),
    ]
    found = {kind: one["seconds"] for kind, one in by_kind(events, 10, vocabulary=50).items()}
    assert found == {
        "matrix products": 3,
        "softmax and loss": 2,
        "optimiser": 2,
        "sums and products by element": 1,
        "Python, dispatch and all else": 2,
    }


def test_a_race_is_won_at_the_first_validation_that_is_as_low() -> None:
    def side(*points: tuple[float, float]) -> dict[str, Any]:
        rest = {"step": 1, "tokens": 9, "accuracy": 1.0}
        return {"curve": [{"seconds": seconds, "loss": loss, **rest} for seconds, loss in points], "layers": [0]}

    theirs, ours = side((0, 9), (100, 6)), side((20, 8), (25, 6), (30, 5))
    found = reached(theirs, ours)
    assert found is not None and found["seconds"] == 25 and found["times_sooner"] == 4
    assert reached(theirs, side((20, 8))) is None
    about = {"threads": 1, "teacher_loss": 5, "validation": {"tokens": 1, "places": 1}, "parts": {"steps": 1.0}}
    told = {"model": "m", "text": "t", "precision": "float32", "compared": "So."}
    result = {**told, "reference": theirs, "ours": {**ours, **about, "vocabulary": 9, "learning_rate": 1e-3}}
    assert "| ours, when it is there | 6.000 |" in race_table({**result, "reached": found})
    assert "| ours is never there |" in race_table({**result, "reached": None})
