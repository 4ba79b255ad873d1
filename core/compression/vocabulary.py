"""The vocabulary axis: the same model on fewer tokens."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import linear

from core.compression.cutting import cut
from core.context import Context, Quiet
from core.models import LanguageModel
from core.vocabulary.rewriting import check_vocabulary, numbering, remap_config, trim_tokenizer
from core.vocabulary.soundness import cutting

LOGIT_TOLERANCE = 1e-5
"""How far logits may differ, as a share of the largest: a product with fewer rows may sum in another order."""
_MOST_TOKENS = 128
"""Tokens of a text that are compared."""
_WHOLE, _WHOLE_TOKENS = 5, 32
"""Texts, and tokens of each, for which the original's logits of its whole vocabulary are computed: 32 MB for XLM-R."""


@dataclass(frozen=True, slots=True)
class ModelProof:
    """What was compared between a model and its trimmed self, and found equal."""

    compared: int
    """Texts that both models read, without the tokens that go."""
    tokens: int
    """Tokens of these, special ones included."""
    largest_difference: float
    """Between a kept token's logit and the same one among all the original's, which is another product's sum."""


def cut_vocabulary(lm: LanguageModel, kept: Sequence[int], *, share: bool = False) -> LanguageModel:
    """The model and tokenizer with the kept tokens only; on text of these it is the same model.

    Rows of the embedding and of the output embedding go with their tokens, bias likewise; rows beyond the tokenizer's
    length go too. The configuration's token ids are renumbered.

    Args:
        lm: the model to cut; it stays as it is.
        kept: old ids, ascending, every special token among them (`choose_tokens` gives such); a token's new id is its
            place here.
        share: use the tensors without a vocabulary axis in both models; then neither may be trained.

    Raises:
        InputError: the tokenizer is longer than the embedding, is of an unsupported kind, or the padding id of a
            RoBERTa would move.
    """
    check_vocabulary(len(lm.tokenizer), lm.sizes.vocabulary)
    tokenizer = trim_tokenizer(lm.tokenizer, kept)
    config = remap_config(lm.config, kept)
    # A second face of the same weights, with the new ids: the model is built with the padding id that it will have.
    renumbered = copy.copy(lm.model)
    renumbered.config = type(lm.model.config).from_dict(config)
    sizes = dataclasses.replace(lm.sizes, vocabulary=len(kept))
    index = torch.tensor(kept, dtype=torch.int64)
    return cut(LanguageModel(renumbered, tokenizer), sizes, {"vocabulary": index}, share=share)


@torch.no_grad()
def prove_model(
    before: LanguageModel,
    after: LanguageModel,
    kept: Sequence[int],
    texts: Iterable[str],
    most: int,
    ctx: Context | None = None,
) -> ModelProof:
    """Show on real text that trimming changed nothing; the tokens that go are left out of it.

    Hidden states must agree bit for bit, and so must the logits with the original's head restricted to the kept rows.
    On the first texts what both models themselves give is compared too, which may differ by `LOGIT_TOLERANCE`.

    Args:
        before, after: the model and its trimmed self.
        kept: old ids of the kept tokens, ascending.
        texts: lines that had no part in choosing the tokens; of each, its beginning is compared.
        most: texts to compare at most.
        ctx: asked between texts.

    Raises:
        RuntimeError: something differs (a fault of ours).
    """
    ctx = ctx or Quiet()
    index = torch.tensor(kept, dtype=torch.int64)
    weight, bias = (tensor[index] for tensor in before.decoder)
    new_id = numbering(kept)
    compared = tokens = 0
    largest = 0.0
    for text in texts:
        if compared == most:
            break
        ctx.check()
        # Not through the tokenizer's call: that would leave a truncation in it, to be saved with it.
        tokenizer = before.tokenizer.backend_tokenizer
        with cutting([text], tokenizer):
            old = tokenizer.encode(text).ids
        old = [token for token in old if token in new_id][: min(before.max_length, _MOST_TOKENS)]
        ids, mask = torch.tensor([old]), torch.ones(1, len(old), dtype=torch.int64)
        new_ids = torch.tensor([[new_id[token] for token in old]])
        hidden = before.hidden_states(ids, mask)
        if not torch.equal(hidden, after.hidden_states(new_ids, mask)):
            raise RuntimeError(f"trimming changed the hidden states of {text[:200]!r}")
        restricted = linear(before.head_features(hidden), weight, bias)
        if not torch.equal(restricted, linear(after.head_features(hidden), *after.decoder)):
            raise RuntimeError(f"trimming changed logits of {text[:200]!r}")
        if compared < _WHOLE:
            ids, new_ids, mask = (tensor[:, :_WHOLE_TOKENS] for tensor in (ids, new_ids, mask))
            ours = after.model(input_ids=new_ids, attention_mask=mask).logits
            whole = before.model(input_ids=ids, attention_mask=mask).logits[..., index]
            difference = float((whole - ours).abs().max())
            if not difference <= LOGIT_TOLERANCE * max(1.0, float(whole.abs().max())):
                raise RuntimeError(f"trimming changed logits by {difference} on {text[:200]!r}")
            largest = max(largest, difference)
        compared, tokens = compared + 1, tokens + len(old)
    return ModelProof(compared, tokens, largest)
