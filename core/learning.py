"""How the model of a stage learns: from a checkpoint where there is one, in rounds of cutting and distilling."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.analysis.operations import Reading, forward
from core.compression.layers import cut_layers, select_layers
from core.compression.measured_layers import measured_layers
from core.context import Context, Portion, Share, Unmeasured
from core.corpus.batches import MaskedBatch
from core.distillation.checkpoint import Counters, TrainingState, taking_up
from core.distillation.data import Steps
from core.distillation.divergence import MOST_HALVINGS, Divergence
from core.distillation.lesson import Lesson
from core.distillation.losses import Distance
from core.distillation.schedule import TrainingSettings
from core.distillation.training import optimizer_for, taught_steps, train
from core.distillation.trials import find_rate, probe_steps, trial
from core.events import Message
from core.families import Sizes
from core.models import LanguageModel, blank
from core.recipe import Recipe
from core.resolve import learning_rate
from core.seeds import derive
from core.workspace import Workspace

_TRIED_AGAIN = 0.5
"""Which share of the texts of trials comes again, at least: there are two or more, all of the same texts."""
_LAYER_TOKENS = 16_384
_LAYER_SETS = 4
"""Sets of layers that are tried by a short training."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage made."""

    lm: LanguageModel
    notes: Mapping[str, Any] = field(default_factory=dict)
    """For the stage's report."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts to keep beside the report, by file name."""


Cut = Callable[[LanguageModel], tuple[LanguageModel, dict[str, Any]]]
"""Model → smaller model, and notes for the report."""


@dataclass(frozen=True, slots=True)
class Round:
    """A cut, and learning after it."""

    sizes: Sizes
    """Those of the model that the cut gives."""
    cut: Cut


def sample(work: Workspace, lm: LanguageModel, purpose: str, tokens: int) -> list[MaskedBatch]:
    """Training text with masked places, about so many tokens, to judge by what in a model matters."""
    budget = work.recipe.schedule.batch_tokens
    steps = Steps(work.data(lm), purpose, budget)
    return [batch for step in range(max(1, round(tokens / budget))) for batch in steps[step]]


def chosen_layers(lm: LanguageModel, work: Workspace, count: int) -> tuple[list[int], dict[str, Any]]:
    """The layers that stay, and notes on why; `measured` ones are those that learn best in a short trial.

    What was measured before a stop is in the notes of the checkpoint, and isn't measured again.
    """
    recipe, how = work.recipe, work.recipe.method.layer_selection
    if how != "measured":
        keep = select_layers(lm.sizes.layers, count, how, derive(recipe.seed, "layers"))
        return keep, {"layers": keep}
    # Where a distillation follows in this stage, progress is told in its steps.
    ctx: Context = Unmeasured(work.ctx) if work.first_distillation == "layers" else work.ctx
    settings = _settings(work, "layers", 0, distil_steps(work, work.first_distillation), 0.0)
    steps = probe_steps(settings.steps)
    lm.to(recipe.schedule.device)
    sets: list[dict[str, Any]] = list(work.checkpointed("layers").get("notes", {}).get("layer_sets", ()))
    if not sets:
        text = sample(work, lm, "layer sets", _LAYER_TOKENS)
        found = measured_layers(lm, count, text, Share(ctx, 0, 0.5 if steps else 1), _LAYER_SETS)
        sets = [{"layers": list(entry.layers), "untrained": _finite(entry.loss)} for entry in found]
    lesson = _lesson(work, lm, count, _TRIED_AGAIN)
    for number, candidate in enumerate(sets if steps else ()):
        if "tried" in candidate:
            continue
        student = cut_layers(lm, candidate["layers"])
        rate = learning_rate("auto", sum(student.parameters.values()))
        short = replace(settings, steps=steps, learning_rate=rate)
        part = Share(ctx, *(0.5 + 0.5 * done / len(sets) for done in (number, number + 1)))
        loss = trial(student.to(recipe.schedule.device), work.data(student, lm), lesson, short, part)
        candidate["tried"] = _finite(loss)
        numbers = ", ".join(map(str, candidate["layers"]))
        told = f"Layers {numbers}: loss {loss:.4f} after {steps} steps."
        work.ctx.emit(Message(level="info", text=told))
        work.save_progress("layers", None, notes={"layer_sets": sets})
    lm.to("cpu")
    best = min(sets, key=lambda entry: math.inf if entry.get("tried") is None else entry["tried"]) if steps else sets[0]
    return best["layers"], {"layers": best["layers"], "layer_sets": sets}


def hidden_widths(recipe: Recipe, sizes: Sizes) -> list[tuple[int, int]]:
    """The hidden size and number of heads of each round, the target last; each cuts by about the same share."""
    width, heads = recipe.targets.hidden_size or sizes.hidden, recipe.targets.attention_heads or sizes.heads
    rounds = int(recipe.method.rounds)
    # Heads that end up whole are never narrower in between, and those that end up narrower are never fewer.
    whole = heads != sizes.heads
    unit = sizes.head_width if whole else heads
    between: list[int] = []
    for number in range(1, rounds):
        aim = sizes.hidden * (width / sizes.hidden) ** (number / rounds)
        nearest = min(range(width + unit, sizes.hidden, unit), key=lambda size: abs(size - aim), default=None)
        if nearest is not None and nearest not in between:
            between.append(nearest)
    return [(size, size // unit if whole else heads) for size in between] + [(width, heads)]


def feed_forward_widths(recipe: Recipe, sizes: Sizes) -> list[int]:
    """The feed-forward size of each round, the target last; each cuts by about the same share."""
    width, rounds = recipe.targets.intermediate_size or sizes.feed_forward, int(recipe.method.rounds)
    share = width / sizes.feed_forward
    return sorted({width, *(round(sizes.feed_forward * share ** (n / rounds)) for n in range(1, rounds))}, reverse=True)


def learn(lm: LanguageModel, work: Workspace, stage: str, teacher: LanguageModel, rounds: Sequence[Round]) -> Outcome:
    """Cut and distil, round by round.

    Args:
        lm: the model before the first cut.
        work: the run; a checkpoint of this stage is taken up.
        stage: the stage's name.
        teacher: what is learnt from.
        rounds: at least one; the stage's steps are spread evenly over them.
    """
    recipe, about = work.recipe, work.checkpointed(stage)
    total = distil_steps(work, stage)
    if stage == work.first_distillation and not about:
        rough = recipe.schedule.precision == "bfloat16"
        teacher.to(recipe.schedule.device)
        for score in work.live.scores(stage, 0, teacher, "teacher", work.ctx, bfloat16=rough):
            work.ctx.emit(score)
    notes: dict[str, Any] = dict(about.get("notes", {}))
    rate: float | None = about.get("learning_rate")
    counters = Counters()
    for number, part in enumerate(rounds):
        if number < about.get("round", 0):
            continue
        # A checkpoint with a learning rate holds weights; one without was made while rates were tried.
        resumed = rate is not None and number == about.get("round")
        if resumed:
            student = blank(lm, part.sizes)
        else:
            student, more = part.cut(lm)
            notes |= more
        begin, end = (total * place // len(rounds) for place in (number, number + 1))
        settings = _settings(work, stage, begin, end, rate or 0.0)
        if rate is None:
            rate = _found_rate(student, work, settings, teacher, about.get("rates", {}), notes)
            settings = replace(settings, learning_rate=rate)
        state = TrainingState(student.to(recipe.schedule.device), optimizer_for(student), counters.next_round())
        so_far = {"round": number, "notes": notes, "learning_rate": settings.learning_rate}
        lm = _train(state, work, settings, teacher, resumed, **so_far)
        counters = state.counters
        where = f"Stage {stage}" + (f", round {number + 1} of {len(rounds)}" if len(rounds) > 1 else "")
        notes |= _fell(counters, settings, where, work)
        if len(rounds) > 1 or stage == "feed_forward":  # a cut comes next, which a stop would lose the round for
            work.save_training(stage)
    return Outcome(lm, {**notes, **_told(counters, rate or 0.0)})


def adapt_to_corpus(lm: LanguageModel, work: Workspace, rate: float) -> Outcome:
    """Go on with masked-language training alone."""
    settings = replace(_settings(work, "adapt", 0, work.recipe.teacher.adapt_steps, rate), dropout=True, patience=0)
    state = TrainingState(lm.to(work.recipe.schedule.device), optimizer_for(lm))
    resumed = bool(work.checkpointed("adapt"))
    best = _train(state, work, settings, None, resumed, learning_rate=rate)
    notes = _fell(state.counters, settings, "Stage adapt", work)
    return Outcome(best, {**notes, **_told(state.counters, rate)})


def distil_steps(work: Workspace, stage: str) -> int:
    """Optimiser steps of a stage that distils.

    A run has `schedule.distil_steps` of them after the layers and as many after the width; where it distils only
    after all cuts, then both. A feed-forward cut in rounds learns with the steps of the second distillation: of r
    rounds there and s of the width, each of the r − 1 + s times that something is learnt gets as many.
    """
    schedule = work.recipe.schedule
    if stage == "layers":
        return schedule.distil_steps
    steps = schedule.distil_steps * (2 if "layers" in work.stages and work.first_distillation == "hidden" else 1)
    teacher = work.teacher.sizes
    before = len(feed_forward_widths(work.recipe, teacher)) - 1
    share = before / (before + len(hidden_widths(work.recipe, teacher)))
    first = round(steps * share)
    return first if stage == "feed_forward" else steps - first


def _found_rate(
    student: LanguageModel,
    work: Workspace,
    settings: TrainingSettings,
    teacher: LanguageModel,
    known: Mapping[str, float | None],
    notes: Mapping[str, Any],
) -> float:
    """The recipe's learning rate, or one found by trials, whose results outlast a stop."""
    around = learning_rate(work.recipe.schedule.learning_rate, sum(student.parameters.values()))
    if work.recipe.schedule.learning_rate != "auto" or not probe_steps(settings.steps - settings.begin):
        return around
    losses = {float(rate): math.inf if loss is None else loss for rate, loss in known.items()}

    def keep(rate: float, loss: float) -> None:
        losses[rate] = loss
        done = {str(rate): _finite(loss) for rate, loss in losses.items()}
        work.save_progress(settings.stage, None, rates=done, notes=notes)

    device = work.recipe.schedule.device
    lesson = _lesson(work, teacher.to(device), student.sizes.layers, _TRIED_AGAIN)
    data = work.data(student, teacher)
    return find_rate(student.to(device), data, lesson, settings, work.ctx, around=around, known=losses, keep=keep)


def _finite(loss: float | None) -> float | None:
    """A loss as JSON can say it: None where it is no number."""
    return loss if loss is not None and math.isfinite(loss) else None


def _train(
    state: TrainingState,
    work: Workspace,
    settings: TrainingSettings,
    teacher: LanguageModel | None,
    resumed: bool,
    **about: Any,
) -> LanguageModel:
    """Train a model, from the checkpoint if there is one of this round."""
    if resumed:
        with taking_up(work.folder.checkpoint):
            state.load(work.folder.checkpoint)
        _tell_divergences(state.counters, settings.stage, work)
    work.training = state
    settings = replace(settings, learning_rate=state.counters.rate(settings.learning_rate))
    total = distil_steps(work, settings.stage) if teacher is not None else settings.steps
    data, lesson = work.data(state.lm, teacher), None
    if teacher is not None:
        teacher.to(work.recipe.schedule.device)
        repeated = taught_steps(data, settings).repeated(settings.begin, settings.steps)
        lesson = _lesson(work, teacher, state.lm.sizes.layers, repeated)
    try:
        return train(state, data, lesson, settings, Portion(work.ctx, 0, total), work.hooks(settings, **about))
    finally:
        if teacher is not None:
            teacher.to("cpu")


def _tell_divergences(counters: Counters, stage: str, work: Workspace) -> None:
    """Say that the training went back, and with what learning rate it goes on."""
    for entry in counters.divergences[:MOST_HALVINGS]:
        work.ctx.emit(Message(level="warning", text=Divergence(**entry).told(stage), doubt=True))
    if counters.divergences and counters.step == counters.best_step:
        counters.best_log = work.ctx.log_length()  # should it go back there again, that was told


def _fell(counters: Counters, settings: TrainingSettings, where: str, work: Workspace) -> dict[str, Any]:
    """Nothing; or, where the validation loss never got below that of the beginning, a note, and a warning."""
    if counters.best_step != settings.begin or settings.steps == settings.begin:
        return {}
    told = (
        f"{where}: the validation loss never fell below the {counters.best_loss:.4f} of its beginning. The model goes "
        "on as it was before: what was learnt in this training made it no better."
    )
    work.ctx.emit(Message(level="warning", text=told, doubt=True))
    return {"never_fell": True}


def _lesson(work: Workspace, teacher: LanguageModel, layers: int, repeated: float) -> Lesson:
    """What is learnt from a teacher.

    Args:
        work: the run.
        teacher: on its device.
        layers: of the student.
        repeated: which share of the training texts' micro-batches comes again.
    """
    method, sizes = work.recipe.method, teacher.sizes
    distance = Distance(teacher, method.kd_loss, method.temperature)
    share = float(method.masked_share)
    once = forward(teacher.family, sizes, Reading(tokens=1, squares=0, places=0, transformed=share))
    states = 2 * layers * sizes.hidden if method.hidden_weight else 0  # bytes: they are kept in bfloat16
    size = states + 4 * sizes.hidden * (1 if distance.everywhere else share)
    return Lesson(teacher, distance, work.kept_answers(repeated * once, size), repeats=repeated > 0)


def _settings(work: Workspace, stage: str, begin: int, end: int, rate: float) -> TrainingSettings:
    method, schedule = work.recipe.method, work.recipe.schedule
    return TrainingSettings(
        stage=stage,
        begin=begin,
        steps=end,
        batch_tokens=schedule.batch_tokens,
        learning_rate=rate,
        warmup_fraction=schedule.warmup_fraction,
        decay=schedule.decay,
        evaluate_every=schedule.evaluate_every,
        patience=schedule.patience,
        alpha=float(method.alpha),
        hidden_weight=float(method.hidden_weight),
        dropout=method.dropout == "on",
        seed=work.recipe.seed,
        bfloat16=schedule.precision == "bfloat16",
    )


def _told(counters: Counters, rate: float) -> dict[str, Any]:
    """What a stage's report says of its training."""
    return {
        "steps": counters.step,
        "tokens": counters.tokens,
        "best_step": counters.best_step,
        "learning_rate": counters.rate(rate),
        "timed_tokens": counters.timed_tokens,
        "timed_seconds": counters.timed_seconds,
        **({"divergences": counters.divergences} if counters.divergences else {}),
    }
