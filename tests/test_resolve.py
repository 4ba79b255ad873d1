"""What `auto` becomes."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from core import recipe as recipes
from core.errors import InputError
from core.families import FAMILIES, Sizes
from core.recipe import Recipe
from core.resolve import adaptation_rate, learning_rate, resolve

BERT, XLM_R, *_ = FAMILIES
SIZES = Sizes(layers=12, hidden=768, heads=12, feed_forward=3072, vocabulary=1000, positions=512, types=2, tied=True)


def recipe(extra: str = "") -> Recipe:
    base = '[teacher]\nmodel = "x"\n[language]\ncode = "mlt"\n[corpus]\nsources = ["x.txt"]\n'
    return recipes.parse(base + extra)


def test_nothing_is_left_open() -> None:
    done = resolve(recipe(), BERT, SIZES)
    values = {
        **dataclasses.asdict(done.method),
        **dataclasses.asdict(done.schedule),
        **dataclasses.asdict(done.targets),
    }
    open_ones = {key for key, value in values.items() if value in ("auto", None)}
    # A coverage stands in for a size, a list of words is an extra; a learning rate is each stage's own, by the size
    # that it trains.
    assert open_ones == {"learning_rate", "vocabulary_coverage", "vocabulary_words"}
    assert (done.targets.layers, done.targets.attention_heads) == (12, 12)


def test_resolving_twice_changes_nothing() -> None:
    done = resolve(recipe("[targets]\nhidden_size = 320\n"), XLM_R, SIZES)
    assert done.targets.attention_heads == 5
    assert resolve(recipes.parse(recipes.to_toml(done)), XLM_R, SIZES) == done


def test_the_papers_preset_follows_the_paper() -> None:
    paper = recipe('[method]\npreset = "paper"\n[targets]\nhidden_size = 312\n')
    for family, layers in ((BERT, "last"), (XLM_R, "stride")):
        done = resolve(paper, family, SIZES)
        assert done.method.layer_selection == layers
        assert (done.method.hidden_reduction, done.method.kd_loss) == ("truncate", "mse")
        assert (done.method.vocabulary_order, done.targets.attention_heads) == ("last", 12)
        assert learning_rate(done.schedule.learning_rate, 10**6) == 5e-5


def test_what_the_recipe_says_stays() -> None:
    done = resolve(recipe('[method]\nlayer_selection = "first"\nkd_loss = "mse"\n'), BERT, SIZES)
    assert (done.method.layer_selection, done.method.kd_loss) == ("first", "mse")
    assert learning_rate(0.25, 10**9) == adaptation_rate(0.25, fresh_head=True) == 0.25


def test_large_students_learn_at_lower_rates() -> None:
    rates = [learning_rate("auto", size) for size in (10**5, 10**7, 10**8)]
    assert rates == sorted(rates, reverse=True) and len(set(rates)) == 3


def test_a_device_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"schedule\.device is 'cuda'") as caught:
        resolve(recipe('[schedule]\ndevice = "cuda"\n'), BERT, SIZES)
    assert "cpu" in caught.value.faults[0].hint
