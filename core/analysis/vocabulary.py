"""What a recipe's vocabulary will be, before anything runs: its curve, its proof, the words that break. No torch."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from core.context import Context
from core.corpus.prepare import PreparedCorpus, prepare
from core.corpus.reading import HUB, files_of
from core.errors import InputError, about
from core.recipe import Corpus, Recipe, absolute
from core.shared_cache import kept, shared_folder
from core.sources import check_model_folder, downloaded, local_folder
from core.trim import tokenizer_without_torch
from core.vocabulary.choosing import coverage_curve, everything
from core.vocabulary.kinds import kind_of
from core.vocabulary.rewriting import rewrite_tokenizer
from core.vocabulary.trimming import choose_for, count_corpus, examine, listed_words


def look_ahead(recipe: Recipe, base: Path, ctx: Context) -> dict[str, Any]:
    """Everything that can be known of a recipe's vocabulary from its teacher's tokenizer and its texts.

    Args:
        recipe: the recipe; sources on the hub and a teacher that isn't on this machine can't be looked at.
        base: what its relative paths are taken from.
        ctx: told of the progress, asked whether to go on.

    Returns:
        `curve` ([size, coverage], …: see `coverage_curve`), `smallest` possible size, `chosen` {size, coverage},
        `kept` (tokens by reason), and what `Findings.to_json` says of the held-out texts.

    Raises:
        InputError: teacher, texts or size can't be used, each with the recipe's key.
    """
    recipe = absolute(recipe, base)
    with about("teacher.model"):
        tokenizer = _tokenizer(recipe.teacher.model, base)
        written = json.loads(tokenizer.to_str())
        kind = kind_of(written)
    with tempfile.TemporaryDirectory(prefix="monoglot-") as name:
        scratch = Path(name)
        with about("corpus.sources"):
            corpus = _corpus(recipe.corpus, recipe.seed, scratch, ctx)
        counts = count_corpus(corpus, tokenizer, scratch, ctx)
        words = listed_words(recipe, tokenizer, ctx)
        curve = coverage_curve(kind, counts, recipe.method.vocabulary_frequency, words)
        selection = choose_for(recipe, kind, tokenizer, counts, ctx) if _cuts(recipe) else everything(kind, counts)
        trimmed = Tokenizer.from_str(json.dumps(rewrite_tokenizer(written, selection.kept)))
        findings = examine(tokenizer, trimmed, kind, selection.kept, counts, corpus.validation, ctx)
    return {
        "curve": curve,
        "smallest": curve[0][0],
        "chosen": {"size": len(selection.kept), "coverage": selection.coverage},
        "kept": selection.counted(),
        **findings.to_json(),
    }


def _cuts(recipe: Recipe) -> bool:
    return recipe.targets.vocabulary_size is not None or recipe.targets.vocabulary_coverage is not None


def _tokenizer(source: str, base: Path) -> Tokenizer:
    folder = local_folder(source, base) or downloaded(source)
    if folder is None:
        raise InputError(
            f"The tokenizer of {source!r} is not on this machine.",
            hint="The run downloads it; then, or with a folder of this machine, the vocabulary can be looked at.",
        )
    backend: Tokenizer = tokenizer_without_torch(folder, check_model_folder(folder, weights=False)).backend_tokenizer
    return backend


def _corpus(corpus: Corpus, seed: int, scratch: Path, ctx: Context) -> PreparedCorpus:
    """The prepared corpus, from the machine's cache where the files are as they were."""
    hub = [source for source in corpus.sources if source.startswith(HUB)]
    if hub:
        raise InputError(
            f"{hub[0]} is read when the run starts.",
            hint="To look at the vocabulary before, download the texts and give the files.",
        )
    files = [(str(path), path.stat()) for source in corpus.sources for path in files_of(source, Path())]
    state = [(path, stat.st_size, stat.st_mtime_ns) for path, stat in files]
    key = hashlib.sha256(json.dumps([asdict(corpus), seed, state]).encode()).hexdigest()[:32]

    def fill(folder: Path) -> None:
        prepare(corpus, Path(), seed, folder / "corpus", ctx)

    return prepare(corpus, Path(), seed, kept(shared_folder(), "texts", key, fill, ctx, scratch) / "corpus", ctx)
