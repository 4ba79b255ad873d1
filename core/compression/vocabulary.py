"""The vocabulary axis: the same model on fewer tokens."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from core.compression.cutting import cut
from core.compression.tokens import check_segmentation, check_vocabulary, remap_config, trim_tokenizer
from core.context import Context, Quiet
from core.models import LanguageModel

LOGIT_TOLERANCE = 1e-5
"""How far logits may differ, as a share of the largest: a product with fewer rows may sum in another order."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared between a model and its trimmed self, and found equal."""

    lines: int
    """Texts looked at."""
    compared: int
    """Those among them whose tokens are all kept."""
    tokens: int
    """Tokens of the compared texts, special ones included."""
    largest_difference: float
    """Of a logit of a kept token."""


def cut_vocabulary(lm: LanguageModel, kept: Sequence[int]) -> LanguageModel:
    """The model and tokenizer with the kept tokens only; on text of these it is the same model.

    Rows of the embedding and of the output embedding go with their tokens, bias likewise; rows beyond the tokenizer's
    length go too. The configuration's token ids are renumbered.

    Args:
        lm: the model to cut; it stays as it is.
        kept: old ids, ascending, every special token among them (`choose_tokens` gives such); a token's new id is its
            place here.

    Raises:
        InputError: the tokenizer is longer than the embedding, is neither WordPiece nor Unigram, or the padding id of a
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
    return cut(LanguageModel(renumbered, tokenizer), sizes, {"vocabulary": index})


def prove(
    before: LanguageModel, after: LanguageModel, kept: Sequence[int], texts: Iterable[str], ctx: Context | None = None
) -> Proof:
    """Show on real text that trimming changed nothing; texts with a token that isn't kept are passed over.

    Segmentation must agree id for id and hidden states bit for bit; logits must equal the original's restricted to the
    kept tokens, up to `LOGIT_TOLERANCE`.

    Args:
        before, after: the model and its trimmed self.
        kept: old ids of the kept tokens, ascending.
        texts: lines that had no part in choosing the tokens.
        ctx: asked between texts.

    Raises:
        RuntimeError: something differs (a fault of ours).
    """
    ctx = ctx or Quiet()
    texts = list(texts)
    check_segmentation(before.tokenizer.backend_tokenizer, after.tokenizer.backend_tokenizer, kept, texts, ctx)
    index = torch.tensor(kept, dtype=torch.int64)
    new_id = {old: new for new, old in enumerate(kept)}
    compared = tokens = 0
    largest = 0.0
    for text in texts:
        ctx.check()
        # Not through the tokenizer's call: that would leave a truncation in it, to be saved with it.
        old = before.tokenizer.backend_tokenizer.encode(text).ids[: before.max_length]
        if not all(token in new_id for token in old):
            continue
        hidden, logits = _run(before, old)
        trimmed_hidden, trimmed_logits = _run(after, [new_id[token] for token in old])
        if not torch.equal(hidden, trimmed_hidden):
            raise RuntimeError(f"trimming changed the hidden states of {text[:200]!r}")
        difference = float((logits[..., index] - trimmed_logits).abs().max())
        if not difference <= LOGIT_TOLERANCE * max(1.0, float(logits.abs().max())):
            raise RuntimeError(f"trimming changed logits by {difference} on {text[:200]!r}")
        compared, tokens, largest = compared + 1, tokens + len(old), max(largest, difference)
    return Proof(len(texts), compared, tokens, largest)


@torch.no_grad()
def _run(lm: LanguageModel, ids: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    input_ids = torch.tensor([ids])
    output = lm.model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids), output_hidden_states=True)
    return output.hidden_states[-1], output.logits
