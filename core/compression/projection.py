"""A model in a narrower residual stream: every weight in one new basis, and what that can't carry over fitted anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from core.compression.attention import Attention
from core.compression.basis import Basis
from core.compression.refit import Regression, Transform, normalised, refit_transform
from core.compression.statistics import Moments, Statistics, read_stream, stream_norms
from core.context import Context
from core.families import Sizes
from core.models import LanguageModel, rebuild, tensors_of

if TYPE_CHECKING:
    from core.corpus.batches import MaskedBatch

AttentionPlan = Callable[[int, Attention, Moments], Attention]
"""(layer, its attention in the new basis, moments of its inputs there) → attention of the new number and width of
heads."""


@dataclass(frozen=True, slots=True)
class _Names:
    """Where a model's tensors are, by what they do."""

    norms: tuple[str, ...]
    """LayerNorms of the stream, in order."""
    transform: str
    transform_norm: str
    decoder_weight: str
    decoder_bias: str


def project(
    lm: LanguageModel,
    sizes: Sizes,
    basis: Basis,
    statistics: Statistics,
    plan: AttentionPlan,
    batches: Sequence[MaskedBatch],
    ctx: Context,
    *,
    fold_means: bool,
) -> LanguageModel:
    """The model as it is within a subspace of its residual stream.

    With the basis P (orthonormal columns), what reads the stream becomes W·P, what writes it Pᵀ·W. Each LayerNorm's
    gain and bias are fitted unit by unit, from normalise(Pᵀu) to Pᵀh, where u goes into the wide model's LayerNorm and
    h comes out. The head's transform is fitted to the decoder's inputs that give the wide model's logits as nearly as
    the narrow decoder can.

    Args:
        lm: the wide model; it stays as it is.
        sizes: the narrow model's.
        basis: P, and the unit that each column is nearest to.
        statistics: of the wide model.
        plan: makes each layer's attention narrower.
        batches: text to fit on.
        ctx: told of every batch.
        fold_means: add what the mean of the lost directions did to the biases of what reads the stream.
    """
    names, onto = _names(lm), basis.matrix
    metric = _decoder_squares(lm, ctx)
    tensors = _in_basis(lm, names, onto)
    lost = [moments.mean - onto @ (onto.T @ moments.mean) for moments in statistics.stream]
    if fold_means:
        _fold(lm, tensors, lost)
    for layer in range(lm.sizes.layers):
        ctx.check()
        inputs = statistics.stream[2 * layer]
        narrow = Moments(onto.T @ inputs.mean, onto.T @ inputs.covariance @ onto)
        _write_attention(lm, tensors, layer, plan(layer, _read_attention(lm, tensors, layer), narrow))
    hidden, features = _refit_norms(lm, names, tensors, onto, batches, ctx)
    _refit_head(
        lm,
        names,
        tensors,
        basis,
        metric,
        lost[-1] if fold_means else torch.zeros_like(lost[-1]),
        hidden,
        features,
        ctx,
    )
    if fold_means:
        _fold_logits(lm, names, tensors, onto, metric, statistics.features.mean)
    return rebuild(lm, sizes, tensors)


def _names(lm: LanguageModel) -> _Names:
    family, modules = lm.family, {module: name for name, module in lm.model.named_modules()}
    second_names = family.tied if lm.sizes.tied else {}
    decoder = [f"{family.decoder}.{kind}" for kind in ("weight", "bias")]
    return _Names(
        tuple(modules[norm] for norm in stream_norms(lm)),
        family.transform[0],
        family.transform[1],
        *(second_names.get(name, name) for name in decoder),
    )


def _in_basis(lm: LanguageModel, names: _Names, basis: Tensor) -> dict[str, Tensor]:
    """Every tensor with its hidden axes in the new basis, but those that are fitted later."""
    fitted = {f"{module}.{kind}" for module in (*names.norms, names.transform_norm) for kind in ("weight", "bias")}
    fitted |= {f"{names.transform}.{kind}" for kind in ("weight", "bias")}
    old, new = tensors_of(lm), {}
    for name, entry in lm.family.all_tensors(lm.sizes):
        tensor = old[name].cpu()
        if name not in fitted and "hidden" in entry.axes:
            # Embeddings have hundreds of thousands of rows: they stay in float32.
            tensor = tensor if "vocabulary" in entry.axes else tensor.double()
            for dimension in (place for place, axis in enumerate(entry.axes) if axis == "hidden"):
                tensor = torch.tensordot(tensor, basis.to(tensor.dtype), ([dimension], [0])).movedim(-1, dimension)
        new[name] = tensor
    return new


def _weights(lm: LanguageModel, path: str | None, layer: int) -> tuple[str, str]:
    prefix = f"{lm.family.layer.format(layer=layer)}.{path}"
    return f"{prefix}.weight", f"{prefix}.bias"


def _fold(lm: LanguageModel, tensors: dict[str, Tensor], lost: Sequence[Tensor]) -> None:
    """Add to the biases of what reads the stream what the lost directions give in the mean."""
    family, old = lm.family, tensors_of(lm)
    for layer in range(lm.sizes.layers):
        readers = [(path, lost[2 * layer]) for path in (family.query, family.key, family.value)]
        for path, mean in [*readers, (family.feed_forward_in, lost[2 * layer + 1])]:
            weight, bias = _weights(lm, path, layer)
            tensors[bias] = tensors[bias].double() + old[weight].cpu().double() @ mean


def _attention_names(lm: LanguageModel, layer: int) -> list[str]:
    family = lm.family
    paths = (family.query, family.key, family.value, family.attention_output)
    return [name for path in paths for name in _weights(lm, path, layer)]


def _read_attention(lm: LanguageModel, tensors: dict[str, Tensor], layer: int) -> Attention:
    return Attention(*(tensors[name].double() for name in _attention_names(lm, layer)))


def _write_attention(lm: LanguageModel, tensors: dict[str, Tensor], layer: int, attention: Attention) -> None:
    for name, entry in zip(_attention_names(lm, layer), fields(attention), strict=True):
        tensors[name] = getattr(attention, entry.name)


def _refit_norms(
    lm: LanguageModel,
    names: _Names,
    tensors: dict[str, Tensor],
    basis: Tensor,
    batches: Sequence[MaskedBatch],
    ctx: Context,
) -> tuple[Tensor, Tensor]:
    """Fit the gains; also the last hidden states at masked places in the new basis, and the decoder's inputs there."""
    norms = stream_norms(lm)
    regressions = [Regression(basis.shape[1]) for _ in norms]
    states: list[Tensor] = []
    features: list[Tensor] = []
    onto = basis.float().to(lm.model.device)
    for done, (pairs, at_masks, made) in enumerate(read_stream(lm, batches, ctx), start=1):
        for regression, norm, (before, after) in zip(regressions, norms, pairs, strict=True):
            regression.add(normalised(before @ onto, _eps(norm)), after @ onto)
        states.append((at_masks @ onto).cpu())
        features.append(made.cpu())
        ctx.progress(done, len(batches))
    for name, regression in zip(names.norms, regressions, strict=True):
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = regression.solve()
    return torch.cat(states), torch.cat(features)


def _refit_head(
    lm: LanguageModel,
    names: _Names,
    tensors: dict[str, Tensor],
    basis: Basis,
    metric: Tensor,
    lost: Tensor,
    hidden: Tensor,
    features: Tensor,
    ctx: Context,
) -> None:
    """Fit the transform: from the nearest inner units, LayerNorm by regression, then all of it by gradient."""
    old, onto, units = tensors_of(lm), basis.matrix, basis.units
    weight = old[f"{names.transform}.weight"].cpu().double()
    bias = old[f"{names.transform}.bias"].cpu().double() + weight @ lost
    # Each new axis is near an old unit: that unit's inner value is where to begin.
    dense, offset = (weight @ onto)[units].float(), bias[units].float()
    narrow = onto.T @ metric @ onto
    wanted = (features.double() @ metric @ onto @ torch.linalg.pinv(narrow, hermitian=True)).float()
    eps = _eps(lm.module(names.transform_norm))
    regression = Regression(len(units))
    regression.add(normalised(lm.head_activation(nn.functional.linear(hidden, dense, offset)), eps), wanted)
    gain, shift = (tensor.float() for tensor in regression.solve())
    start = Transform(dense, offset, gain, shift)
    fitted = refit_transform(start, lm.head_activation, eps, hidden, wanted, narrow.float(), ctx)
    tensors[f"{names.transform}.weight"], tensors[f"{names.transform}.bias"] = fitted.weight, fitted.bias
    tensors[f"{names.transform_norm}.weight"], tensors[f"{names.transform_norm}.bias"] = fitted.gain, fitted.shift


def _decoder_squares(lm: LanguageModel, ctx: Context) -> Tensor:
    """EᵀE of the decoder's matrix, float64."""
    weight = lm.decoder[0].detach().cpu()
    squares = torch.zeros(weight.shape[1], weight.shape[1], dtype=torch.float64)
    for rows in weight.split(16_384):
        ctx.check()
        squares += rows.double().T @ rows.double()
    return squares


def _fold_logits(
    lm: LanguageModel, names: _Names, tensors: dict[str, Tensor], basis: Tensor, metric: Tensor, mean: Tensor
) -> None:
    """Add to the decoder's bias the mean logits that no narrow feature can give."""
    kept = basis @ torch.linalg.pinv(basis.T @ metric @ basis, hermitian=True) @ (basis.T @ metric @ mean)
    if names.decoder_bias in tensors:
        weight = lm.decoder[0].detach().cpu()
        tensors[names.decoder_bias] = tensors[names.decoder_bias] + weight @ (mean - kept).float()


def _eps(norm: nn.Module) -> float:
    return float(cast(nn.LayerNorm, norm).eps)
