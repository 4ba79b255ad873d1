"""A training stage's state on disk: weights, optimiser moments, best weights, counters. Safetensors and JSON only."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.corpus.batches import MaskedBatch
from core.errors import InputError
from core.models import LanguageModel, tensors_of
from core.small_files import read_object

_STATE, _TENSORS = "state.json", "tensors.safetensors"
_MOST_BYTES = 2**28
"""Of a state's notes, which hold what trained tasks answered to all their test examples."""
_MOMENTS = ("exp_avg", "exp_avg_sq")
_UPDATES = "step"
"""AdamW's own count of a parameter's updates: a later round's optimiser begins anew while the stage counts on."""
_MAP, _BEST_MAP = "hidden map", "best hidden map"


@dataclass(slots=True)
class Counters:
    """What a stage has done so far; everything a resumed one must know besides tensors."""

    step: int = 0
    tokens: int = 0
    timed_tokens: int = 0
    timed_seconds: float = 0.0
    """Of the steps that throughput is taken over: all but the first."""
    validated_step: int = -1
    best_step: int = 0
    best_loss: float = float("inf")
    """Lowest validation total so far."""
    best_mlm: float = float("inf")
    stale: int = 0
    """Validations since the lowest one."""
    first_loss: float | None = None
    """The validation total with which the training, or this round of it, began; None in an older checkpoint."""
    best_tokens: int = 0
    best_log: int = 0
    """Length of the event log after the lowest validation, in bytes."""
    divergences: list[dict[str, Any]] = field(default_factory=list)
    """How often the learning rate was halved and why, as `core.distillation.divergence.Divergence` tells it."""
    hidden_scales: list[float] = field(default_factory=list)
    """Of the distances between hidden states, see `core.distillation.losses.hidden_state_sum`."""

    def rate(self, given: float) -> float:
        """What is left of a learning rate: half of it after each divergence."""
        return given * 0.5 ** len(self.divergences)

    def next_round(self) -> Counters:
        """The counters with which a smaller model goes on: steps and tokens count on, the best starts anew."""
        return Counters(
            self.step, self.tokens, self.timed_tokens, self.timed_seconds, divergences=list(self.divergences)
        )


@dataclass(slots=True)
class TrainingState:
    """A model in training; `best` are the weights with the lowest validation loss so far."""

    lm: LanguageModel
    optimizer: torch.optim.Optimizer
    counters: Counters = field(default_factory=Counters)
    best: dict[str, Tensor] = field(default_factory=dict)
    hidden_map: torch.nn.Parameter | None = None
    """Carries hidden states into the teacher's space, shape (hidden, teacher's hidden); learns beside the model."""
    best_map: Tensor | None = None
    """The map of hidden states that belongs to `best`."""
    went_back: bool = False
    """Whether this is the last good point of a training that has diverged since."""
    halvings: int = 0
    """How often micro-batches were halved, as memory didn't suffice; a resumed run finds out anew."""

    def parted(self, batches: Sequence[MaskedBatch]) -> list[MaskedBatch]:
        """A step's micro-batches, so often halved."""
        parts = list(batches)
        for _ in range(self.halvings):
            parts = [half for batch in parts for half in batch.halves()]
        return parts

    @property
    def learning(self) -> list[torch.nn.Parameter]:
        """All that the optimiser changes."""
        return [parameter for _, parameter in self._named()]

    @property
    def size(self) -> int:
        """Bytes that `save` writes, about: weights, as many moments twice, the best weights."""
        return (2 + len(_MOMENTS)) * sum(parameter.nbytes for parameter in self.learning)

    def begin_hidden_map(self, start: Tensor, scales: list[float]) -> None:
        """Let a map of hidden states learn from here on; `scales` as in `Counters`."""
        self.hidden_map = torch.nn.Parameter(start.to(self.lm.model.device))
        self.optimizer.add_param_group({"params": [self.hidden_map]})
        self.counters.hidden_scales = scales

    def keep_best(self) -> None:
        """Remember the weights as they are now."""
        self.best = {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors_of(self.lm).items()}
        self.best_map = None if self.hidden_map is None else self.hidden_map.detach().to("cpu", copy=True)

    def go_back(self) -> None:
        """Become what was validated best; the optimiser's moments, which led away from it, begin anew."""
        with torch.no_grad():
            for name, tensor in tensors_of(self.lm).items():
                tensor.copy_(self.best[name])
            if self.hidden_map is not None and self.best_map is not None:
                self.hidden_map.copy_(self.best_map)
        self.optimizer.state.clear()
        counters = self.counters
        counters.step, counters.tokens, counters.stale = counters.best_step, counters.best_tokens, 0
        counters.validated_step = counters.best_step
        self.went_back = True

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the state into a folder, with what the caller wants to know about it."""
        tensors: dict[str, Tensor] = {}
        for name, parameter in self._named():
            tensors[f"model/{name}"] = parameter.detach()
            for moment in (*_MOMENTS, _UPDATES) if parameter in self.optimizer.state else ():
                tensors[f"{moment}/{name}"] = self.optimizer.state[parameter][moment]
        tensors |= {f"best/{name}": tensor for name, tensor in self.best.items()}
        if self.best_map is not None:
            tensors[_BEST_MAP] = self.best_map
        save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, folder / _TENSORS)
        content = {"about": about, "counters": asdict(self.counters)}
        (folder / _STATE).write_text(json.dumps(content), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Take up the state that `save` wrote."""
        tensors = load_file(folder / _TENSORS)
        self.counters = Counters(**json.loads((folder / _STATE).read_text(encoding="utf-8"))["counters"])
        if f"model/{_MAP}" in tensors:
            self.begin_hidden_map(tensors[f"model/{_MAP}"], self.counters.hidden_scales)
        with torch.no_grad():
            for name, parameter in self._named():
                parameter.copy_(tensors[f"model/{name}"])
                # One that no loss reaches, such as the second bias of an untied head, has no moments.
                if f"{_MOMENTS[0]}/{name}" in tensors:
                    self.optimizer.state[parameter] = {
                        # An older checkpoint lacks it; then it was a first round's, where it equals the stage's count.
                        _UPDATES: tensors.get(f"{_UPDATES}/{name}", torch.tensor(float(self.counters.step))).clone(),
                        **{moment: tensors[f"{moment}/{name}"].clone().to(parameter.device) for moment in _MOMENTS},
                    }
        best = {name.removeprefix("best/"): tensor for name, tensor in tensors.items() if name.startswith("best/")}
        self.best = {name: tensor.clone() for name, tensor in best.items()}
        self.best_map = tensors[_BEST_MAP].clone() if _BEST_MAP in tensors else None

    def _named(self) -> list[tuple[str, torch.nn.Parameter]]:
        extra = [(_MAP, self.hidden_map)] if self.hidden_map is not None else []
        return [*self.lm.model.named_parameters(), *extra]


def read_about(folder: Path) -> dict[str, Any]:
    """What the caller noted about a saved state; empty where there is none."""
    try:
        return dict(read_object(folder / _STATE, _MOST_BYTES)["about"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@contextlib.contextmanager
def taking_up(folder: Path) -> Iterator[None]:
    """Take up what a checkpoint holds; it may be whole and yet another run's.

    Raises:
        InputError: it doesn't fit.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"The checkpoint in {folder} doesn't fit this run.",
            hint="Delete that folder and resume: the stage that it is of begins anew.",
        ) from error
