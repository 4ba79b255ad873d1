"""Where a teacher comes from: a hub name, a local folder, or the built-in sample. No torch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.failures import OF_THE_DISK, failure_of
from resources import sample

MODEL_FILES = ("config.json", "*.safetensors", "model.safetensors.index.json", "tokenizer*", "special_tokens_map.json",
               "vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "added_tokens.json")  # fmt: skip
"""What is taken from a hub repository: never pickled weights, never code."""


def model_folder(source: str, base: Path) -> Path:
    """The local folder of a teacher; downloads a hub model (its config, weights and tokenizer only).

    Args:
        source: "sample", a folder (absolute, or relative to `base`) or a hub name such as "xlm-roberta-base".
        base: the recipe's folder.

    Raises:
        InputError: no such model, or the hub can't be reached.
    """
    local = local_folder(source, base)
    return local if local is not None else download(source, list(MODEL_FILES))


def local_folder(source: str, base: Path) -> Path | None:
    """The folder that `source` names on this machine; None where it reads as a hub name.

    Raises:
        InputError: it reads as a folder, and there is none.
    """
    if source == "sample":
        return sample.teacher_folder()
    # os.path where Path's methods raise: an unknown user's home, a name that is too long.
    path = base / os.path.expanduser(source)
    if os.path.isdir(path):
        return path
    if source.startswith((".", "/", "~")) or "\\" in source or source.count("/") > 1 or Path(source).is_absolute():
        raise InputError(f"There is no model folder {path}.", hint="Choose the folder that holds config.json.")
    return None


def download(name: str, patterns: list[str]) -> Path:
    """A hub model's files in the hub's cache, downloaded where they aren't there yet.

    Raises:
        InputError: there is no such model, it is not open to this user, or the hub can't be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except GatedRepoError as error:
        raise InputError(
            f"The model {name!r} is only for those whom its owners let in.",
            hint=f"Ask for access on huggingface.co/{name}, log in with: hf auth login, and try again.",
            kind="hub_refuses",
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise _no_model(name) from error
    except (LocalEntryNotFoundError, OSError) as error:
        if failure_of(error).kind in OF_THE_DISK:
            raise
        raise InputError(
            f"The model {name!r} is not on this machine and the hub can't be reached.",
            hint="Connect to the internet once, or copy the model's folder here and give its path.",
            kind="no_network",
        ) from error


def downloaded(name: str) -> Path | None:
    """The folder of a hub model of which this machine has at least config.json; never asks the hub.

    Raises:
        InputError: no model of the hub can have this name.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(name, "config.json")
    except HFValidationError as error:
        raise _no_model(name) from error
    return Path(config).parent if isinstance(config, str) else None


def _no_model(name: str) -> InputError:
    return InputError(
        f"The hub has no model {name!r} (or it isn't open to you).",
        hint="Check the name on huggingface.co, or give a local folder.",
        kind="hub_refuses",
    )


def check_model_folder(folder: Path, *, weights: bool = True) -> dict[str, Any]:
    """The config.json of a model folder that has what loading needs.

    Raises:
        InputError: config.json or (where `weights`) safetensors weights are missing or broken.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no config.json.", hint="Choose the folder that the model was saved in."
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read: {error}", hint="Download the model again.") from error
    if not isinstance(config, dict):
        raise InputError(f"{path} is not a JSON object.", hint="Download the model again.")
    if weights and not any(folder.glob("*.safetensors")):
        pickled = any(folder.glob("pytorch_model*.bin"))
        raise InputError(
            f"{folder} holds no weights in safetensors" + (", only a pickled checkpoint." if pickled else "."),
            hint="Choose a model with a model.safetensors; pickled weights can carry code and are not read.",
            kind="pickle_only" if pickled else "",
        )
    return config


def tokenizer_casing(folder: Path) -> dict[str, Any]:
    """What a BERT tokenizer must be told so that it keeps to its tokenizer.json.

    Where tokenizer_config.json doesn't speak of casing, transformers lower-cases whatever tokenizer.json says.

    Returns:
        Keyword arguments for `from_pretrained`; none for other tokenizers.
    """
    settings, written = (_json_object(folder / name) for name in ("tokenizer_config.json", "tokenizer.json"))
    normalizer = written.get("normalizer") or {}
    as_written = settings.get("tokenizer_class") in ("TokenizersBackend", "PreTrainedTokenizerFast")
    if normalizer.get("type") != "BertNormalizer" or "do_lower_case" in settings or as_written:
        return {}
    return {
        "do_lower_case": normalizer["lowercase"],
        "strip_accents": normalizer["strip_accents"],
        "tokenize_chinese_chars": normalizer["handle_chinese_chars"],
    }


def _json_object(path: Path) -> dict[str, Any]:
    """A JSON file's content; empty where it is missing or broken, which loading the tokenizer will tell of."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
