"""What `auto` becomes."""

from __future__ import annotations

import dataclasses
import re

import pytest
import torch

from core import recipe as recipes
from core.errors import InputError
from core.families import FAMILIES, Sizes
from core.recipe import Recipe, parse, preset_values, settings
from core.recipe_text import reasons_in, to_toml
from core.resolve import CHOICES, OURS, PAPER, adaptation_rate, choices, explained, learning_rate, resolve

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
    assert resolve(recipes.parse(to_toml(done)), XLM_R, SIZES) == done


def test_the_papers_preset_follows_the_paper() -> None:
    paper = recipe('[method]\npreset = "paper"\n[targets]\nhidden_size = 312\n')
    for family, layers in ((BERT, "last"), (XLM_R, "stride")):
        done = resolve(paper, family, SIZES)
        assert done.method.layer_selection == layers
        assert (done.method.hidden_reduction, done.method.kd_loss) == ("truncate", "mse")
        assert (done.method.vocabulary_order, done.targets.attention_heads) == ("last", 12)
        assert learning_rate(done.schedule.learning_rate, 10**6) == 5e-5


def test_every_choice_of_the_paper_is_the_papers() -> None:
    method = resolve(recipe('[method]\npreset = "paper"\n[targets]\nhidden_size = 120\n'), BERT, SIZES).method
    assert (method.feed_forward_score, method.mean_folding, method.dropout) == ("first_order", "off", "on")
    assert (method.distil_after, method.distil_from, method.rounds) == ("each", "previous", 1)
    assert (method.hidden_weight, method.alpha, method.vocabulary_frequency) == (0.0, 0.5, "document")
    schedule = resolve(recipe('[method]\npreset = "paper"\n'), BERT, SIZES).schedule
    assert (schedule.learning_rate, schedule.decay, schedule.warmup_fraction, schedule.patience) == (
        5e-5,
        "linear",
        0.0,
        0,
    )


@pytest.mark.parametrize("preset", ["paper", "fast", "balanced", "best"])
def test_the_table_knows_every_key_that_can_be_left_open(preset: str) -> None:
    machine = {"schedule.device", "schedule.precision", "schedule.threads"}
    opened = {
        f"{table}.{entry.name}"
        for table, kind in (("method", recipes.Method), ("schedule", recipes.Schedule))
        for entry in dataclasses.fields(kind)
        if entry.default == "auto"
    }
    assert opened == CHOICES.keys() | machine
    assert all({PAPER, OURS} <= by_preset.keys() for by_preset in CHOICES.values())
    given = recipe(f'[method]\npreset = "{preset}"\n[targets]\nhidden_size = 120\n')
    picks = choices(given.method.preset, BERT)
    done = resolve(given, BERT, SIZES)
    assert parse(to_toml(done)) == done, "the table holds what a recipe may say"
    assert all(settings(done)[key] == pick.value for key, pick in picks.items() if key not in preset_values(preset))
    assert all(re.fullmatch(r"[A-Z].*[a-z]\.", pick.reason) for pick in picks.values())


def test_a_preset_says_nothing_else_than_the_table() -> None:
    paper = choices("paper", BERT)
    agreeing = preset_values("paper").keys() & paper.keys()
    assert agreeing == {"method.hidden_reduction"}
    assert all(preset_values("paper")[key] == paper[key].value for key in agreeing)


# -- reasons ---------------------------------------------------------------------------------------------------------


def test_whatever_was_left_open_has_its_reason() -> None:
    given = recipe('[method]\npreset = "fast"\nkd_loss = "mse"\n[targets]\nhidden_size = 320\nlayers = 6\n')
    done, reasons = explained(given, BERT, SIZES)
    before, after = settings(given), settings(done)
    changed = {key for key in before if before[key] != after[key]}
    assert reasons.keys() == changed | {"schedule.distil_steps", "schedule.learning_rate"}
    assert "method.kd_loss" not in reasons and "targets.layers" not in reasons
    assert "heads" in reasons["targets.attention_heads"]
    assert reasons["schedule.distil_steps"] == "From the preset fast."


def test_the_reasons_stand_above_their_values_and_read_back() -> None:
    done, reasons = explained(recipe('[method]\npreset = "paper"\n'), BERT, SIZES)
    text = to_toml(done, reasons)
    assert parse(text) == done
    assert reasons_in(text) == reasons
    assert '\n# The paper keeps the first units of every weight.\nhidden_reduction = "truncate"\n' in text
    assert reasons_in(to_toml(done)) == {}


def test_values_are_no_reasons() -> None:
    odd = dataclasses.replace(recipe(), teacher=recipes.Teacher(model="x\u2028# no reason\u2028y = 1"))
    assert reasons_in(to_toml(odd)) == {}
    assert reasons_in(to_toml(odd, {"method.alpha": "Why."})) == {"method.alpha": "Why."}


def test_resolving_what_is_resolved_has_nothing_to_say_of_it() -> None:
    done, _ = explained(recipe("[targets]\nhidden_size = 320\n"), XLM_R, SIZES)
    again, reasons = explained(parse(to_toml(done)), XLM_R, SIZES)
    assert again == done
    assert reasons.keys() == {"schedule.learning_rate", "schedule.distil_steps"}


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
