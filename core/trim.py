"""The work behind `monoglot trim`: a model folder with the vocabulary of one language. Torch only where weights are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.compression.tokens import (
    Selection,
    TokenCounts,
    backend_json,
    check_segmentation,
    check_vocabulary,
    choose_tokens,
    count_tokens,
    remap_config,
    trim_tokenizer,
    unknown_id,
)
from core.context import Context
from core.errors import InputError
from core.events import Message
from core.families import Family, Sizes, family_of
from core.sources import check_model_folder, tokenizer_casing

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from core.models import LanguageModel

_EVERY = 10
"""Every tenth text is held out of the rehearsal."""

_CLASSES = {
    "bert": "BertTokenizer",
    "distilbert": "BertTokenizer",
    "roberta": "RobertaTokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
}
"""The tokenizer that transformers takes where tokenizer_config.json names none, by model_type."""


def trim_folder(model_folder: Path, texts: Iterable[str], size: int, out: Path, ctx: Context) -> dict[str, Any]:
    """Write a model folder that holds only the tokens which the texts' language needs.

    The tokens are chosen on all texts. What trimming does to new text is measured in a rehearsal: a vocabulary of the
    same size is chosen without every tenth text, and `fertility` and `unknown` are those of the texts held out.

    Args:
        model_folder: config.json, a fast tokenizer and, if there are any, weights in safetensors. Without weights only
            tokenizer and configuration are written; without a masked-LM head only the encoder.
        texts: the language's corpus.
        size: number of tokens to keep, special ones and alphabet included.
        out: the folder to write, absent or empty; it appears at the end, whole.
        ctx: told of the progress, asked whether to go on.

    Returns:
        `vocabulary` {before, after, wanted}, `kept` {special, alphabet, frequency}, `coverage` (share of the texts'
        tokens that are kept, 0-1), `fertility` (tokens a whitespace word), `unknown` (number of unknown tokens) and
        `parameters`, each {before, after}, and whether there were `weights`.

    Raises:
        InputError: a folder, the texts or the size can't be used.
    """
    _check_target(out)
    weights = any(model_folder.glob("*.safetensors")) or any(model_folder.glob("pytorch_model*.bin"))
    config = check_model_folder(model_folder, weights=weights)
    family = family_of(config)
    sizes = family.sizes(config)
    lm, has_head = _load(model_folder) if weights else (None, False)
    tokenizer = lm.tokenizer if lm else tokenizer_without_torch(model_folder, config)
    check_vocabulary(len(tokenizer), sizes.vocabulary)

    rest, held_out = _split(list(texts))
    seen = count_tokens(rest, len(rest), tokenizer.backend_tokenizer, ctx)
    held = count_tokens(held_out, len(held_out), tokenizer.backend_tokenizer, ctx)
    if not seen.tokens + held.tokens:
        raise InputError("The corpus holds no text.", hint="Choose files with text of the language.")
    written = backend_json(tokenizer)
    selection = choose_tokens(written, seen + held, size)
    _tell(selection, size, has_head or not weights, ctx)

    trimmed = trim_tokenizer(tokenizer, selection.kept)
    check_segmentation(tokenizer.backend_tokenizer, trimmed.backend_tokenizer, selection.kept, held_out, ctx)
    try:
        rehearsed = trim_tokenizer(tokenizer, choose_tokens(written, seen, size).kept)
    except InputError:
        # Nine tenths can just reach the share of a script that the whole corpus just misses.
        rehearsed = trimmed
    after = count_tokens(held_out, len(held_out), rehearsed.backend_tokenizer, ctx)
    words = max(sum(len(text.split()) for text in held_out), 1)
    new_sizes = replace(sizes, vocabulary=len(selection.kept))
    with _scratch(out) as folder:
        if lm:
            _write_model(lm, has_head, selection.kept, folder)
        else:
            trimmed.save_pretrained(folder)
            _write_config(remap_config(config, selection.kept) | family.config_changes(new_sizes), folder)
    return {
        "vocabulary": {"before": sizes.vocabulary, "after": len(selection.kept), "wanted": size},
        "kept": {"special": selection.special, "alphabet": selection.alphabet, "frequency": selection.frequency},
        "coverage": selection.coverage,
        "fertility": {"before": held.tokens / words, "after": after.tokens / words},
        "unknown": {"before": _unknown(held, written), "after": _unknown(after, backend_json(rehearsed))},
        "parameters": {"before": _parameters(family, sizes), "after": _parameters(family, new_sizes)},
        "weights": weights,
    }


def _check_target(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            f"{out} is there already and is not an empty folder.", hint="Choose a new folder, or empty this one."
        )


def _load(folder: Path) -> tuple[LanguageModel, bool]:
    from core.models import load  # brings torch

    return load(folder)


def tokenizer_without_torch(folder: Path, config: dict[str, Any]) -> PreTrainedTokenizerBase:
    """What AutoTokenizer gives, which would import torch."""
    import transformers

    if not (folder / "tokenizer.json").is_file():
        raise InputError(f"{folder} holds no tokenizer.json.", hint="Choose a folder with a tokenizer.json.")
    path = folder / "tokenizer_config.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        name = settings.get("tokenizer_class") or _CLASSES[config["model_type"]]
        kind = getattr(transformers, name.removesuffix("Fast"), transformers.TokenizersBackend)
        return kind.from_pretrained(folder, local_files_only=True, **tokenizer_casing(folder))  # type: ignore[no-any-return]
    except Exception as error:  # tokenizers raises plain Exception on a broken file
        raise InputError(
            f"The tokenizer in {folder} can't be read: {error}", hint="Choose a folder with a tokenizer.json."
        ) from error


def _split(texts: list[str]) -> tuple[list[str], list[str]]:
    """Nine tenths and the tenth held out; of fewer than ten texts all are both, which leaves every share as it is."""
    held_out = texts[_EVERY - 1 :: _EVERY]
    if not held_out:
        return texts, texts
    return [text for number, text in enumerate(texts) if number % _EVERY != _EVERY - 1], held_out


def _tell(selection: Selection, size: int, has_head: bool, ctx: Context) -> None:
    if len(selection.kept) < size:
        text = (
            f"The corpus holds only {selection.distinct:,} different tokens: "
            f"the vocabulary has {len(selection.kept):,} instead of {size:,}."
        )
        ctx.emit(Message(level="warning", text=text))
    if not has_head:
        ctx.emit(Message(level="warning", text="The model has no masked-LM head: only its encoder is written."))


def _write_model(lm: LanguageModel, has_head: bool, kept: Sequence[int], folder: Path) -> None:
    from core.compression.vocabulary import cut_vocabulary
    from core.models import save

    trimmed = cut_vocabulary(lm, kept)
    if has_head:
        save(trimmed, folder)
        return
    trimmed.model.get_submodule(trimmed.family.encoder).save_pretrained(folder)  # type: ignore[operator]
    trimmed.tokenizer.save_pretrained(folder)


def _write_config(config: dict[str, Any], folder: Path) -> None:
    text = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def _unknown(counts: TokenCounts, tokenizer_json: dict[str, Any]) -> int:
    token = unknown_id(tokenizer_json)
    return 0 if token is None else int(counts.occurrences[token])


def _parameters(family: Family, sizes: Sizes) -> int:
    return sum(family.parameters(sizes).values())


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place when all is written, and goes when something fails."""
    scratch = out.with_name(f".{out.name}.unfinished")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{out} can't be written: {error.strerror}.", hint="Choose another folder.") from error
    try:
        yield scratch
        if out.exists():
            out.rmdir()  # empty; Windows doesn't replace it
        scratch.replace(out)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
