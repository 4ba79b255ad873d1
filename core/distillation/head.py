"""A masked-language head for an encoder that came without one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from core.models import LanguageModel, rebuild, tensors_of


def fresh_head(lm: LanguageModel, documents: npt.NDArray[np.int64]) -> LanguageModel:
    """The model with a head that starts from what is known: words by frequency, hidden states as they are.

    The transform starts as the identity, its LayerNorm scaled so that logits have unit spread, and the decoder's bias
    as the logarithm of the tokens' document frequency. Nothing here is random.

    Args:
        lm: a model whose head's weights mean nothing.
        documents: number of texts that hold each token, shape (tokens of the tokenizer,).
    """
    family, sizes = lm.family, lm.sizes
    tensors = {name: tensor.clone() for name, tensor in tensors_of(lm).items()}
    dense, norm = family.transform
    embedding = tensors[f"{family.embedding}.weight"]
    tensors[f"{dense}.weight"] = torch.eye(sizes.hidden)
    tensors[f"{dense}.bias"] = torch.zeros(sizes.hidden)
    tensors[f"{norm}.weight"] = torch.full((sizes.hidden,), 1 / embedding.norm(dim=1).mean().item())
    tensors[f"{norm}.bias"] = torch.zeros(sizes.hidden)
    frequency = np.ones(sizes.vocabulary)
    known = min(len(documents), sizes.vocabulary)
    frequency[:known] += documents[:known]
    bias = torch.from_numpy(np.log(frequency / frequency.sum())).float()
    for name, entry in family.all_tensors(sizes):
        if entry.axes == ("vocabulary",):
            tensors[name] = bias.clone()
        elif entry.part == "head" and entry.axes == ("vocabulary", "hidden"):
            tensors[name] = embedding.clone()
    return rebuild(lm, sizes, tensors)
