"""The one cut that every reduction ends in: keep some indices along some axes, drop the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from core.families import REDUCIBLE, Axis, Sizes
from core.models import LanguageModel, rebuild, tensors_of


def cut(
    lm: LanguageModel,
    sizes: Sizes,
    index_by_axis: Mapping[Axis, Tensor],
    *,
    layers: Sequence[int] | None = None,
    tensors: Mapping[str, Tensor] | None = None,
    share: bool = False,
) -> LanguageModel:
    """A model that holds only the kept indices of each axis; the family table says which tensors that concerns.

    Args:
        lm: the model to cut; it stays as it is.
        sizes: the new model's sizes; they must agree with the indices.
        index_by_axis: for each axis to cut (or reorder) the kept indices, int64, shape (kept), or (layers, kept) with
            a row for each layer of `lm` where the layers differ. An axis that isn't named stays whole.
        layers: the layers of `lm` that the new model consists of, in order; None: all.
        tensors: weights to cut instead of the model's own, by full name, of the same shapes.
        share: use tensors of which nothing is cut in both models; then neither may be trained.

    Returns:
        The new model, on the CPU, in evaluation mode.
    """
    fixed = [size for size in REDUCIBLE if size in lm.sizes.fixed and getattr(sizes, size) != getattr(lm.sizes, size)]
    if fixed:
        raise AssertionError(f"the {lm.family.name} table does not say how to cut {', '.join(fixed)}")
    tensors = tensors_of(lm) if tensors is None else tensors
    layers = range(lm.sizes.layers) if layers is None else layers
    kept: dict[str, Tensor] = {}
    for entry in lm.family.tensors:
        for new, old in enumerate(layers) if "{layer}" in entry.name else [(0, 0)]:
            source = entry.name.format(layer=old)
            if source in tensors:  # else another tensor's second name, or the model has none
                kept[entry.name.format(layer=new)] = _select(tensors[source], entry.axes, index_by_axis, old)
    return rebuild(lm, sizes, kept, share=share)


def _select(tensor: Tensor, axes: Sequence[Axis], index_by_axis: Mapping[Axis, Tensor], layer: int) -> Tensor:
    for dimension, axis in enumerate(axes):
        if axis in index_by_axis:
            index = index_by_axis[axis]
            index = index[layer] if index.ndim == 2 else index
            tensor = tensor.index_select(dimension, index.to(tensor.device))
    return tensor
