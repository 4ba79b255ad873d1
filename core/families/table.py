"""What a family table is made of, and the arithmetic on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.errors import InputError
from core.rules import shown

Axis = Literal[
    "vocabulary", "hidden", "heads", "query_key_value", "feed_forward", "gated_feed_forward", "positions", "types"
]
Reducible = Literal["layers", "feed_forward", "hidden", "vocabulary"]
REDUCIBLE: tuple[Reducible, ...] = ("layers", "feed_forward", "hidden", "vocabulary")
"""The sizes that a student may have less of; heads follow the hidden size."""
_MADE_OF: Mapping[Axis, tuple[str, int]] = {
    "heads": ("hidden", 1),
    "query_key_value": ("hidden", 3),
    "gated_feed_forward": ("feed_forward", 2),
}
"""Axes whose length is another size, so many times."""
Part = Literal["embeddings", "attention", "feed_forward", "head"]
PARTS: tuple[Part, ...] = ("embeddings", "attention", "feed_forward", "head")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of a model, each along one axis of its tensors."""

    layers: int
    hidden: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    tied: bool
    """Whether the output embedding is the input embedding."""
    switches: frozenset[str] = frozenset()
    """Keys of config.json that are on, of those that some tensors depend on."""
    fixed: frozenset[Reducible] = frozenset()
    """Sizes that can't be made smaller in a model of this architecture; see `Family.fixed`."""

    def along(self, axis: Axis) -> int:
        """Length of a tensor's axis.

        `heads` are the heads' widths laid side by side, `query_key_value` three times that in one matrix;
        `gated_feed_forward` are the feed-forward units followed by their gates.
        """
        size, times = _MADE_OF.get(axis, (axis, 1))
        return times * int(getattr(self, size))

    @property
    def head_width(self) -> int:
        """Units a head."""
        return self.hidden // self.heads


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the state dict (or one a layer, where the name holds `{layer}`)."""

    name: str
    axes: tuple[Axis, ...]
    part: Part
    switch: str | None = None
    """Key of config.json that must be on for a model to have it; None: every model has it."""
    first_layer: int = 0
    """The first layer that has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One architecture as a table; paths are module paths inside the masked language model."""

    name: str
    model_types: tuple[str, ...]
    config_keys: Mapping[str, str | None]
    """Sizes' field → key of config.json; None where the family has no such axis."""
    tensors: tuple[Tensor, ...]
    tied: Mapping[str, str]
    """Tensor that is only a second name where the configuration ties → the tensor that it shares."""
    encoder: str
    """The encoder inside the model; what's outside it is the masked-LM head."""
    embedding: str
    """The word embedding's module."""
    layer: str
    """A layer's module."""
    query: str | None
    key: str | None
    value: str | None
    """None where one matrix makes query, key and value."""
    attention_output: str
    feed_forward_in: str
    feed_forward_out: str
    embedding_norm: str | None
    attention_norm: str | None
    feed_forward_norm: str | None
    """The LayerNorms that close the embeddings and a layer's two blocks, their residuals added (post-LN); None where
    blocks end without one."""
    transform: tuple[str, ...]
    """The head's modules that carry parameters from hidden state to decoder, in order: dense, LayerNorm."""
    decoder: str
    head_activation: str | None
    """Key of config.json that names the head's activation; None: GELU whatever it says."""
    position_offset: int
    """Position of a text's first token; -1: the pad token's id plus one (RoBERTa)."""
    switches: Mapping[str, bool] = field(default_factory=dict)
    """Key of config.json that some tensors depend on → what transformers takes where config.json doesn't say."""
    fixed: frozenset[Reducible] = frozenset()
    """Sizes that can't be made smaller (yet); a recipe that asks for it is refused."""

    @property
    def transform_weight(self) -> str:
        """The tensor that a model with a masked-language head has and a bare encoder lacks."""
        return f"{self.transform[0]}.weight"

    def sizes(self, config: Mapping[str, Any]) -> Sizes:
        """Sizes from the content of config.json.

        Raises:
            InputError: a size lacks or is no size.
        """
        values: dict[str, Any] = {
            field: _read_size(config, key, field) if key is not None else 0 for field, key in self.config_keys.items()
        }
        if values["hidden"] % values["heads"]:
            raise InputError(
                f"config.json says {values['heads']} heads, which doesn't divide the hidden size {values['hidden']}.",
                hint="Take config.json from the model that the weights belong to.",
            )
        on = {key for key, default in self.switches.items() if _read_switch(config, key, default)}
        tied = bool(config.get("tie_word_embeddings", True))
        return Sizes(**values, tied=tied, switches=frozenset(on), fixed=self.fixed)

    def config_changes(self, sizes: Sizes) -> dict[str, int]:
        """The entries of config.json that say these sizes."""
        return {key: getattr(sizes, field) for field, key in self.config_keys.items() if key is not None}

    def all_tensors(self, sizes: Sizes) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of a model of these sizes, with its full name, shared ones once."""
        for tensor in self.tensors:
            for layer in self._layers(tensor, sizes):
                yield tensor.name.format(layer=layer), tensor

    def _layers(self, tensor: Tensor, sizes: Sizes) -> range:
        """The layers of a model that have a tensor; one where it stands outside of them, none if it lacks."""
        if (sizes.tied and tensor.name in self.tied) or 0 in self.shape(tensor, sizes):
            return range(0)
        if tensor.switch is not None and tensor.switch not in sizes.switches:
            return range(0)
        return range(tensor.first_layer, sizes.layers) if "{layer}" in tensor.name else range(1)

    def shape(self, tensor: Tensor, sizes: Sizes) -> tuple[int, ...]:
        """A tensor's shape in a model of these sizes."""
        return tuple(sizes.along(axis) for axis in tensor.axes)

    def parameters(self, sizes: Sizes) -> dict[Part, int]:
        """Exact number of parameters by part, the head included, shared tensors once."""
        counts: dict[Part, int] = dict.fromkeys(PARTS, 0)
        for tensor in self.tensors:
            counts[tensor.part] += len(self._layers(tensor, sizes)) * math.prod(self.shape(tensor, sizes))
        return counts


_MOST = {"layers": 1000, "hidden": 2**16, "heads": 2**16, "feed_forward": 2**20}
_MOST_ELSE = 2**24
"""Sizes that no encoder comes near: beyond them, somebody's mistake would take all memory or time."""


def _read_size(config: Mapping[str, Any], key: str, field: str) -> int:
    value, least = config.get(key), 0 if field == "types" else 1  # a model can do without token types
    most = _MOST.get(field, _MOST_ELSE)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(
            f"config.json says {shown(value)} for {key}, which must be a whole number from {least} to {most:,}."
            if key in config
            else f"config.json lacks {key}.",
            hint="Download the model again, or choose another teacher.",
        )
    return value


def _read_switch(config: Mapping[str, Any], key: str, default: bool) -> bool:
    value = config.get(key, default)
    if not isinstance(value, bool):
        raise InputError(
            f"config.json says {shown(value)} for {key}, which must be true or false.",
            hint="Download the model again, or choose another teacher.",
        )
    return value
