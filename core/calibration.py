"""A few steps of a recipe's distillations, to see how fast this machine is: real code and sizes, random weights.

Nothing is downloaded but a configuration. What weights hold doesn't matter for time, so they are made up; so are the
tokens, but for the lengths of the texts, which are those of the recipe's corpus where it is on this machine.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, cast

from core.analysis.duration import Calibration, Speed, step_settings
from core.analysis.lessons import ASSUMED_TEXT, Taught, lessons, step_work
from core.analysis.operations import Reading, forward
from core.analysis.size import Estimate
from core.context import Context
from core.errors import InputError
from core.events import Event, Loss
from core.families import Family, Sizes, family_of
from core.glance import Glance, glance
from core.known_speed import keep
from core.machine import peak_memory
from core.recipe import Recipe, absolute
from core.teachers import teacher_config

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.corpus.batches import MaskedBatch
    from core.distillation.checkpoint import TrainingState
    from core.distillation.schedule import TrainingSettings
    from core.models import LanguageModel

_SECONDS = 6.0
"""Of steps, for all distillations together; each takes at least `_LEAST` micro-batches, which may take longer."""
_LEAST, _MOST = 2, 24
"""Micro-batches that are measured, after one that warms up."""
_LIBRARIES = 1e8
"""Bytes of what a run loads besides, such as that which scores tasks; an assumption."""
_WEIGHTS = 1 << 20
"""Random numbers that weights are made of, again and again."""


def calibrate(recipe: Recipe, base: Path, sizes: Estimate, ctx: Context) -> Calibration:
    """Measure this machine with a recipe's own steps, and keep what was found for later estimates.

    Args:
        recipe: the recipe.
        base: what its relative paths start from.
        sizes: of its teacher and after every stage (`core.analysis.preview`).
        ctx: told of the progress, asked between micro-batches whether to go on.

    Raises:
        InputError: a device or a text that isn't here, or nothing that is distilled.
    """
    config = teacher_config(recipe.teacher.model, base)
    family = family_of(config)

    from core.resolve import on_this_machine, resolve, set_up_torch

    auto = on_this_machine(recipe.schedule)  # before the recipe's own number of threads is set
    recipe = absolute(resolve(recipe, family, sizes.teacher.sizes), base)
    taught = lessons(recipe, sizes)
    if not taught:
        raise InputError(
            "Nothing is distilled, so there are no steps to measure.",
            hint="Set targets.layers or targets.hidden_size below the teacher's.",
        )
    if sizes.student.sizes.vocabulary <= _Tokens.FIRST:
        raise InputError(
            f"A vocabulary of {sizes.student.sizes.vocabulary} tokens has none that isn't special.",
            hint="Set targets.vocabulary_size higher.",
        )
    text = glance(recipe, base, ctx)
    set_up_torch(recipe.schedule)
    rows, update, memory = _measure_all(taught, recipe, family, config, text, ctx)
    found = Calibration(
        origin="steps",
        settings=step_settings(recipe, sizes),
        recipe="",
        speeds=rows,
        update=update,
        read=text.read,
        tokenise=text.tokenise,
        profile=text.profile,
        memory=memory,
        ratios={},
    )
    keep(found, recipe, sizes.teacher.sizes, family, auto)
    return found


class _Texts:
    """Texts of given lengths that hold random tokens."""

    def __init__(self, lengths: Sequence[int], vocabulary: int, seed: int) -> None:
        import numpy as np

        self.lengths = np.array(lengths, dtype=np.int64)
        random_ids = np.random.default_rng(seed).integers(_Tokens.FIRST, vocabulary, int(self.lengths.sum()))
        self._texts = np.split(random_ids, np.cumsum(self.lengths)[:-1])

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        return self._texts[index]


class _Tokens:
    """What batches ask of a tokenizer."""

    FIRST = 5
    """The first token that isn't special."""
    pad_token_id, mask_token_id = 0, 4
    all_special_ids = (0, 1, 2, 3)

    def __init__(self, vocabulary: int) -> None:
        self._vocabulary = vocabulary

    def __len__(self) -> int:
        return self._vocabulary


# -- steps -----------------------------------------------------------------------------------------------------------


def _measure_all(
    taught: Sequence[Taught], recipe: Recipe, family: Family, config: Mapping[str, Any], text: Glance, ctx: Context
) -> tuple[dict[str, Speed], float, float]:
    """Each distillation's speed; seconds to update a parameter; bytes in use beside the models."""
    speeds: dict[str, Speed] = {}
    update = models = 0.0
    for number, lesson in enumerate(taught):
        ctx.progress(number * (_MOST + 2), len(taught) * (_MOST + 2))
        teacher, student = (_random_model(config, family, sizes) for sizes in (lesson.teacher, lesson.student))
        part = _Steps(ctx, number * (_MOST + 2) + 1, len(taught) * (_MOST + 2))
        speeds[lesson.stage], update = _measure(lesson, recipe, family, teacher, student, text, part, len(taught))
        learning = sum(family.parameters(lesson.student).values())
        # While it learns, a parameter has a gradient and two moments.
        models = max(models, 4.0 * sum(family.parameters(lesson.teacher).values()) + 16.0 * learning)
    ctx.progress(len(taught) * (_MOST + 2), len(taught) * (_MOST + 2))
    return speeds, update, peak_memory() + _LIBRARIES - models


def _random_model(config: Mapping[str, Any], family: Family, sizes: Sizes) -> LanguageModel:
    """A model of an architecture with other sizes and weights that mean nothing."""
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM
    from transformers.initialization import no_init_weights

    from core.models import LanguageModel

    told = {**config, **family.config_changes(sizes)}
    kind = told.pop("model_type")
    with no_init_weights():  # transformers' own take seconds to draw
        model = AutoModelForMaskedLM.from_config(AutoConfig.for_model(kind, **told), dtype=torch.float32)
    drawn = torch.randn(_WEIGHTS, generator=torch.Generator().manual_seed(0)) * 0.02
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.fill_(float(name.endswith("weight")))  # a LayerNorm's
                continue
            flat = parameter.view(-1)
            for start in range(0, len(flat), _WEIGHTS):
                piece = flat[start : start + _WEIGHTS]
                piece.copy_(drawn[: len(piece)])
    return LanguageModel(model.eval(), cast(Any, _Tokens(sizes.vocabulary)))


def _measure(
    taught: Taught,
    recipe: Recipe,
    family: Family,
    teacher: LanguageModel,
    student: LanguageModel,
    text: Glance,
    ctx: _Steps,
    of: int,
) -> tuple[Speed, float]:
    """A distillation's speed, and seconds to update a parameter; `of` distillations share the time."""
    import torch

    from core.distillation.checkpoint import TrainingState
    from core.distillation.lesson import Lesson
    from core.distillation.losses import Distance
    from core.distillation.step import take_step
    from core.distillation.training import optimizer_for

    device = recipe.schedule.device
    student.to(device), teacher.to(device)
    batches = _micro_batches(taught, recipe, teacher, student, text)
    settings = _settings(taught, recipe)
    state = TrainingState(student, optimizer_for(student))
    lesson = Lesson(teacher, Distance(teacher, recipe.method.kd_loss, recipe.method.temperature))
    if settings.hidden_weight:
        state.begin_hidden_map(*lesson.hidden_map(student, batches[:1], ctx))
    whole: list[tuple[MaskedBatch, float, float]] = []
    began = time.perf_counter()
    for number, batch in enumerate(batches):
        ctx.check()
        times = _seconds(lambda batch=batch: take_step(state, [batch], lesson, settings, ctx), device)
        on_device = batch.to(device)
        with torch.no_grad(), torch.autocast(torch.device(device).type, torch.bfloat16, settings.bfloat16):
            asked = _seconds(lambda one=on_device: teacher.hidden_states(one.input_ids, one.attention_mask), device)
        ctx.done(number + 1)
        if number:  # the first one warms up
            whole.append((batch, times, asked))
        if len(whole) >= _LEAST and time.perf_counter() - began > _SECONDS / of:
            break
    update = min(_seconds(lambda: _update(state), device) for _ in range(2))
    learning = sum(family.parameters(taught.student).values())
    return _speed(whole, update, taught, recipe, family), update / learning


def _speed(
    whole: Sequence[tuple[MaskedBatch, float, float]], update: float, taught: Taught, recipe: Recipe, family: Family
) -> Speed:
    """What the times of steps of a micro-batch each, and of the teacher alone, say of a multiplication."""
    theirs, ours = [], []
    for batch, took, asked in whole:
        tokens = float(batch.tokens)
        squares = float(batch.attention_mask.sum(1).square().sum())
        one = forward(family, taught.teacher, Reading(tokens, squares, 0, 0))
        profile = replace(ASSUMED_TEXT, attended=squares / tokens)
        teacher, student = step_work(family, taught, recipe, profile, tokens)
        theirs.append(asked / one)
        # What is left of the step; measured apart, the teacher may by chance have taken as long as all of it.
        ours.append(max(took - update - asked / one * teacher, 0.05 * took) / student)
    # Medians: a machine that is busy with something else for a moment would spoil a mean of so few.
    usual = median(ours)
    return Speed(median(theirs), usual, min(1.0, median(abs(one - usual) for one in ours) / usual))


def _micro_batches(
    taught: Taught, recipe: Recipe, teacher: LanguageModel, student: LanguageModel, text: Glance
) -> list[MaskedBatch]:
    """One that warms up and `_MOST` more: of all lengths of text, in no order."""
    from core.distillation.data import Steps, TextData
    from core.micro_batches import micro_tokens

    share = float(recipe.method.masked_share)
    rough = recipe.schedule.precision == "bfloat16"
    micro = micro_tokens(student, recipe.schedule.device, teacher, share, bfloat16=rough)
    rng = random.Random(recipe.seed)
    wanted = (_MOST + 1) * max(micro, recipe.schedule.batch_tokens)
    lengths = [min(length, student.max_length) for length in text.lengths]
    while sum(lengths) < wanted:
        lengths += lengths
    rng.shuffle(lengths)
    texts = cast(Any, _Texts(lengths, taught.student.vocabulary, recipe.seed))
    data = TextData(texts, texts, student.tokenizer, recipe.seed, micro, share)
    steps = Steps(data, taught.stage, recipe.schedule.batch_tokens)
    found: list[MaskedBatch] = []
    step = 0
    while len(found) <= _MOST or step < 2:
        found += steps[step]
        step += 1
    return rng.sample(found, _MOST + 1)


def _settings(taught: Taught, recipe: Recipe) -> TrainingSettings:
    from core.distillation.schedule import TrainingSettings

    return TrainingSettings(
        stage=taught.stage,
        steps=_MOST + 1,
        batch_tokens=recipe.schedule.batch_tokens,
        learning_rate=1e-6,
        warmup_fraction=0.0,
        evaluate_every=0,
        alpha=float(recipe.method.alpha),
        hidden_weight=float(recipe.method.hidden_weight),
        dropout=recipe.method.dropout == "on",
        seed=recipe.seed,
        bfloat16=recipe.schedule.precision == "bfloat16",
    )


def _update(state: TrainingState) -> None:
    """What a step does once, however many tokens it has."""
    import torch

    torch.nn.utils.clip_grad_norm_(state.learning, 1.0)
    state.optimizer.step()


def _seconds(work: Any, device: str) -> float:
    """How long something takes, until the device is done with it."""
    _wait(device)
    began = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - began


def _wait(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


@dataclass(frozen=True, slots=True)
class _Steps:
    """The context of the steps of one distillation: their losses mean nothing."""

    ctx: Context
    before: int
    total: int

    def emit(self, event: Event) -> None:
        """Drop losses."""
        if not isinstance(event, Loss):
            self.ctx.emit(event)

    def check(self) -> None:
        """Ask the whole work's context."""
        self.ctx.check()

    def progress(self, done: int, total: int) -> None:
        """Drop the report: `done` counts."""

    def done(self, number: int) -> None:
        """So many micro-batches are done."""
        self.ctx.progress(self.before + number, self.total)
