"""The live downstream curve: cheap probes of every task while a model trains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from core.context import Context
from core.distillation.schedule import TrainingSettings
from core.events import Event, Score
from core.models import LanguageModel
from core.recipe import Task
from core.tasks.examples import TaskData
from core.tasks.kinds import kind_of
from core.tasks.probe import LiveProbe

_SHARE = 0.1
"""Of a stage's training operations, that its probes may cost."""
_FORWARD = 1 / 3
"""Operations of a token that is only read, as a share of one that is learnt from."""


class LiveScores:
    """Probes of a run's tasks on validation examples, each tokenised once a tokenizer."""

    def __init__(self, tasks: Sequence[Task], data: Mapping[str, TaskData], seed: int) -> None:
        """`data` holds each task's examples by its name; `seed` chooses which are used."""
        self._tasks, self._data, self._seed = tasks, data, seed
        self._probes: dict[tuple[str, int], LiveProbe] = {}

    def due(self, step: int, settings: TrainingSettings, lm: LanguageModel) -> bool:
        """Whether a validation comes with scores: the first and the last always, those between as cost allows."""
        cost = _FORWARD * sum(self._probe(task, lm).tokens for task in self._tasks)
        allowed = _SHARE * settings.interval * settings.batch_tokens
        every = settings.interval * max(1, math.ceil(cost / allowed))
        return (step - settings.begin) % every == 0 or step == settings.steps

    def scores(
        self, stage: str, step: int, lm: LanguageModel, who: Literal["teacher", "student"], ctx: Context
    ) -> list[Event]:
        """One event a task."""
        return [
            Score(
                stage=stage,
                step=step,
                task=task.name,
                metric=kind_of(task.kind).metric,
                value=self._probe(task, lm)(lm, ctx),
                split="validation",
                seed=None,
                who=who,
                how="probe",
            )
            for task in self._tasks
        ]

    def _probe(self, task: Task, lm: LanguageModel) -> LiveProbe:
        # Within a run, a tokenizer is known by its size: trimming is all that changes it.
        key = (task.name, lm.sizes.vocabulary)
        if key not in self._probes:
            self._probes[key] = LiveProbe(self._data[task.name], lm.tokenizer, lm.max_length, self._seed)
        return self._probes[key]
