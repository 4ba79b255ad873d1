"""The distillations of a run, before it runs: what learns from what, and what a step of it takes. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.analysis.operations import Reading, forward, gram_pays, gram_places, gram_products, training
from core.analysis.size import Estimate
from core.families import Family, Sizes
from core.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Profile:
    """What a teacher's tokenizer makes of text, on average."""

    token_bytes: float
    """UTF-8 bytes a token."""
    text_bytes: float
    """UTF-8 bytes a text."""
    attended: float
    """Tokens that a token attends to, itself among them: the sum of squared lengths over that of lengths."""


ASSUMED_TEXT = Profile(token_bytes=4.0, text_bytes=120.0, attended=40.0)
"""Of text that nobody looked at."""


@dataclass(frozen=True, slots=True)
class Taught:
    """A stage that distils."""

    stage: str
    steps: int
    student: Sizes
    teacher: Sizes


def lessons(recipe: Recipe, sizes: Estimate) -> list[Taught]:
    """The distillations of a run, in order; the recipe's `auto`s are settled (`core.resolve.settled`)."""
    stages = {stage.name: stage.size.sizes for stage in sizes.stages}
    each = recipe.method.distil_after == "each" or "hidden" not in stages
    steps, found = recipe.schedule.distil_steps, []
    first = recipe.method.vocabulary_order == "first"
    teacher = stages["vocabulary"] if first and "vocabulary" in stages else sizes.teacher.sizes
    if "layers" in stages and each:
        found.append(Taught("layers", steps, stages["layers"], teacher))
    if "hidden" in stages:
        names = list(stages)
        previous = recipe.method.distil_from == "previous" and len(found) == 1
        source = stages[names[names.index("hidden") - 1]] if previous else teacher
        total = steps * (2 if "layers" in stages and not found else 1)
        found.append(Taught("hidden", total, stages["hidden"], source))
    return found


def step_work(
    family: Family, taught: Taught, recipe: Recipe, profile: Profile, tokens: float, share: float | None = None
) -> tuple[float, float]:
    """Multiplications of a step, the teacher's and the student's.

    The student's are those of its training, of the teacher's logits that it is compared with and of the hidden states'
    map. `share` of the tokens is masked, by default the recipe's.
    """
    method, student, teacher = recipe.method, taught.student, taught.teacher
    masked = tokens * (float(method.masked_share) if share is None else share)
    everywhere = method.kd_loss == "mse"
    compared = tokens if everywhere else masked
    grams = everywhere and gram_pays(student.hidden, teacher.hidden, student.vocabulary, tokens)
    logits = 0.0 if grams else compared
    squares = tokens * profile.attended
    theirs = forward(family, teacher, Reading(tokens, squares, logits, compared))
    ours = training(family, student, Reading(tokens, squares, masked + logits, compared))
    if grams:
        ours += gram_products(student.hidden, teacher.hidden, student.vocabulary)
        ours += gram_places(student.hidden, teacher.hidden, tokens)
    if float(method.hidden_weight):
        ours += 3 * student.layers * tokens * student.hidden * teacher.hidden
    return theirs, ours
