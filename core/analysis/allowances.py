"""What a run may spend on looking at its models, beside making them: by counts, never by the clock. No torch."""

from __future__ import annotations

import math

from core.distillation.schedule import TrainingSettings
from core.recipe import Recipe, Schedule

# -- live scores -----------------------------------------------------------------------------------------------------
# A training of W tokens takes at least 3 · W · f multiplications, f being those of its model for a token that is only
# read, and W · g more for a teacher's answers, where they aren't remembered from an earlier epoch. Probes of T tokens
# take T · f in the student and, once, T · g in the teacher. So the student's probes are held against the student's
# training and the teacher's against its answers, and the models' sizes cancel out.

LIVE_SHARE = 0.05
"""Of what a training takes, that its live scores may."""
POINTS = 4
"""Probes of a training that the sets of examples are made small enough for: fewer are no curve."""
LEAST_SET = 0.2
"""Of the full sets of examples: scores on fewer say nothing. Trainings too short for that are probed nevertheless, at
their beginning and end."""
_BESIDE = 1.25
"""Times what reading takes by tokens alone: attention where examples are longer than the corpus' texts, words that a
smaller vocabulary cuts into more tokens, and the fit."""


def shortest_training(recipe: Recipe) -> int:
    """Tokens of the shortest training that is probed; the recipe's `auto`s are settled.

    Where widths are cut in r rounds, a distillation is parted into up to 2r - 1.
    """
    steps = recipe.schedule.distil_steps // (2 * int(recipe.method.rounds) - 1)
    steps = min(steps, recipe.teacher.adapt_steps or steps)
    return max(1, steps) * recipe.schedule.batch_tokens


def set_share(tokens: float, shortest: float, asked: float) -> float:
    """Which share of the full sets of examples all probes of a run take: the same ones, so that scores compare.

    Args:
        tokens: of the full sets of all tasks together.
        shortest: tokens of the shortest training that is probed.
        asked: tokens of text that a teacher is asked about, at least, where that is less than a training's.
    """
    allowed = LIVE_SHARE / _BESIDE * min(3 * shortest / POINTS, asked)
    return min(1.0, max(LEAST_SET, allowed / max(tokens, 1)))


def probe_interval(plan: TrainingSettings, probe: float, step: float) -> int:
    """Steps between probes: at as many validations as the cost allows, among them always the first and the last.

    Args:
        plan: of the training, or a round of it.
        probe: multiplications of the probes at one validation.
        step: multiplications of a step of the training, at least.
    """
    steps = plan.steps - plan.begin
    validations = math.ceil(steps / plan.interval)  # after the first one
    points = validations + 1
    if probe:
        points = min(points, int(LIVE_SHARE * steps * step / probe))
    return plan.interval * max(1, math.ceil(validations / max(1, points - 1)))


# -- pseudo-perplexity -----------------------------------------------------------------------------------------------

MOST_SCORED = 4096
"""Tokens of text that are masked one by one: beyond that the number hardly changes, and up to there it costs no more
than the validation at the end."""
_COPIES_SHARE = 0.03
"""Of the tokens that a run's distillations read, that all masked copies may hold. What a token costs there is a forward
and a backward pass of the student and an answer of its teacher; here it is a forward pass of each."""
_LEAST_COPIES = 8192
"""Tokens that copies may hold however short the distillations are: one step's, as recipes have it."""


def copies_may_hold(schedule: Schedule) -> int:
    """Tokens of all masked copies of texts together, whatever the models' sizes."""
    return max(_LEAST_COPIES, int(_COPIES_SHARE * 2 * schedule.distil_steps * schedule.batch_tokens))


# -- speed and memory ------------------------------------------------------------------------------------------------

_LEAST_TIMED = 16_384
"""Tokens of a distillation below which it is a trial of the machinery."""
TIMING_SECONDS = 9.0
"""That it takes to time a model, about: starting a process, loading, two sizes of batches."""


def is_timed(schedule: Schedule) -> bool:
    """Whether it is worth while to time the models: that takes some seconds, more than a run of a few steps."""
    return schedule.distil_steps * schedule.batch_tokens >= _LEAST_TIMED
