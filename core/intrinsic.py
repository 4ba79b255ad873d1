"""What models know of a language, without any task: pseudo-perplexity and tokens a word on held-out text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.analysis.allowances import copies_may_hold
from core.analysis.pseudo_perplexity import pseudo_perplexity, sampled
from core.context import Context
from core.micro_batches import micro_tokens
from core.models import LanguageModel
from core.recipe import Recipe
from core.vocabulary.fertility import fertility


def measure_language(
    models: Sequence[LanguageModel], texts: Sequence[str], recipe: Recipe, ctx: Context, *, has_head: bool = True
) -> list[dict[str, Any]]:
    """Measure models on the same held-out texts.

    Args:
        models: teacher and student, or one. The last one's tokenizer tells how much of the texts the allowance takes,
            so that a student is measured on the same texts when it is alone.
        texts: held-out ones, at least one.
        recipe: resolved; its schedule, seed and `corpus.max_length` count.
        ctx: asked between batches whether to go on.
        has_head: whether the models have a masked-language head, without which nothing surprises them.

    Returns:
        For each model `tokens_a_word` on all texts; and on a sample `pseudo_perplexity`, `pseudo_perplexity_a_word` and
        `pseudo_perplexity_tokens`, where there is one.
    """
    found = [{"tokens_a_word": words} for words in _tokens_a_word(models, texts, ctx)]
    if not has_head:
        return found
    device, last = recipe.schedule.device, models[-1]
    length = min(recipe.corpus.max_length, *(lm.max_length for lm in models))
    sample = sampled(texts, last.tokenizer, length, copies_may_hold(recipe.schedule), recipe.seed)
    return [told | _surprise(lm, sample, length, device, ctx) for told, lm in zip(found, models, strict=True)]


def _tokens_a_word(models: Sequence[LanguageModel], texts: Sequence[str], ctx: Context) -> list[float]:
    tokenizers = [lm.tokenizer for lm in models]
    first, last = tokenizers[0], tokenizers[-1]
    unknown = first.unk_token_id, last.unk_token_id
    found = fertility(first.backend_tokenizer, last.backend_tokenizer, unknown, texts, ctx)
    return [found.before, found.after][: len(models)]


def _surprise(lm: LanguageModel, sample: Sequence[str], length: int, device: str, ctx: Context) -> dict[str, Any]:
    lm.to(device)
    try:
        found = pseudo_perplexity(lm, sample, length, micro_tokens(lm, device), ctx)
    finally:
        lm.to("cpu")
    return found.to_json() if found is not None else {}
