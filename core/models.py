"""A masked language model with its tokenizer: loading, rebuilding at other sizes, saving."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.activations import ACT2FN
from transformers.utils import logging as transformers_logging

from core.errors import InputError, is_panic
from core.families import Family, Sizes, family_of
from core.sources import check_model_folder, tokenizer_arguments
from core.vocabulary.rewriting import check_vocabulary, forget_loading
from core.vocabulary.soundness import end_of_ids, try_out
from core.weights import check_amount, shapes_in, weight_files

# The run has a progress of its own, and `load` says itself what a model lacks.
transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()

_NOT_TAKEN = frozenset(
    (
        *("auto_map", "transformers_weights", "_name_or_path", "name_or_path", "configuration_files", "gguf_file"),
        *("attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
        *("experts_implementation", "_experts_implementation", "_experts_implementation_internal"),
        *("return_dict", "use_return_dict", "chunk_size_feed_forward"),
        *("fusion_config", "kernel_config", "distributed_config", "dtype", "torch_dtype", "quantization_config"),
    )
)
"""Entries of config.json that say nothing of the model, but where code, files or kernels are to be had, how a pass
through it answers, or how it was loaded elsewhere: it is loaded from its own folder, in float32, by transformers' own
code."""
_OF_A_DECODER = ("is_decoder", "is_causal", "add_cross_attention")
_MOST_LABELS = 100_000
"""Of a classifier that the model once had; transformers makes a name for each."""


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A masked language model of a known family, with the tokenizer that feeds it."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def config(self) -> dict[str, Any]:
        """The content of its config.json."""
        return dict(self.model.config.to_dict())

    @property
    def family(self) -> Family:
        """The table of its architecture."""
        # Not by `config`: each forward pass asks for it, and that copies everything.
        return family_of({"model_type": self.model.config.model_type})

    @property
    def sizes(self) -> Sizes:
        """Its sizes along every axis."""
        return self.family.sizes(self.config)

    @property
    def parameters(self) -> dict[str, int]:
        """Number of parameters by part; shared tensors count once."""
        return {str(part): count for part, count in self.family.parameters(self.sizes).items()}

    def module(self, path: str, layer: int | None = None) -> nn.Module:
        """The module at a path of the family table (inside layer `layer` if given)."""
        if layer is not None:
            path = f"{self.family.layer.format(layer=layer)}.{path}"
        return self.model.get_submodule(path)

    @property
    def max_length(self) -> int:
        """Longest sequence in tokens, special ones included."""
        offset = int(self.model.config.pad_token_id or 0) + 1 if self.family.position_offset < 0 else 0
        return self.sizes.positions - offset

    @property
    def input_embedding(self) -> nn.Parameter:
        """The word embedding, shape (vocabulary, hidden); the decoder's weight, too, where the model ties them."""
        return cast(nn.Parameter, self.module(self.family.embedding).weight)

    def hidden_states(self, input_ids: Tensor, attention_mask: Tensor, words: Tensor | None = None) -> Tensor:
        """The last layer's output, shape (batch, seq, hidden).

        Args:
            input_ids: shape (batch, seq).
            attention_mask: 1 for tokens, 0 for the padding on their right; shape (batch, seq).
            words: the word embeddings of `input_ids`, shape (batch, seq, hidden); None: the model looks them up.
        """
        return self._encoded(input_ids, attention_mask, words).last_hidden_state  # type: ignore[no-any-return]

    def layer_states(
        self, input_ids: Tensor, attention_mask: Tensor, words: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Every layer's output, the last one's too, each of shape (batch, seq, hidden); arguments as above."""
        made = self._encoded(input_ids, attention_mask, words, output_hidden_states=True)
        return tuple(made.hidden_states[1:])

    def _encoded(self, input_ids: Tensor, attention_mask: Tensor, words: Tensor | None, **wanted: bool) -> Any:
        encoder = self.model.get_submodule(self.family.encoder)
        read = {"input_ids": input_ids} if words is None else {"inputs_embeds": words}
        return encoder(**read, attention_mask=attention_mask, **wanted)

    def head_features(self, hidden: Tensor) -> Tensor:
        """What the decoder multiplies: the head's transform of hidden states, same shape."""
        dense, norm = (self.module(path) for path in self.family.transform)
        return norm(self.head_activation(dense(hidden)))  # type: ignore[no-any-return]

    def head_activation(self, hidden: Tensor) -> Tensor:
        """The activation in the head's transform, element by element."""
        if self.family.head_activation is not None:
            return ACT2FN[getattr(self.model.config, self.family.head_activation)](hidden)  # type: ignore[no-any-return]
        return nn.functional.gelu(hidden)

    @property
    def decoder(self) -> tuple[Tensor, Tensor]:
        """Output embedding (vocabulary, hidden) and bias (vocabulary), zeros where the model has none."""
        decoder = self.module(self.family.decoder)
        weight, bias = cast(Tensor, decoder.weight), cast(Tensor | None, decoder.bias)
        return weight, weight.new_zeros(len(weight)) if bias is None else bias

    def to(self, device: str) -> LanguageModel:
        """Move the model to a device, in place."""
        nn.Module.to(self.model, device)
        return self


def load(folder: Path, *, mapped: bool = False) -> tuple[LanguageModel, bool]:
    """Load a model folder, in float32; every weight must be there, only the MLM head may lack.

    Args:
        folder: a model folder.
        mapped: leave the weights in the file, whose pages are read when they are needed: for a look at a model. The
            last bits of what it computes may then depend on where a tensor begins in the file.

    Returns:
        The model in evaluation mode, and whether it came with an MLM head (a new one is random).

    Raises:
        InputError: no model, no safetensors, an unknown architecture, or weights that don't fit the configuration.
    """
    written = check_model_folder(folder)
    family = family_of(written)
    sizes = family.sizes(written)
    files = weight_files(folder)
    config = _load_config(folder, written)
    check_amount(shapes_in(files), sum(family.parameters(sizes).values()), folder)
    tokenizer = load_tokenizer(folder)
    try:
        tensors = {name: tensor for path in files for name, tensor in load_file(path).items()}
        # Given the weights instead of the folder: there, transformers would look for files that others name.
        kind: Any = MODEL_FOR_MASKED_LM_MAPPING[type(config)]
        model, info = kind.from_pretrained(
            None, config=config, state_dict=tensors, dtype=torch.float32, output_loading_info=True
        )
    except (AssertionError, LookupError, TypeError) as error:  # a padding id beyond the vocabulary, an activation
        raise _unusable_config(folder, error) from error
    except Exception as error:  # whatever a file of anybody's can lead to
        raise InputError(f"The weights in {folder} can't be read: {error}", hint="Download the model again.") from error
    missing = set(info["missing_keys"])
    misfits = sorted(name for name in missing if name.startswith(f"{family.encoder}."))
    misfits = misfits or sorted(name for name in info["unexpected_keys"] if _is_in_table(name, family))
    if misfits or info["mismatched_keys"]:
        names = ", ".join(misfits or sorted(str(key) for key in info["mismatched_keys"]))
        raise InputError(
            f"The weights in {folder} don't fit its config.json: {names[:300]}.",
            hint="Take config.json and model.safetensors from the same model.",
        )
    lm = LanguageModel((model if mapped else own_memory(model)).eval(), tokenizer)
    _check_numbers(lm, folder, but=family.embedding if mapped else "")
    return lm, not missing


def _check_numbers(lm: LanguageModel, folder: Path, *, but: str) -> None:
    """Refuse weights that are no numbers: whatever is computed from them is none either.

    Args:
        lm: the model.
        folder: where it is from.
        but: a module that is left out, where most of its pages are never read.
    """
    for name, parameter in lm.model.named_parameters():
        if but and name.startswith(f"{but}."):
            continue
        low, high = torch.aminmax(parameter.detach())
        if not (low.isfinite() and high.isfinite()):
            raise InputError(
                f"The weights in {folder} are broken: {name} holds values that are no numbers.",
                hint="Download the model again, or choose another.",
            )


def _load_config(folder: Path, written: Mapping[str, Any]) -> PreTrainedConfig:
    if written.get("quantization_config"):
        raise InputError(
            f"The weights in {folder} are quantised, and can't be trained as they are.",
            hint="Choose the model that they were made from.",
        )
    if decoding := [key for key in _OF_A_DECODER if written.get(key)]:
        raise InputError(
            f"The config.json in {folder} is a decoder's ({decoding[0]}), which sees only what comes before a token.",
            hint="Choose a teacher that was trained to fill in masked words.",
        )
    entries = {key: value for key, value in written.items() if key not in _NOT_TAKEN}
    labels = entries.get("num_labels")
    if labels is not None and not (isinstance(labels, int) and 0 <= labels <= _MOST_LABELS):
        raise InputError(
            f"The config.json in {folder} says {labels!r:.100} for num_labels.", hint="Download the model again."
        )
    try:
        return CONFIG_MAPPING[written["model_type"]].from_dict(entries)
    except Exception as error:  # each architecture checks its own in its own way
        raise _unusable_config(folder, error) from error


def _unusable_config(folder: Path, error: Exception) -> InputError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()  # what comes before leads to it
    return InputError(
        f"transformers can't use the config.json in {folder}: {reason}",
        hint="Download the model again, or choose another teacher.",
    )


def _is_in_table(name: str, family: Family) -> bool:
    """Whether the table names a tensor, of any layer: one that a model lacks, its configuration leaves out."""
    template = re.sub(r"(?<=\.)\d+(?=\.)", "{layer}", name, count=1)
    return any(template == tensor.name for tensor in family.tensors)


def own_memory(model: PreTrainedModel) -> PreTrainedModel:
    """Move weights out of the mapped file: equal alignment gives equal sums, whoever loaded them."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    return model


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The fast tokenizer of a model folder, without truncation and padding of its own.

    Raises:
        InputError: there is none, or it can't be read.
    """
    written = check_model_folder(folder, weights=False)
    config = _load_config(folder, written)
    arguments = tokenizer_arguments(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, config=config, use_fast=True, **arguments)
    except BaseException as error:  # tokenizers raises plain Exception on a broken file, or panics
        if not (isinstance(error, Exception) or is_panic(error)):
            raise
        raise InputError(
            f"The tokenizer in {folder} can't be read: {error}", hint="Choose a folder with a tokenizer.json."
        ) from error
    if not tokenizer.is_fast or tokenizer.mask_token is None:
        raise InputError(
            f"The tokenizer in {folder} has no mask token or no fast form.", hint="Choose another teacher."
        )
    # Where there is no vocabulary, transformers makes one of them.
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise InputError(
            f"The tokenizer in {folder} has no tokens but special ones.", hint="Choose a folder with a tokenizer.json."
        )
    # A call of the tokenizer would clear them anyway: what is saved must not depend on whether there was one.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    forget_loading(tokenizer)
    try_out(tokenizer.backend_tokenizer, folder)
    check_vocabulary(end_of_ids(tokenizer.backend_tokenizer), family_of(written).sizes(written).vocabulary)
    return tokenizer


def rebuild(lm: LanguageModel, sizes: Sizes, tensors: Mapping[str, Tensor], *, share: bool = False) -> LanguageModel:
    """A model of the same family with other sizes and these weights; strict about names and shapes.

    Args:
        lm: the model whose configuration and tokenizer carry over.
        sizes: the new model's sizes.
        tensors: every tensor of `family.all_tensors(sizes)`, by full name.
        share: take the tensors themselves instead of copies; then neither model may be trained.
    """
    family = lm.family
    config = type(lm.model.config).from_dict(lm.config | family.config_changes(sizes))
    model = type(lm.model)(config)
    expected = [name for name, _ in family.all_tensors(sizes)]
    shared = family.tied if sizes.tied else {}
    own = {shared.get(name, name): parameter for name, parameter in model.named_parameters()}
    if set(own) != set(expected):
        raise AssertionError(f"the {family.name} table differs from the model in {sorted(set(own) ^ set(expected))}")
    with torch.no_grad():
        for name in expected:
            if own[name].shape != tensors[name].shape:
                raise AssertionError(
                    f"{name} is {tuple(tensors[name].shape)}, the model wants {tuple(own[name].shape)}"
                )
            if share:
                own[name].data = tensors[name]
            else:
                own[name].copy_(tensors[name])
    return LanguageModel(model.eval(), lm.tokenizer)


def blank(lm: LanguageModel, sizes: Sizes) -> LanguageModel:
    """A model of the same family with other sizes and weights that mean nothing yet."""
    shapes = {name: lm.family.shape(entry, sizes) for name, entry in lm.family.all_tensors(sizes)}
    return rebuild(lm, sizes, {name: torch.zeros(shape) for name, shape in shapes.items()})


def tensors_of(lm: LanguageModel) -> dict[str, Tensor]:
    """Every tensor of the model by full name, shared ones once, detached."""
    state = lm.model.state_dict()
    return {name: state[name].detach() for name, _ in lm.family.all_tensors(lm.sizes)}


def save(lm: LanguageModel, folder: Path) -> None:
    """Write config.json, model.safetensors and the tokenizer into `folder`, loadable with plain transformers."""
    folder.mkdir(parents=True, exist_ok=True)
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a model folder."""
    return dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
