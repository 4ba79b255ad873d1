"""What `auto` means: the recipe with every choice made, for one teacher on one machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from core.errors import InputError
from core.families import Family, Sizes
from core.families.heads import resolve_heads
from core.recipe import Method, Recipe, Schedule

_PAPER_LAYERS = {"bert": "last"}
"""The paper takes the last layers of mBERT and every second one of XLM-R (section 4)."""


def resolve(recipe: Recipe, family: Family, teacher: Sizes) -> Recipe:
    """The recipe without `auto`; targets that say nothing get the teacher's own sizes.

    Raises:
        InputError: the device that the recipe names is not here.
    """
    method = resolve_method(recipe.method, family)
    hidden = recipe.targets.hidden_size or teacher.hidden
    # What a coverage needs shows only when the corpus is counted.
    vocabulary = recipe.targets.vocabulary_size
    if vocabulary is None and recipe.targets.vocabulary_coverage is None:
        vocabulary = teacher.vocabulary
    targets = replace(
        recipe.targets,
        layers=recipe.targets.layers or teacher.layers,
        intermediate_size=recipe.targets.intermediate_size or teacher.feed_forward,
        hidden_size=hidden,
        attention_heads=resolve_heads(teacher, hidden, recipe.targets.attention_heads, method.hidden_reduction),
        vocabulary_size=vocabulary,
    )
    return replace(recipe, method=method, targets=targets, schedule=_schedule(recipe.schedule))


def resolve_method(method: Method, family: Family) -> Method:
    """The method without `auto`."""
    paper = method.preset == "paper"
    choices: dict[str, Any] = {
        # Every second layer from the first keeps the lowest layers, which a cut misses most.
        "layer_selection": _PAPER_LAYERS.get(family.name, "stride") if paper else "stride",
        # Whole heads stay whole; the paper's truncation mixes them.
        "hidden_reduction": "truncate" if paper else "per_head",
        # KL at masked tokens costs the least and was never behind.
        "kd_loss": "mse" if paper else "kl",
    }
    return replace(method, **{key: value for key, value in choices.items() if getattr(method, key) == "auto"})


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
    if isinstance(schedule.threads, int):
        torch.set_num_threads(schedule.threads)
    torch.use_deterministic_algorithms(schedule.device == "cpu", warn_only=True)
    # Nothing here reads memory that it hasn't written: filling it first would only cost time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _schedule(schedule: Schedule) -> Schedule:
    device = schedule.device
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[device]:
        found = ", ".join(name for name, here in present.items() if here)
        raise InputError(f"schedule.device is {device!r}, which this machine lacks.", hint=f"Here: {found}.")
    precision = schedule.precision
    if precision == "auto":
        precision = "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    threads = torch.get_num_threads() if schedule.threads == "auto" else schedule.threads
    return replace(schedule, device=device, precision=precision, threads=threads)
