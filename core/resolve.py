"""What `auto` means: the recipe with every choice made, for one teacher on one machine, and why.

`CHOICES` holds every value and its reason, by key and preset. No torch until a machine is asked for (`resolve`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from core.errors import InputError
from core.families import Family, Sizes
from core.families.heads import resolve_heads
from core.machine import usable_cores
from core.recipe import Method, Recipe, Schedule, preset_values, settings
from core.tasks.hub import full_source

_METHOD_KEYS = tuple(entry.name for entry in fields(Method))


@dataclass(frozen=True, slots=True)
class Pick:
    """A value and a sentence on why it is this one."""

    value: Any
    reason: str


_LAST_LAYERS = Pick("last", "The paper takes the last layers of BERT's family.")
_EVERY_SECOND = Pick("stride", "The paper takes every second layer of XLM-R.")

PAPER, OURS = "paper", "ours"
"""The paper's preset; and every preset that has no entry of its own."""
CHOICES: Mapping[str, Mapping[str, Pick | Callable[[Family], Pick]]] = {
    "method.layer_selection": {
        PAPER: lambda family: _LAST_LAYERS if family.name == "bert" else _EVERY_SECOND,
        "fast": Pick("stride", "Every second layer from the first, which costs no time to find."),
        OURS: Pick("measured", "Which layers a model can miss is its own: the sets that lose least are tried."),
    },
    "method.feed_forward_score": {
        PAPER: Pick("first_order", "The paper ranks units by first-order importance."),
        OURS: Pick("first_order", "First-order importance, as in the paper: no other score ended lower."),
    },
    "method.hidden_reduction": {
        PAPER: Pick("truncate", "The paper keeps the first units of every weight."),
        OURS: Pick(
            "rotate", "Half the width, rotated, holds nine tenths of what passes through; the first units hold half."
        ),
    },
    "method.mean_folding": {
        PAPER: Pick("off", "The paper drops units as if they had never given anything."),
        OURS: Pick("on", "What the dropped units give on average costs nothing to keep in the biases."),
    },
    "method.distil_after": {
        PAPER: Pick("each", "The paper distils after the layers and again after the width."),
        OURS: Pick("all", "One long distillation after all cuts ends lower than two short ones, and costs less."),
    },
    "method.distil_from": {
        PAPER: Pick("previous", "The paper's second distillation learns from the model before its width was cut."),
        OURS: Pick("teacher", "A model in between can only pass on what it has learnt itself."),
    },
    "method.rounds": {
        PAPER: Pick(1, "The paper cuts every width at once."),
        OURS: Pick(1, "Cut at once, all steps are the final student's; a cut to a half in two rounds ended higher."),
    },
    "method.kd_loss": {
        PAPER: Pick("mse", "The paper takes the mean squared error of the logits."),
        OURS: Pick("kl", "KL at masked tokens costs less than the logits at every token and ended no higher."),
    },
    "method.alpha": {
        PAPER: Pick(0.5, "The paper weighs text and teacher alike."),
        OURS: Pick(0.2, "The teacher's odds say more of a masked word than the one word that stood there."),
    },
    "method.hidden_weight": {
        PAPER: Pick(0.0, "The paper compares logits alone."),
        OURS: Pick(2.0, "Every layer's states tell the student what to do at every token, not only at masked ones."),
    },
    "method.masked_share": {
        PAPER: Pick(0.15, "The paper masks 15 % of the tokens."),
        OURS: Pick(0.3, "Twice the usual places to learn from in the same text."),
    },
    "method.dropout": {
        PAPER: Pick("on", "The paper trains with the teacher's dropout."),
        OURS: Pick("off", "A small student has no unit to spare: all of them learn at every step."),
    },
    "schedule.learning_rate": {
        PAPER: Pick(5e-5, "The paper's."),
        OURS: Pick("auto", "Each distillation finds its own in a short probe: the rate with the lowest loss."),
    },
    "schedule.decay": {
        PAPER: Pick("linear", "The paper's learning rate falls in a straight line."),
        OURS: Pick("linear", "A straight line, as in the paper; a cosine ended no lower."),
    },
}
"""Key → preset → what `auto` becomes."""
_OWN = "The teacher's own."
_WHOLE_HEADS = "Whole heads of the teacher stay."
_ALL_HEADS = "As many heads as the teacher has, each narrower."


def resolve(recipe: Recipe, family: Family, teacher: Sizes) -> Recipe:
    """The recipe without `auto`, but for a learning rate that is probed; see `explained`."""
    return explained(recipe, family, teacher)[0]


def settled(recipe: Recipe, family: Family) -> Recipe:
    """The recipe with the choices made that the machine has no part in; a learning rate that is probed stays `auto`."""
    given = settings(recipe)
    return _with(
        recipe, {key: pick for key, pick in choices(recipe.method.preset, family).items() if given[key] == "auto"}
    )


def on_this_machine(schedule: Schedule) -> dict[str, Any]:
    """Device, precision and threads as a schedule's `auto`s would be resolved now, whatever the schedule says itself.

    Precision is that for the schedule's own device. Ask before `set_up_torch`, which changes the threads.
    """
    found = _machine(replace(schedule, device="auto", precision="auto", threads="auto"))
    if schedule.device != "auto":
        found |= _machine(replace(schedule, precision="auto", threads=1))
    return {key: found[f"schedule.{key}"].value for key in ("device", "precision", "threads")}


def explained(recipe: Recipe, family: Family, teacher: Sizes) -> tuple[Recipe, dict[str, str]]:
    """The recipe with every choice made for this teacher on this machine, and the reasons.

    Targets that say nothing get the teacher's own sizes, and known data sets their configuration for the language.

    Returns:
        The recipe; and, by key, a sentence on each value that it didn't say itself (its preset's count as unsaid).

    Raises:
        InputError: the device that the recipe names is not here, or a data set has nothing in the language.
    """
    given = settings(recipe)
    decided = choices(recipe.method.preset, family)
    picks = {key: pick for key, pick in decided.items() if given[key] == "auto"}
    picks |= _machine(recipe.schedule)
    done = _with(recipe, picks)
    targets = _targets(done, teacher)
    picks |= targets
    sizes = {key.partition(".")[2]: pick.value for key, pick in targets.items()}
    code = recipe.language.code
    tasks = tuple(replace(task, source=full_source(task.kind, task.source, code)) for task in recipe.tasks)
    done = replace(done, targets=replace(done.targets, **sizes), tasks=tasks)
    return done, {**_preset_reasons(recipe, family), **{key: pick.reason for key, pick in picks.items()}}


def _with(recipe: Recipe, picks: Mapping[str, Pick]) -> Recipe:
    """The recipe with these values in its method and schedule."""
    method = {key: picks[f"method.{key}"].value for key in _METHOD_KEYS if f"method.{key}" in picks}
    schedule = {key.partition(".")[2]: pick.value for key, pick in picks.items() if key.startswith("schedule.")}
    return replace(recipe, method=replace(recipe.method, **method), schedule=replace(recipe.schedule, **schedule))


def choices(preset: str, family: Family) -> dict[str, Pick]:
    """What each key of `CHOICES` becomes where a recipe of this preset says `auto`, for a teacher of this family."""
    picks = {key: by_preset.get(preset, by_preset[OURS]) for key, by_preset in CHOICES.items()}
    return {key: pick if isinstance(pick, Pick) else pick(family) for key, pick in picks.items()}


def learning_rate(given: float | str, parameters: int) -> float:
    """The learning rate of a distillation; `auto` goes by the student's size: large ones want less."""
    if not isinstance(given, str):
        return given
    return 1e-3 if parameters < 8_000_000 else 5e-4 if parameters < 40_000_000 else 2e-4


def adaptation_rate(given: float | str, *, fresh_head: bool) -> float:
    """The learning rate of adaptation; `auto` is the paper's, and more where a new head must be learnt."""
    if not isinstance(given, str):
        return given
    return 3e-4 if fresh_head else 5e-5


def set_up_torch(schedule: Schedule) -> None:
    """Give torch the threads of a resolved schedule, and on the CPU sums that come out the same every time."""
    import torch

    if isinstance(schedule.threads, int):
        torch.set_num_threads(schedule.threads)
    torch.use_deterministic_algorithms(schedule.device == "cpu", warn_only=True)
    # Nothing here reads memory that it hasn't written: filling it first would only cost time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _preset_reasons(recipe: Recipe, family: Family) -> dict[str, str]:
    """Reasons for what stands in the preset itself, where the recipe agrees with it."""
    given, picks = settings(recipe), choices(recipe.method.preset, family)
    return {
        key: picks[key].reason if key in picks else f"From the preset {recipe.method.preset}."
        for key, value in preset_values(recipe.method.preset).items()
        if given[key] == value
    }


def _targets(recipe: Recipe, teacher: Sizes) -> dict[str, Pick]:
    """The sizes that the recipe leaves to the teacher."""
    targets = recipe.targets
    own = {"layers": teacher.layers, "intermediate_size": teacher.feed_forward, "hidden_size": teacher.hidden}
    # What a coverage needs shows only when the corpus is counted.
    if targets.vocabulary_coverage is None:
        own["vocabulary_size"] = teacher.vocabulary
    found = {f"targets.{key}": Pick(size, _OWN) for key, size in own.items() if getattr(targets, key) is None}
    if targets.attention_heads is None:
        hidden, reduction = targets.hidden_size or teacher.hidden, recipe.method.hidden_reduction
        heads = resolve_heads(teacher, hidden, None, reduction)
        cut = _WHOLE_HEADS if heads != teacher.heads else _ALL_HEADS
        found["targets.attention_heads"] = Pick(heads, _OWN if hidden == teacher.hidden else cut)
    return found


def _machine(schedule: Schedule) -> dict[str, Pick]:
    """What the schedule leaves to the machine; checks that it has the device that the recipe names."""
    import torch

    found: dict[str, Pick] = {}
    device = schedule.device
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if present[name])
        reason = (
            "The machine has no graphics card that torch can use."
            if device == "cpu"
            else "The machine's graphics card."
        )
        found["schedule.device"] = Pick(device, reason)
    if not present[device]:
        here = ", ".join(name for name, there in present.items() if there)
        raise InputError(
            f"schedule.device is {device!r}, which this machine lacks.",
            hint=f"Here: {here}. A run that was begun on {device} can be resumed on a machine that has it, as its "
            "numbers would be others elsewhere; or start a new run.",
        )
    if schedule.precision == "auto":
        found["schedule.precision"] = _precision(device)
    if schedule.threads == "auto":
        found["schedule.threads"] = Pick(usable_cores(torch.get_num_threads()), "As many as there are cores to use.")
    return found


def _precision(device: str) -> Pick:
    """What a device computes in: bfloat16 only where it is faster."""
    import torch

    if device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return Pick("bfloat16", "Half the bits with float32's range, and the graphics card computes in them.")
    if device == "cpu":
        from core.precision import bfloat16_gain, bfloat16_pays

        if bfloat16_pays():
            return Pick("bfloat16", f"The processor multiplies {bfloat16_gain():.1f} times as fast in it, as measured.")
    return Pick("float32", "Exact, and the same every time.")
