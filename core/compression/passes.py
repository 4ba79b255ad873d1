"""Running a model over text to learn about it, and leaving it as it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from core.models import LanguageModel

if TYPE_CHECKING:
    from core.corpus.batches import MaskedBatch


@contextmanager
def frozen(model: nn.Module, but: Iterable[nn.Parameter] = ()) -> Iterator[None]:
    """Evaluation mode, with gradients for the parameters `but` alone; afterwards the model is as it was."""
    training = model.training
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        model.eval().requires_grad_(False)
        for parameter in but:
            parameter.requires_grad_(True)
        yield
    finally:
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)
        model.train(training)


@contextmanager
def hooked(handles: Iterable[RemovableHandle]) -> Iterator[None]:
    """Hooks that are gone afterwards."""
    handles = list(handles)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def in_double(tensor: Tensor) -> Tensor:
    """The tensor in float64; on the CPU where its device doesn't know that type."""
    return tensor.cpu().double() if tensor.device.type == "mps" else tensor.double()


def masked_loss(lm: LanguageModel, hidden: Tensor, batch: MaskedBatch) -> Tensor:
    """Masked-LM loss summed over a batch's masked places, in nats; logits exist at these only.

    Args:
        lm: the model whose head speaks.
        hidden: its last layer's output on the batch, shape (batch, seq, hidden).
        batch: on the model's device; with nothing masked the loss is 0.
    """
    features = lm.head_features(hidden.flatten(0, 1).index_select(0, batch.positions))
    logits = nn.functional.linear(features, *lm.decoder)
    return nn.functional.cross_entropy(logits, batch.labels, reduction="sum")
