"""What a student is taught: its teacher's answers to the texts of a step, and how they are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.context import Context
from core.corpus.batches import MaskedBatch
from core.distillation.answers import Answers
from core.distillation.losses import Distance
from core.models import LanguageModel, tensors_of

_RIDGE = 1e-4
"""Of the map's least squares, as a share of the states' mean square."""


@dataclass(slots=True)
class Lesson:
    """Teacher and distance, where a stage distils."""

    teacher: LanguageModel
    distance: Distance
    answers: Answers | None = None
    """Where the teacher's answers are kept for another time."""
    repeats: bool = True
    """Whether training texts come again as they are, so that answers to them are worth keeping."""
    _weights: str = field(init=False, default="")
    """A hash of the teacher, where answers are kept: they may be other teachers' too."""

    def __post_init__(self) -> None:
        """Tell the teacher from others."""
        if self.answers is not None:
            told = hashlib.blake2b()
            for tensor in tensors_of(self.teacher).values():
                told.update(tensor.cpu().contiguous().numpy().data)
            self._weights = told.hexdigest()

    def places(self, batch: MaskedBatch) -> Tensor:
        """The places that the distance is taken at, as indices into batch * seq."""
        if self.distance.everywhere:
            return real_places(batch)
        return batch.positions

    @torch.no_grad()
    def answer(self, batch: MaskedBatch, *, layers: int = 0, again: bool = True) -> dict[str, Tensor]:
        """What the teacher says of a batch.

        Args:
            batch: on the teacher's device.
            layers: of the student, where hidden states are compared; 0: they aren't.
            again: whether the same may be asked again, so that the answer is worth keeping.

        Returns:
            "features": what its decoder multiplies at `places`, shape (places, hidden), float32; "hidden", where
            wanted: its states at every token, for each layer of the student those of the layer that ends as deep in
            the teacher, shape (layers, tokens, hidden), bfloat16: they are the bulk of what is kept, and a distance of
            states is never so small that their rounding would show.
        """
        key = self._question(batch, layers) if self.answers is not None else ""
        kept = self.answers.get(key) if self.answers is not None else None
        if kept is not None:
            return {name: tensor.to(batch.input_ids.device) for name, tensor in kept.items()}
        if layers:
            states = self.teacher.layer_states(batch.input_ids, batch.attention_mask)
            last = states[-1].flatten(0, 1)
        else:
            states, last = (), self.teacher.hidden_states(batch.input_ids, batch.attention_mask).flatten(0, 1)
        found = {"features": self.teacher.head_features(last.index_select(0, self.places(batch))).float()}
        if layers:
            as_deep = [states[(layer + 1) * len(states) // layers - 1] for layer in range(layers)]
            found["hidden"] = at_tokens(as_deep, batch).bfloat16()
        if self.answers is not None and again:
            self.answers.put(key, {name: tensor.cpu() for name, tensor in found.items()})
        return found

    def _question(self, batch: MaskedBatch, layers: int) -> str:
        """A hash of the teacher, the batch, what is wanted of it and the precision that it is computed in."""
        rough, shape = torch.is_autocast_enabled(batch.input_ids.device.type), tuple(batch.input_ids.shape)
        asked = hashlib.blake2b(f"{self._weights} {self.distance.everywhere} {layers} {rough} {shape}".encode())
        for tensor in (batch.input_ids, batch.attention_mask, batch.positions):
            asked.update(tensor.cpu().contiguous().numpy().data)
        return asked.hexdigest()[:32]

    @torch.no_grad()
    def hidden_map(
        self, student: LanguageModel, batches: Sequence[MaskedBatch], ctx: Context
    ) -> tuple[Tensor, list[float]]:
        """Where the maps from the student's hidden states to the teacher's start, and the scales of their distances.

        Args:
            student: on the teacher's device.
            batches: text; a map is the least squares on it (with a little ridge).
            ctx: asked between batches whether to go on.

        Returns:
            A map for each of the student's layers, shape (layers, student's hidden size, teacher's), float32; and for
            each the mean squared distance of the teacher's states from their mean.
        """
        layers, own, theirs = student.sizes.layers, student.sizes.hidden, self.teacher.sizes.hidden
        gram = torch.zeros(layers, own, own, dtype=torch.float64)
        cross = torch.zeros(layers, own, theirs, dtype=torch.float64)
        total, squares = torch.zeros(layers, theirs, dtype=torch.float64), torch.zeros(layers, dtype=torch.float64)
        count = 0
        student.model.eval()
        for batch in batches:
            ctx.check()
            batch = batch.to(student.model.device)
            said = at_tokens(student.layer_states(batch.input_ids, batch.attention_mask), batch).cpu().double()
            wanted = self.answer(batch, layers=layers)["hidden"].cpu().double()
            gram += said.mT @ said
            cross += said.mT @ wanted
            total += wanted.sum(1)
            squares += wanted.square().sum((1, 2))
            count += wanted.shape[1]
        means = gram.diagonal(dim1=1, dim2=2).mean(1)
        gram.diagonal(dim1=1, dim2=2).add_(_RIDGE * means[:, None] + 1e-12)
        scales = (squares - total.square().sum(1) / count) / count
        # One by one and by Cholesky: MKL's LU of a batch was seen to hang, its threads waiting for each other.
        maps = [
            torch.cholesky_solve(right, torch.linalg.cholesky(left)) for left, right in zip(gram, cross, strict=True)
        ]
        return torch.stack(maps).float(), scales.clamp_min(1e-12).tolist()


def at_tokens(states: Sequence[Tensor], batch: MaskedBatch) -> Tensor:
    """Layers' states, each of shape (batch, seq, hidden), at the places that hold tokens: (layers, tokens, hidden)."""
    real = real_places(batch)
    return torch.stack([state.flatten(0, 1).index_select(0, real) for state in states]).float()


def real_places(batch: MaskedBatch) -> Tensor:
    """The places that hold tokens, as indices into batch * seq."""
    return batch.attention_mask.flatten().nonzero()[:, 0]
