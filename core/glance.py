"""A glance at a recipe's text before it is prepared: how long texts are, how fast they are read. No torch."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.analysis.duration import READ, TOKENISE
from core.analysis.lessons import ASSUMED_TEXT, Profile
from core.context import Context, Unmeasured
from core.corpus.cleaning import clean, has_letters
from core.corpus.reading import HUB, read_texts
from core.errors import InputError
from core.recipe import Recipe
from core.sources import check_model_folder, downloaded, local_folder
from core.vocabulary.soundness import cutting

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TEXTS, _TEXT_BYTES = 1_000, 300_000
"""Texts of the corpus that are looked at, and their bytes at most."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What is known of a recipe's text."""

    profile: Profile
    lengths: Sequence[int]
    """Tokens of each text, special ones included."""
    read: float
    """Seconds to read and clean a byte."""
    tokenise: float
    """Seconds to tokenise a byte."""


def glance(recipe: Recipe, base: Path, ctx: Context) -> Glance:
    """Look at a small part of the corpus; what isn't on this machine, text or tokenizer, is assumed.

    Args:
        recipe: the recipe.
        base: what its relative paths start from.
        ctx: asked between texts whether to go on.

    Raises:
        InputError: there is no such source, or it can't be read.
    """
    most = recipe.corpus.max_length
    assumed = replace(ASSUMED_TEXT, attended=min(ASSUMED_TEXT.attended, most))
    spread = [max(3, min(most, round(assumed.attended * place / 8))) for place in range(2, 14)]
    texts, read = _local_texts(recipe, base, ctx)
    tokenizer = _local_tokenizer(recipe.teacher.model, base)
    if not texts:
        return Glance(assumed, spread, READ, TOKENISE)
    size = sum(len(text.encode()) for text in texts)
    if tokenizer is None:
        return Glance(replace(assumed, text_bytes=size / len(texts)), spread, read, TOKENISE)
    tokenizer.enable_truncation(most)
    began = time.perf_counter()
    with cutting(texts, tokenizer):
        encodings = tokenizer.encode_batch_fast(texts)
    took = time.perf_counter() - began
    lengths = [len(one.ids) for encoding in encodings for one in (encoding, *encoding.overflowing)]
    tokens = sum(lengths)
    profile = Profile(size / tokens, size / len(texts), sum(length * length for length in lengths) / tokens)
    return Glance(profile, lengths, read, took / size)


def _local_texts(recipe: Recipe, base: Path, ctx: Context) -> tuple[list[str], float]:
    """Clean texts of the sources on this machine, a few of each, and the seconds a byte that reading them took."""
    sources = [source for source in recipe.corpus.sources if not source.startswith(HUB)]
    texts: list[str] = []
    size, began = 0, time.perf_counter()
    for source in sources:
        of_each = _TEXTS // len(sources) + 1
        for raw in itertools.islice(read_texts(source, base, Unmeasured(ctx)), of_each):
            ctx.check()
            text = clean(raw)
            size += len(raw.encode())
            if text and has_letters(text, recipe.corpus.least_letters):
                texts.append(text)
            if size > _TEXT_BYTES:
                break
    return texts, (time.perf_counter() - began) / max(1, size)


def _local_tokenizer(model: str, base: Path) -> Tokenizer | None:
    """The teacher's tokenizer, where it is on this machine."""
    from core.trim import tokenizer_without_torch

    folder = local_folder(model, base) or downloaded(model)
    if folder is None:
        return None
    try:
        found = tokenizer_without_torch(folder, check_model_folder(folder, weights=False)).backend_tokenizer
    except InputError:  # a configuration may be here without its tokenizer
        return None
    return cast("Tokenizer", found)
