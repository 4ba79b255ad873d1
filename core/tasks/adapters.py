"""Bottleneck adapters: a frozen encoder learns a task through a few new parameters a layer."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from core.models import LanguageModel


class Adapter(nn.Module):
    """A feed-forward block's closing LayerNorm with a bottleneck after it.

    LN(z + up(relu(down(LN(z))))), z being the block's output with its residual: AdapterHub's "seq_bn" (Pfeiffer et
    al. 2021, arXiv:2005.00247), the form the paper evaluates with. `up` starts at zero, so the layer starts unchanged.
    """

    def __init__(self, norm: nn.LayerNorm, reduction_factor: int, generator: torch.Generator) -> None:
        super().__init__()
        width = norm.normalized_shape[0]
        bottleneck = max(1, width // reduction_factor)
        self.norm = norm
        # skip_init: nn.Linear's own first values would be drawn from the global generator.
        self.down = nn.utils.skip_init(nn.Linear, width, bottleneck)
        self.up = nn.utils.skip_init(nn.Linear, bottleneck, width)
        with torch.no_grad():
            # He et al. 2015 for a ReLU: what comes in has variance 1, and so should what goes out of it.
            self.down.weight.normal_(std=math.sqrt(2 / width), generator=generator)
        for parameter in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(parameter)

    def forward(self, z: Tensor) -> Tensor:
        """The layer's output, shape as `z`: (batch, seq, hidden)."""
        return self.norm(z + self.up(torch.relu(self.down(self.norm(z)))))  # type: ignore[no-any-return]


class OpenAdapter(Adapter):
    """The same for a layer that ends without a LayerNorm: z + up(relu(down(n(z)))), z being the layer's output.

    n scales to mean 0 and variance 1 as a LayerNorm does, so that an adapter gets values like any other's; what the
    layers hand on is a bare sum there, which grows with every layer.
    """

    def __init__(self, width: int, reduction_factor: int, generator: torch.Generator) -> None:
        super().__init__(nn.LayerNorm(width, elementwise_affine=False), reduction_factor, generator)

    def forward(self, z: Tensor) -> Tensor:
        """The layer's output, shape as `z`: (batch, seq, hidden)."""
        return z + self.up(torch.relu(self.down(self.norm(z))))  # type: ignore[no-any-return]


def with_adapters(lm: LanguageModel, reduction_factor: int, seed: int) -> LanguageModel:
    """A copy of the model with an adapter in every layer; only the adapters train.

    Args:
        lm: stays untouched.
        reduction_factor: hidden size over the bottleneck's width, which is at least 1.
        seed: of the adapters' first values.
    """
    adapted = frozen_copy(lm)
    generator = torch.Generator().manual_seed(seed)
    for number in range(lm.sizes.layers):
        layer = adapted.model.get_submodule(lm.family.layer.format(layer=number))
        if lm.family.feed_forward_norm is None:
            adapter: Adapter = OpenAdapter(lm.sizes.hidden, reduction_factor, generator)
            layer.add_module("adapter", adapter.to(lm.model.device))
            layer.register_forward_hook(_adapt)
            continue
        parent, _, name = lm.family.feed_forward_norm.rpartition(".")
        holder = layer.get_submodule(parent)
        norm = getattr(holder, name)
        if not isinstance(norm, nn.LayerNorm):
            raise AssertionError(f"{name} of {lm.family.name} is a {type(norm).__name__}, not a LayerNorm")
        adapter = Adapter(norm, reduction_factor, generator)
        setattr(holder, name, adapter.to(norm.weight.device))
    return adapted


def _adapt(layer: nn.Module, _: object, output: Tensor) -> Tensor:
    """A layer's output through its adapter."""
    return layer.get_submodule("adapter")(output)  # type: ignore[no-any-return]


def frozen_copy(lm: LanguageModel) -> LanguageModel:
    """A copy of the model in which nothing trains."""
    model = copy.deepcopy(lm.model)
    model.requires_grad_(False)
    return LanguageModel(model, lm.tokenizer)
