"""What a run will take: counted by hand, and held against what the stages themselves do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import build

from core import learning, stages, workspace
from core.analysis import lessons as taught_by
from core.analysis import work
from core.analysis.amounts import Amounts, amounts
from core.analysis.duration import Calibration, Interval, Speed, fingerprint, of_run, predict, step_settings
from core.analysis.lessons import Profile, Taught, lessons, step_work
from core.analysis.preview import recipe_sizes
from core.analysis.size import Estimate
from core.analysis.work import Part, layer_passes, parts, trial_steps
from core.compression import measured_layers
from core.compression.layers import cut_layers
from core.context import Quiet
from core.corpus import prepare
from core.distillation import data, trials
from core.families import Family, family_of
from core.recipe import Recipe, parse
from core.resolve import settled
from core.teachers import known_teacher
from core.vocabulary import trimming

RECIPE = """
[teacher]
model = "xlm-roberta-base"
[language]
code = "mlt"
[corpus]
sources = ["sample"]
[targets]
layers = 6
intermediate_size = 2048
hidden_size = 384
vocabulary_size = 40000
[schedule]
distil_steps = 1000
[[tasks]]
kind = "topic"
source = "sample"
seeds = [1, 2]
"""
PROFILE = Profile(token_bytes=4.0, text_bytes=200.0, attended=50.0)


def case(text: str = RECIPE) -> tuple[Recipe, Family, Estimate]:
    known = known_teacher("xlm-roberta-base")
    assert known is not None
    family = family_of(known.config)
    recipe = settled(parse(text), family)
    return recipe, family, recipe_sizes(known.config, recipe, recipe.targets.vocabulary_size)


def calibration(recipe: Recipe, sizes: Estimate, **others: Any) -> Calibration:
    one = Calibration(
        origin="steps", settings=step_settings(recipe, sizes), recipe="", speeds={"hidden": Speed(1e-11, 2e-11, 0.0)},
        update=1e-9, read=1e-7, tokenise=1e-7, profile=PROFILE, memory=5e8, ratios={},
    )  # fmt: skip
    return replace(one, **others)


def predicted(text: str = RECIPE, **others: Any) -> Any:
    recipe, family, sizes = case(text)
    return predict(recipe, family, sizes, amounts(recipe, Path()), calibration(recipe, sizes, **others))


def spread(found: Interval) -> float:
    return found.high / found.low


# -- what is counted -------------------------------------------------------------------------------------------------


def test_a_step_is_what_its_matrices_multiply() -> None:
    recipe, family, sizes = case()
    student = replace(sizes.teacher.sizes, layers=1, hidden=2, heads=1, feed_forward=3, vocabulary=11)
    teacher = replace(student, layers=2, hidden=4, feed_forward=5)
    text = replace(PROFILE, attended=7.0)

    theirs, ours = step_work(family, Taught("hidden", 1, student, teacher), recipe, text, 100)
    # Matrices, biases and LayerNorms of a layer; 30 masked tokens; KL wants logits of both.
    layer = {2: 4 * 4 + 4 * 2 + 2 * 2 + 2 * 6 + 3 + 2 + 2 * 2, 4: 4 * 16 + 4 * 4 + 2 * 4 + 2 * 20 + 5 + 4 + 2 * 4}
    head = {2: 30 * 4 + 60 * 22, 4: 30 * 16 + 30 * 44}
    states = 3 * 1 * 100 * 2 * 4
    assert theirs == 2 * 100 * layer[4] + 2 * 700 * 2 * 4 + head[4]
    assert ours == 3 * (100 * layer[2] + 2 * 700 * 1 * 2 + head[2]) + states


def test_the_papers_distance_takes_grams_where_they_pay() -> None:
    recipe, family, sizes = case(RECIPE + '[method]\npreset = "paper"\n')
    (one, *_) = lessons(recipe, sizes)
    few, many = (sum(step_work(family, one, recipe, PROFILE, tokens)) / tokens for tokens in (100, 100_000))
    assert many < few / 3


def test_presets_distil_once_or_twice() -> None:
    recipe, _, sizes = case()
    student, teacher = sizes.student.sizes, sizes.stages[0].size.sizes
    assert lessons(recipe, sizes) == [Taught("hidden", 2000, student, teacher)]

    recipe, _, sizes = case(RECIPE + '[method]\npreset = "paper"\n')
    after = {stage.name: stage.size.sizes for stage in sizes.stages}
    first, second = lessons(recipe, sizes)
    assert first == Taught("layers", 1000, after["layers"], sizes.teacher.sizes)  # the vocabulary goes last
    assert second == Taught("hidden", 1000, after["hidden"], after["feed_forward"])

    recipe, _, sizes = case(RECIPE.replace("layers = 6\nintermediate_size = 2048\nhidden_size = 384\n", ""))
    assert lessons(recipe, sizes) == []


@pytest.mark.parametrize(("layers", "kept"), [(4, 1), (4, 2), (4, 3), (12, 6)])
def test_measured_sets_take_as_many_passes_as_counted(layers: int, kept: int) -> None:
    lm = build("bert", tied=True)
    lm = cut_layers(lm, [number % 4 for number in range(layers)]) if layers > 4 else lm
    blocks = [lm.module(lm.family.layer.format(layer=layer)) for layer in range(layers)]
    passes = []
    for block in blocks:
        block.register_forward_hook(lambda *_: passes.append(1))
    batch = _batch()
    measured_layers.measured_layers(lm, kept, [batch], Quiet())
    counted = layer_passes(layers, kept)[0]
    # Fixed patterns join the last round, and sets in the middle share more or less with their neighbours.
    assert counted == pytest.approx(len(passes), rel=0 if layers == 4 else 0.15)


def _batch() -> Any:
    import torch

    from core.corpus.batches import MaskedBatch

    ids = torch.arange(10, 18).view(1, 8)
    return MaskedBatch(ids, torch.ones_like(ids), torch.tensor([2]), torch.tensor([12]))


def test_what_is_counted_here_is_what_the_stages_do() -> None:
    assert [trial_steps(steps) for steps in range(0, 3000, 7)] == [trials.probe_steps(s) for s in range(0, 3000, 7)]
    assert (work.TRIAL_TOKENS, work.LAYER_TOKENS) == (trials._VALIDATION_TOKENS, learning._LAYER_TOKENS)
    assert (work.FEED_FORWARD_TOKENS, work.HIDDEN_TOKENS) == (stages._FEED_FORWARD_TOKENS, stages._HIDDEN_TOKENS)
    assert (work.VALIDATION_TOKENS, work.VALIDATION_TEXTS) == (
        stages._VALIDATION_TOKENS,
        prepare.MOST_VALIDATION_TEXTS,
    )
    assert (work.PROVED_TEXTS, work.LAYER_SETS) == (trimming.PROVED_ON, learning._LAYER_SETS)
    assert work.FEW_SETS == measured_layers._FEW
    assert (work.MASK_VARIANTS, work.TRIED_AGAIN) == (data.MASK_VARIANTS, learning._TRIED_AGAIN)
    assert work.ANSWERS_MEMORY == workspace._ANSWERS_MEMORY
    assert work.OPERATIONS_A_BYTE == workspace._OPERATIONS_A_BYTE


def _scoring(text: str, test_bytes: float) -> Part:
    """What scoring the task takes, where its test split holds so much text."""
    recipe, family, sizes = case(text)
    held = Amounts(corpus=1e6, tasks={"topic": {"train": 80_000.0, "validation": 8_000.0, "test": test_bytes}})
    return next(part for part in parts(recipe, family, sizes, PROFILE, held) if part.name == "tasks")


def test_folds_are_counted() -> None:
    whole, three = _scoring(RECIPE + "folds = 0\n", 40_000), _scoring(RECIPE + "folds = 3\n", 40_000)
    # By hand, in bytes: 13 epochs of forward, backward and validation passes, and one test.
    once = 13 * (2 * 80_000 + 8_000) + 40_000
    rest = 128_000 * 2 / 3
    thrice = 3 * (13 * (2 * rest * 7 / 8 + rest / 8) + 128_000 / 3)
    assert three.student / whole.student == pytest.approx(thrice / once)
    assert three.least == pytest.approx(whole.least, rel=0.05) and three.most == pytest.approx(whole.most, rel=0.05)


def test_a_tiny_test_split_is_foreseen_and_one_near_the_limit_is_doubted() -> None:
    # 100 texts of 200 bytes are the limit.
    for size, folds, sure in ((5_000, 5, True), (15_000, 5, False), (30_000, 0, False), (60_000, 0, True)):
        auto, same = _scoring(RECIPE, size), _scoring(RECIPE + f"folds = {folds}\n", size)
        assert auto.student == same.student
        assert ((auto.least, auto.most) == (same.least, same.most)) == sure
        assert auto.least <= same.least and auto.most >= same.most


def test_a_teacher_is_asked_once_for_what_comes_again() -> None:
    def asked(steps: int) -> float:
        recipe, family, sizes = case(RECIPE.replace("distil_steps = 1000", f"distil_steps = {steps}"))
        texts = Amounts(corpus=8192 * 4 * 10.0, tasks=amounts(recipe, Path()).tasks)
        found = parts(recipe, family, sizes, PROFILE, texts)
        return sum(part.teacher for part in found if part.name == "distillation")

    # Ten steps an epoch and four ways to mask: with 40 steps and more, the teacher has said all that it will.
    assert asked(20) == pytest.approx(asked(4000), rel=0.05)
    assert asked(10) == pytest.approx(asked(20) / 2, rel=0.05)


# -- what is foretold ------------------------------------------------------------------------------------------------


def test_the_parts_add_up() -> None:
    found = predicted()
    assert sum(found.parts.values()) == pytest.approx(found.seconds.mid)
    outside = found.parts["start-up"] + found.parts["closing"]
    assert found.work.mid == pytest.approx(found.seconds.mid - outside)
    assert 0 < found.seconds.low < found.seconds.mid < found.seconds.high
    assert 0 < found.memory.low < found.memory.mid < found.memory.high
    assert found.exact


def test_distillation_is_steps_times_what_was_measured() -> None:
    recipe, family, sizes = case()
    one = calibration(recipe, sizes)
    texts = Amounts(corpus=1e9, tasks=amounts(recipe, Path()).tasks)
    found = predict(recipe, family, sizes, texts, one)
    theirs, ours = step_work(family, lessons(recipe, sizes)[0], recipe, PROFILE, 8192)
    update = sizes.student.parameters * 1e-9
    assert found.parts["distillation"] == pytest.approx(2000 * (theirs * 1e-11 + ours * 2e-11 + update))


def test_twice_the_steps_take_longer_and_a_slower_machine_too() -> None:
    assert predicted(RECIPE.replace("1000", "4000")).seconds.mid > predicted().seconds.mid
    slow = {"hidden": Speed(1e-10, 2e-10, 0.0)}
    assert predicted(speeds=slow).work.mid > 5 * predicted().work.mid


def test_what_was_measured_elsewhere_is_doubted_more() -> None:
    other = predicted(settings={"other": True})
    assert not other.exact
    assert spread(other.seconds) > spread(predicted().seconds)
    assert spread(other.memory) > spread(predicted().memory)


def test_uneven_micro_batches_widen_the_interval() -> None:
    uneven = predicted(speeds={"hidden": Speed(1e-11, 2e-11, 0.4)})
    assert spread(uneven.seconds) > spread(predicted().seconds)


def test_what_may_end_early_may_take_less() -> None:
    early = predicted(RECIPE.replace("distil_steps", "patience = 3\ndistil_steps"))
    assert early.seconds.low < predicted().seconds.low and early.seconds.mid == predicted().seconds.mid


def test_larger_models_take_more_memory() -> None:
    wide = RECIPE.replace("hidden_size = 384\n", "")
    assert predicted(wide).memory.mid > predicted().memory.mid
    assert predicted(memory=-1e12).memory.low > 0


def test_a_run_foretells_its_like() -> None:
    recipe, family, sizes = case()
    texts = amounts(recipe, Path())
    reports: dict[str, dict[str, Any]] = {
        stage.name: {"seconds": 100.0 * number, "peak_memory": 3e9} for number, stage in enumerate(sizes.stages, 1)
    }
    reports["hidden"] |= {"seconds": 2000.0, "timed_tokens": 1999 * 8192, "timed_seconds": 1800.0}
    learnt = of_run(recipe, family, sizes, texts, reports, None)
    assert learnt is not None and learnt.recipe == fingerprint(recipe, sizes)

    again = predict(recipe, family, sizes, texts, learnt)
    assert again.exact
    assert again.work.mid == pytest.approx(sum(report["seconds"] for report in reports.values()), rel=0.01)
    assert again.parts["distillation"] == pytest.approx(1800, rel=0.01)
    assert again.memory.mid == pytest.approx(3e9)
    # A machine that was measured before: its shares stay.
    also = of_run(recipe, family, sizes, texts, reports, calibration(recipe, sizes))
    assert also is not None and also.speeds["hidden"].student == pytest.approx(2 * also.speeds["hidden"].teacher)

    reports["hidden"]["timed_tokens"] = reports["hidden"]["timed_seconds"] = 0
    assert of_run(recipe, family, sizes, texts, reports, None) is None


def test_targets_that_say_what_is_the_teachers_anyway_change_nothing() -> None:
    recipe, _, sizes = case(RECIPE.replace("intermediate_size = 2048\n", ""))
    same, _, _ = case(RECIPE.replace("intermediate_size = 2048", "intermediate_size = 3072"))
    assert fingerprint(recipe, sizes) == fingerprint(same, sizes)
    assert fingerprint(recipe, sizes) != fingerprint(replace(recipe, tasks=()), sizes)


# -- how much text there is ------------------------------------------------------------------------------------------


def test_amounts_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 300)
    (tmp_path / "b.txt").write_bytes(b"x" * 100)
    (tmp_path / "data").mkdir()
    for split in ("train", "validation", "test"):
        (tmp_path / "data" / f"{split}.bio").write_bytes(b"x" * 1000)
    task = '[[tasks]]\nkind = "ner"\nsource = "data"\n[[tasks]]\nkind = "topic"\nsource = "hub:some/set"\n'
    text = RECIPE[: RECIPE.index("[[tasks]]")].replace('"sample"', '"*.txt"') + task
    found = amounts(parse(text), tmp_path)
    assert found.corpus == 400
    assert found.tasks["ner"] == {"train": 700, "validation": 700, "test": 700}
    assert found.tasks["topic"]["train"] > 0


@pytest.mark.parametrize("source", ["hub:some/set", "no-such.txt", "no-such-*.txt"])
def test_text_that_is_not_here_is_assumed(source: str) -> None:
    recipe, family, sizes = case(RECIPE.replace('sources = ["sample"]', f'sources = ["{source}"]'))
    texts = amounts(recipe, Path("/nonexistent"))
    assert texts.corpus is None
    (text,) = [part for part in parts(recipe, family, sizes, PROFILE, texts) if part.name == "text"]
    assert text.basis == "assumed" and text.read == recipe.corpus.limit * PROFILE.text_bytes


def test_a_limit_is_heeded() -> None:
    recipe, family, sizes = case(RECIPE.replace('sources = ["sample"]', 'sources = ["sample"]\nlimit = 10'))
    found: list[Part] = parts(recipe, family, sizes, PROFILE, amounts(recipe, Path()))
    assert next(part.read for part in found if part.name == "text") == 10 * PROFILE.text_bytes


def test_assumed_text_is_possible() -> None:
    assert min(taught_by.ASSUMED_TEXT.token_bytes, taught_by.ASSUMED_TEXT.attended) > 1
