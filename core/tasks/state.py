"""A task's training in the middle: an interrupted one that takes it up ends as if nothing had happened."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.tasks.learners import Learner

_STATE, _TENSORS = "state.json", "tensors.safetensors"
_MOMENTS, _UPDATES = ("exp_avg", "exp_avg_sq"), "step"
"""What AdamW remembers of each parameter; it keeps the count of updates on the processor."""
_ORDER_VERSION = 3
"""Of the form in which Python's generators tell their state."""


@dataclass(slots=True)
class Counters:
    """How far a training is."""

    epoch: int = 1
    """The one under way, from 1."""
    batches: int = 0
    """Of it that are done."""
    step: int = 0
    """Of all epochs that are done."""
    best_epoch: int = 0
    """With the highest validation score so far, the first of equals; 0: none was validated."""
    best_score: float = 0.0

    @property
    def stale(self) -> int:
        """Whole epochs since the best one."""
        return self.epoch - 1 - self.best_epoch if self.best_epoch else 0


class TaskState:
    """A learner in training as of its last whole optimiser step, with its optimiser and all that is left to chance.

    Args:
        model: what learns.
        seed: of the examples' order; dropout draws from the global generators, seeded by the caller.
    """

    def __init__(self, model: Learner, seed: int) -> None:
        self.learning = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self.optimizer = torch.optim.AdamW(self.learning.values(), lr=0.0, weight_decay=0.01)
        self.counters = Counters()
        self.rng = random.Random(seed)
        """Draws each epoch's order at its beginning, and nothing else."""
        self._device = torch.device(model.device)
        self._order = self.rng.getstate()
        """As it was at the beginning of the epoch."""
        self._chance = _chance(self._device)
        self._best: dict[str, Tensor] = {}

    @property
    def size(self) -> int:
        """Bytes that `save` writes, about: what is learnt, as many moments twice, the best."""
        return (2 + len(_MOMENTS)) * sum(parameter.nbytes for parameter in self.learning.values())

    def step_done(self) -> None:
        """A batch's update was made."""
        self.counters.step += 1
        self.counters.batches += 1
        # Not when it is saved: a stop comes in the middle of a step, when dropout has drawn for a part of it.
        self._chance = _chance(self._device)

    def epoch_done(self, score: float) -> None:
        """All batches of the epoch are done, and validation gave this score."""
        counters = self.counters
        if not counters.best_epoch or score > counters.best_score:
            counters.best_epoch, counters.best_score = counters.epoch, score
            self._best = {name: value.detach().clone() for name, value in self.learning.items()}
        counters.epoch, counters.batches = counters.epoch + 1, 0
        self._order = self.rng.getstate()

    def restore_best(self) -> None:
        """Put the model back to what it was after its best epoch."""
        with torch.no_grad():
            for name, parameter in self.learning.items():
                parameter.copy_(self._best[name])

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the state into a folder, with what the caller wants to know about it."""
        tensors = {f"chance/{name}": value for name, value in self._chance.items()}
        tensors["order"] = torch.tensor(self._order[1])
        for name, parameter in self.learning.items():
            tensors[f"learnt/{name}"] = parameter.detach()
            remembered = self.optimizer.state.get(parameter, {})  # nothing of one that no loss reaches
            tensors |= {f"{moment}/{name}": value for moment, value in remembered.items()}
        tensors |= {f"best/{name}": value for name, value in self._best.items()}
        save_file({name: value.contiguous().cpu() for name, value in tensors.items()}, folder / _TENSORS)
        content = {"about": about, "counters": asdict(self.counters)}
        (folder / _STATE).write_text(json.dumps(content), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Take up the state that `save` wrote; sets the global generators, too."""
        tensors = load_file(folder / _TENSORS)
        self.counters = Counters(**json.loads((folder / _STATE).read_text(encoding="utf-8"))["counters"])
        self._order = (_ORDER_VERSION, tuple(tensors["order"].tolist()), None)
        self.rng.setstate(self._order)
        self._chance = {name: tensors[f"chance/{name}"].clone() for name in self._chance}
        torch.set_rng_state(self._chance["cpu"])
        if "cuda" in self._chance:
            torch.cuda.set_rng_state(self._chance["cuda"], self._device)
        with torch.no_grad():
            for name, parameter in self.learning.items():
                parameter.copy_(tensors[f"learnt/{name}"])
                if f"{_UPDATES}/{name}" in tensors:
                    self.optimizer.state[parameter] = {
                        _UPDATES: tensors[f"{_UPDATES}/{name}"].clone(),
                        **{moment: tensors[f"{moment}/{name}"].to(self._device, copy=True) for moment in _MOMENTS},
                    }
        if self.counters.best_epoch:
            self._best = {name: tensors[f"best/{name}"].to(self._device, copy=True) for name in self.learning}


def _chance(device: torch.device) -> dict[str, Tensor]:
    """What dropout draws from."""
    found = {"cpu": torch.get_rng_state()}
    return found | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else found


class Keeper(Protocol):
    """Keeps one training's state where an interruption can't reach it."""

    def restore(self, state: TaskState) -> None:
        """Let the training go on where an earlier one of the very same was interrupted, if there is such a one."""

    def due(self, state: TaskState) -> bool:
        """Whether so much was learnt since the last time that the state should be saved."""

    def save(self, state: TaskState) -> None:
        """Keep the state."""


class NotKept:
    """Keeps nothing: an interrupted training begins anew."""

    def restore(self, state: TaskState) -> None:
        """Begin at the beginning."""

    def due(self, state: TaskState) -> bool:
        """Never."""
        return False

    def save(self, state: TaskState) -> None:
        """Drop it."""
