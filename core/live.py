"""The live downstream curve: cheap probes of every task while a model trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from transformers import PreTrainedTokenizerBase

from core.analysis.allowances import probe_interval, set_share
from core.analysis.operations import Reading, training
from core.context import Context
from core.distillation.schedule import TrainingSettings
from core.events import Event, Score
from core.models import LanguageModel
from core.recipe import Task
from core.tasks.examples import TaskData
from core.tasks.kinds import kind_of
from core.tasks.probe import MAX_LENGTH, LiveProbe, read_texts
from core.vocabulary.soundness import cutting


class LiveScores:
    """Probes of a run's tasks on validation examples, each tokenised once a tokenizer."""

    def __init__(
        self,
        tasks: Sequence[Task],
        data: Mapping[str, TaskData],
        seed: int,
        *,
        tokenizer: PreTrainedTokenizerBase,
        shortest: float,
        asked: float,
    ) -> None:
        """Choose how many examples the probes take, see `core.analysis.allowances.set_share`.

        Args:
            tasks: the run's.
            data: each task's examples by its name.
            seed: chooses which are used.
            tokenizer: the original teacher's, whatever is probed first, so that the choice is always the same.
            shortest: tokens of the shortest training that is probed.
            asked: characters of text that a teacher is asked about, at least.
        """
        self._tasks, self._data, self._seed = tasks, data, seed
        texts = [text for task in tasks for text in read_texts(data[task.name], seed)]
        with cutting(texts, tokenizer.backend_tokenizer):
            read = tokenizer(texts, verbose=False)["input_ids"] if texts else []
        lengths = [min(MAX_LENGTH, len(ids)) for ids in read]
        tokens, characters = sum(lengths), max(1, sum(map(len, texts)))
        self._share = set_share(tokens, shortest, asked * tokens / characters)
        self._probes: dict[tuple[str, int], LiveProbe] = {}

    def due(self, step: int, settings: TrainingSettings, lm: LanguageModel) -> bool:
        """Whether a validation comes with scores: the first and the last always, those between as cost allows."""
        cost = sum(self._probe(task, lm).work(lm) for task in self._tasks)
        # The least that a step takes: the model's layers, token by token.
        training_step = training(lm.family, lm.sizes, Reading(settings.batch_tokens, 0, 0, 0))
        every = probe_interval(settings, cost, training_step)
        return (step - settings.begin) % every == 0 or step == settings.steps

    def scores(
        self,
        stage: str,
        step: int,
        lm: LanguageModel,
        who: Literal["teacher", "student"],
        ctx: Context,
        *,
        bfloat16: bool,
    ) -> list[Event]:
        """One event a task; `bfloat16` where training computes in it, so that probes cost as little."""
        return [
            Score(
                stage=stage,
                step=step,
                task=task.name,
                metric=kind_of(task.kind).metric,
                value=self._probe(task, lm)(lm, ctx, bfloat16=bfloat16),
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
            data = self._data[task.name]
            self._probes[key] = LiveProbe(data, lm.tokenizer, lm.max_length, self._seed, share=self._share)
        return self._probes[key]
