"""Our side of the race: the very stages of a run, from the whole teacher to the last step after its layers are cut."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.speed.race_setting import Clock, Curve, given
from core.context import Quiet
from core.distillation.schedule import TrainingSettings
from core.distillation.training import Hooks
from core.distillation.validation import measure
from core.events import Event, Loss
from core.models import LanguageModel
from core.stages import STAGES
from core.workspace import Workspace


@dataclass
class Racing(Workspace):
    """A run whose student is validated as the reference's is, whenever the run itself validates it."""

    watch: Callable[[int, LanguageModel], None] = lambda _step, _lm: None
    begins: Callable[[], object] = lambda: None
    """Told when nothing is left but steps."""

    def hooks(self, settings: TrainingSettings, **about: Any) -> Hooks:
        """The run's, with the live scores' place taken."""
        self.begins()

        def probe(step: int, lm: LanguageModel) -> list[Event]:
            self.watch(step, lm)
            return []

        return replace(super().hooks(settings, **about), probe=probe)


@dataclass(slots=True)
class Last:
    """The step that was taken last."""

    tokens: int = 0
    """Of all steps so far."""
    ended: float = field(default_factory=time.perf_counter)

    def hear(self, event: Event) -> None:
        """Take note of a step."""
        if isinstance(event, Loss) and event.split == "train":
            self.tokens, self.ended = event.tokens, time.perf_counter()


def main() -> None:
    """Learn, and say how the loss fell."""
    setting, clock, last = given(), Clock(), Last()
    work, whole = setting.workspace("ours", Racing, last.hear), setting.load()
    clock.begin("vocabulary")
    outcome = STAGES["vocabulary"](whole, work)
    clock.stop()
    teacher = outcome.lm
    curve = Curve(clock, setting.validation(whole, teacher, outcome.notes["kept"]))
    teacher_loss = measure(teacher, curve.batches, Quiet()).mlm
    del whole

    def watch(step: int, lm: LanguageModel) -> None:
        # The run's own validation, just over, counts no more than ours: but for the first, whose beginning none tells.
        curve.add(step, last.tokens, lm, since=last.ended if step else None)

    work.watch, work.begins = watch, lambda: clock.begin("steps")
    clock.begin("layers and learning rate")
    made = STAGES["layers"](teacher, work)
    clock.stop()
    told = {"layers": made.notes["layers"], "learning_rate": made.notes["learning_rate"]}
    curve.told(**told, teacher_loss=teacher_loss, vocabulary=teacher.sizes.vocabulary)


if __name__ == "__main__":
    main()
