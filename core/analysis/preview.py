"""What a recipe will give, before anything runs: from configurations, or with the corpus counted. No torch."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.analysis.size import Estimate, estimate
from core.context import Context
from core.errors import Fault, InputError, gathering
from core.events import Message
from core.languages import check_language
from core.recipe import Recipe, absolute
from core.sources import MODEL_FILES, check_model_folder, download, local_folder
from core.teachers import teacher_config


def preview(recipe: Recipe, base: Path, ctx: Context, *, count: bool = False) -> Estimate:
    """The sizes of a recipe's teacher, student and stages.

    Args:
        recipe: the recipe.
        base: what its relative paths are taken from.
        ctx: told of the progress, where the corpus is counted.
        count: tokenise the corpus, so that a vocabulary it can't fill is as small as it will be; needs the teacher's
            tokenizer. Otherwise `targets.vocabulary_size` is taken as given, and where the recipe wants a coverage
            instead the sizes are upper bounds.

    Raises:
        InputError: an unknown language or teacher, or impossible targets; all faults at once.
    """
    faults: list[Fault] = []
    with gathering(faults, "language.code"):
        check_language(recipe.language.code)
    with gathering(faults, "teacher.model"):
        config = teacher_config(recipe.teacher.model, base)
        sizes = recipe_sizes(config, recipe, recipe.targets.vocabulary_size)
    if faults:
        raise InputError.of(faults)
    if not sizes.cuts_vocabulary or not count:
        if sizes.cuts_vocabulary and recipe.targets.vocabulary_size is None:
            text = "How many tokens the vocabulary needs shows with --count; until then, sizes are at most these."
            ctx.emit(Message(level="warning", text=text))
        return sizes
    return recipe_sizes(config, recipe, _kept(recipe, base, ctx))


def recipe_sizes(config: Mapping[str, Any], recipe: Recipe, vocabulary: int | None) -> Estimate:
    """The sizes and stages of a recipe.

    Args:
        config: the content of the teacher's config.json.
        recipe: its targets and method count.
        vocabulary: the student's number of tokens; None: the teacher's, which is the most that a coverage can need.

    Raises:
        InputError: an unknown architecture or impossible targets; all faults at once.
    """
    targets, method = recipe.targets, recipe.method
    return estimate(
        config,
        layers=targets.layers,
        feed_forward=targets.intermediate_size,
        hidden=targets.hidden_size,
        heads=targets.attention_heads,
        vocabulary=vocabulary,
        hidden_reduction=method.hidden_reduction,
        vocabulary_order=method.vocabulary_order,
        vocabulary_multiple=targets.vocabulary_multiple,
        vocabulary_open=targets.vocabulary_coverage is not None,
        adapted=recipe.teacher.adapt_steps > 0,
    )


def _kept(recipe: Recipe, base: Path, ctx: Context) -> int:
    """How many tokens the vocabulary stage will keep: it counts on the training part of the prepared corpus."""
    from core.corpus.prepare import prepare
    from core.trim import tokenizer_without_torch
    from core.vocabulary.kinds import kind_of
    from core.vocabulary.trimming import choose_for, count_corpus

    source = recipe.teacher.model
    folder = local_folder(source, base) or download(source, [name for name in MODEL_FILES if "safetensors" not in name])
    tokenizer = tokenizer_without_torch(folder, check_model_folder(folder, weights=False)).backend_tokenizer
    with tempfile.TemporaryDirectory(prefix="monoglot-") as name:
        scratch = Path(name)
        corpus = prepare(recipe.corpus, base, recipe.seed, scratch / "corpus", ctx)
        counts = count_corpus(corpus, tokenizer, scratch, ctx)
    return len(choose_for(absolute(recipe, base), kind_of(json.loads(tokenizer.to_str())), tokenizer, counts, ctx).kept)
