"""What a student is taught: its teacher's answers to the texts of a step, and how they are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from core.context import Context
from core.corpus.batches import MaskedBatch
from core.distillation.losses import Distance
from core.models import LanguageModel, tensors_of

_RIDGE = 1e-4
"""Of the map's least squares, as a share of the states' mean square."""


class Answers(Protocol):
    """Keeps what teachers said, each answer under a hash of who was asked what; it may forget."""

    def get(self, key: str) -> Mapping[str, Tensor] | None:
        """What was put there, bit for bit, or None."""

    def put(self, key: str, answers: Mapping[str, Tensor]) -> None:
        """Keep answers, if there is room."""


class Remembered:
    """Answers in memory, up to a number of bytes; what comes after isn't kept."""

    def __init__(self, most: int) -> None:
        """`most`: bytes."""
        self._left = most
        self._kept: dict[str, Mapping[str, Tensor]] = {}

    def get(self, key: str) -> Mapping[str, Tensor] | None:
        """What was put there, or None."""
        return self._kept.get(key)

    def put(self, key: str, answers: Mapping[str, Tensor]) -> None:
        """Keep answers, if there is room."""
        size = sum(tensor.nbytes for tensor in answers.values())
        if size <= self._left:
            self._left -= size
            self._kept[key] = answers


@dataclass(slots=True)
class Lesson:
    """Teacher and distance, where a stage distils."""

    teacher: LanguageModel
    distance: Distance
    answers: Answers | None = None
    """Where the teacher's answers are kept for another time."""
    _weights: str = field(init=False, default="")
    """A hash of the teacher, where answers are kept: they may be other teachers' too."""

    def __post_init__(self) -> None:
        """Tell the teacher from others."""
        if self.answers is not None:
            told = hashlib.blake2b()
            for tensor in tensors_of(self.teacher).values():
                told.update(tensor.cpu().contiguous().numpy().tobytes())
            self._weights = told.hexdigest()

    def places(self, batch: MaskedBatch) -> Tensor:
        """The places that the distance is taken at, as indices into batch * seq."""
        if self.distance.everywhere:
            return real_places(batch)
        return batch.positions

    @torch.no_grad()
    def answer(self, batch: MaskedBatch, *, hidden: bool = False) -> dict[str, Tensor]:
        """What the teacher says of a batch.

        Args:
            batch: on the teacher's device.
            hidden: whether its hidden states are wanted too.

        Returns:
            "features": what its decoder multiplies at `places`, shape (places, hidden); "hidden", if wanted: its last
            hidden state at every token, shape (tokens, hidden). Float32.
        """
        key = self._question(batch, hidden) if self.answers is not None else ""
        kept = self.answers.get(key) if self.answers is not None else None
        if kept is not None:
            return {name: tensor.to(batch.input_ids.device) for name, tensor in kept.items()}
        states = self.teacher.hidden_states(batch.input_ids, batch.attention_mask).flatten(0, 1)
        found = {"features": self.teacher.head_features(states.index_select(0, self.places(batch))).float()}
        if hidden:
            found["hidden"] = states.index_select(0, real_places(batch)).float()
        if self.answers is not None:
            self.answers.put(key, {name: tensor.cpu() for name, tensor in found.items()})
        return found

    def _question(self, batch: MaskedBatch, hidden: bool) -> str:
        """A hash of the teacher, the batch, what is wanted of it and the precision that it is computed in."""
        rough, shape = torch.is_autocast_enabled(batch.input_ids.device.type), tuple(batch.input_ids.shape)
        asked = hashlib.blake2b(f"{self._weights} {self.distance.everywhere} {hidden} {rough} {shape}".encode())
        for tensor in (batch.input_ids, batch.attention_mask, batch.positions):
            asked.update(tensor.cpu().numpy().tobytes())
        return asked.hexdigest()[:32]

    @torch.no_grad()
    def hidden_map(self, student: LanguageModel, batches: Sequence[MaskedBatch], ctx: Context) -> tuple[Tensor, float]:
        """Where the map from the student's hidden states to the teacher's starts, and the scale of their distance.

        Args:
            student: on the teacher's device.
            batches: text; the map is the least squares on it (with a little ridge).
            ctx: asked between batches whether to go on.

        Returns:
            The map, shape (student's hidden size, teacher's), float32; the mean squared distance of the teacher's
            states from their mean.
        """
        gram = torch.zeros(student.sizes.hidden, student.sizes.hidden, dtype=torch.float64)
        cross = torch.zeros(student.sizes.hidden, self.teacher.sizes.hidden, dtype=torch.float64)
        total, squares, count = torch.zeros(self.teacher.sizes.hidden, dtype=torch.float64), 0.0, 0
        student.model.eval()
        for batch in batches:
            ctx.check()
            batch = batch.to(student.model.device)
            own, theirs = (
                lm.hidden_states(batch.input_ids, batch.attention_mask)
                .flatten(0, 1)
                .index_select(0, real_places(batch))
                .cpu()
                .double()
                for lm in (student, self.teacher)
            )
            gram += own.T @ own
            cross += own.T @ theirs
            total += theirs.sum(0)
            squares += float(theirs.square().sum())
            count += len(theirs)
        gram.diagonal().add_(_RIDGE * float(gram.trace()) / len(gram) + 1e-12)
        scale = (squares - float(total.square().sum()) / count) / count
        return torch.linalg.solve(gram, cross).float(), max(scale, 1e-12)


def real_places(batch: MaskedBatch) -> Tensor:
    """The places that hold tokens, as indices into batch * seq."""
    return batch.attention_mask.flatten().nonzero()[:, 0]
