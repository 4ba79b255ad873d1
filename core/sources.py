"""Where a teacher comes from: a hub name, a local folder, or the built-in sample. No torch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.failures import OF_THE_DISK, failure_of
from core.small_files import open_file, read_object
from core.vocabulary.soundness import check_merges, check_steps
from resources import sample

MODEL_FILES = ("config.json", "*.safetensors", "model.safetensors.index.json", "tokenizer.json",
               "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json",
               "vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "added_tokens.json")  # fmt: skip
"""What is taken from a hub repository: never pickled weights, never code."""
_ANOTHER = "Choose another teacher."
_MOST_CONFIG = 8 * 2**20
_MOST_TOKENIZER = 256 * 2**20
"""Bytes of a file of a tokenizer; the largest in use have some 40 million."""
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                    "vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model",
                    "tokenizer.model", "chat_template.jinja", "chat_template.json")  # fmt: skip
_SETTINGS = frozenset(
    (
        *("tokenizer_class", "processor_class", "backend", "name_or_path", "model_input_names"),
        *("padding_side", "truncation_side", "truncation_strategy", "errors", "chat_template"),
        *("additional_special_tokens", "extra_special_tokens", "model_specific_special_tokens"),
        *("added_tokens_decoder", "init_inputs", "fast_tokenizer_files"),
    )
)
"""Entries of tokenizer_config.json whose texts are known to be no names of files, or are checked. A text under another
name may be one: transformers reads `vocab`, `merges` and whatever ends in `_file` from where it says."""
_TOKENS = ("additional_special_tokens", "extra_special_tokens")
PICKLED_INDEX = "pytorch_model.bin.index.json"
PICKLED = ("pytorch_model*.bin", PICKLED_INDEX)
"""Pickled weights: taken and read for a conversion that the user agreed to, and for nothing else."""


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


def pickled_folder(source: str, base: Path) -> Path:
    """As `model_folder`, with a hub model's pickled weights in place of safetensors; the user has agreed to that.

    Raises:
        InputError: no such model, or the hub can't be reached.
    """
    local = local_folder(source, base)
    plain = [pattern for pattern in MODEL_FILES if "safetensors" not in pattern]
    return local if local is not None else download(source, [*plain, *PICKLED])


def only_pickled(folder: Path) -> bool:
    """Whether a folder's only weights are pickled."""
    return not any(folder.glob("*.safetensors")) and any(folder.glob(PICKLED[0]))


def pickled_here(source: str, base: Path) -> bool:
    """Whether a teacher is a folder whose only weights are pickled; looks at names alone."""
    try:
        folder = local_folder(source, base)
        return folder is not None and only_pickled(folder)
    except (InputError, OSError):
        return False


def leads_outside(path: Path, folder: Path) -> bool:
    """Whether a file of a model folder is a link to what isn't the model's: neither in it nor in the hub's cache.

    Reading goes through links; what is copied into a folder that the user may pass on must not.
    """
    if not path.is_symlink():
        return False
    from huggingface_hub import constants

    own = (folder.resolve(), folder.resolve().parent.parent / "blobs", Path(constants.HF_HUB_CACHE).resolve())
    return not any(path.resolve().is_relative_to(place) for place in own)


def check_links(files: Iterable[Path], folder: Path) -> None:
    """Refuse to copy files of a model folder that are links to what isn't the model's.

    Raises:
        InputError: one is.
    """
    for path in files:
        if leads_outside(path, folder):
            raise InputError(
                f"{path} is a link that leads out of its folder.", hint="Put a copy of the file in its place."
            )


def local_folder(source: str, base: Path) -> Path | None:
    """The folder that `source` names on this machine; None where it reads as a hub name.

    Raises:
        InputError: it is a file, or reads as a folder, and there is none.
    """
    if source == "sample":
        return sample.teacher_folder()
    # os.path where Path's methods raise: an unknown user's home, a name that is too long.
    path = base / os.path.expanduser(source)
    if os.path.isdir(path):
        return path
    if os.path.exists(path):
        raise InputError(f"{path} is a file, not a model folder.", hint="Choose the folder that holds config.json.")
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
        config = read_object(path, _MOST_CONFIG)
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no config.json.", hint="Choose the folder that the model was saved in."
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read: {error}", hint="Download the model again.") from error
    if weights and not any(folder.glob("*.safetensors")):
        raise InputError(
            f"{folder} holds no weights in safetensors"
            + (", only a pickled checkpoint." if only_pickled(folder) else "."),
            hint="Choose a model with a model.safetensors. Pickled weights (pytorch_model.bin) can carry code and are "
            "not read; they can be converted, tensors only: monoglot convert MODEL --out FOLDER.",
            kind="pickle_only" if only_pickled(folder) else "",
        )
    return config


def tokenizer_arguments(folder: Path) -> dict[str, Any]:
    """What `from_pretrained` must be told to load a folder's tokenizer, and nothing beside it.

    Code that comes with it never runs, and files that its tokenizer_config.json names are not looked for: they may be
    anywhere on the machine that wrote it, or on this one. And a BERT tokenizer is told to keep to its tokenizer.json:
    where tokenizer_config.json doesn't speak of casing, transformers lower-cases whatever tokenizer.json says.

    Returns:
        Keyword arguments.

    Raises:
        InputError: a file is larger than any of its kind, is none, or describes what would make texts grow endlessly,
            end the process or be read from elsewhere.
    """
    _check_sizes(folder)
    settings = _json_object(folder / "tokenizer_config.json", _MOST_CONFIG)
    written = _json_object(folder / "tokenizer.json", _MOST_TOKENIZER)
    check_steps(written, folder / "tokenizer.json")
    check_merges(written, folder / "tokenizer.json")
    _check_names(settings, folder)
    arguments: dict[str, Any] = {name: None for name, value in settings.items() if _may_name_a_file(name, value)}
    if written:
        arguments["tokenizer_file"] = str(folder / "tokenizer.json")
    return {**arguments, **_casing(settings, written), "local_files_only": True, "trust_remote_code": False}


def _may_name_a_file(name: str, value: Any) -> bool:
    """Whether an entry of tokenizer_config.json may do that: a text does, or what may hold one."""
    known = name in _SETTINGS or name.endswith("_token")
    return name.endswith("_file") or not (known or value is None or isinstance(value, bool | int | float))


def _check_names(settings: dict[str, Any], folder: Path) -> None:
    """Refuse what would lead elsewhere and can't be left out: transformers reads it, whatever it is told."""
    path = folder / "tokenizer_config.json"
    for name in ("init_inputs", "fast_tokenizer_files"):
        if settings.get(name):
            raise InputError(f"{path} names other files, in {name}.", hint=f"Take {name} out of it.")
    path = folder / "special_tokens_map.json"
    for name in _json_object(path, _MOST_CONFIG):
        if name not in _TOKENS and not name.endswith("_token"):
            raise InputError(f"{path} names what is no token: {name[:50]!r}.", hint="Take that out of it.")
    config = _json_object(folder / "config.json", _MOST_CONFIG)
    for kind in (settings.get("tokenizer_class"), config.get("tokenizer_class")):
        if isinstance(kind, str) and not _is_fast(kind):
            raise InputError(f"The tokenizer in {folder} has no fast form: {kind[:50]!r}.", hint=_ANOTHER)


def _is_fast(name: str) -> bool:
    """Whether transformers' class of a name loads one fast tokenizer; where there is none, the general class does.

    Another may load anything: a model, or several tokenizers, each from a folder of its own with settings of its own.
    """
    import transformers

    try:
        kind = getattr(transformers, name.removesuffix("Fast"), transformers.TokenizersBackend)
    except ImportError:
        return False
    # In PythonBackend's place, transformers takes the general class.
    return kind is transformers.PythonBackend or (
        isinstance(kind, type) and issubclass(kind, transformers.TokenizersBackend)
    )


def _casing(settings: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
    normalizer = written.get("normalizer")
    as_written = settings.get("tokenizer_class") in ("TokenizersBackend", "PreTrainedTokenizerFast")
    if not isinstance(normalizer, dict) or normalizer.get("type") != "BertNormalizer":
        return {}
    if "do_lower_case" in settings or as_written:
        return {}
    return {
        "do_lower_case": normalizer.get("lowercase"),
        "strip_accents": normalizer.get("strip_accents"),
        "tokenize_chinese_chars": normalizer.get("handle_chinese_chars"),
    }


def _check_sizes(folder: Path) -> None:
    for path in (folder / name for name in _TOKENIZER_FILES):
        try:
            with open_file(path) as file:
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputError(f"{path} can't be read: {error.strerror}.", hint="Download the model again.") from error
        if size > _MOST_TOKENIZER:
            raise InputError(f"{path} is too large: {size / 2**20:,.0f} MB.", hint=_ANOTHER)


def _json_object(path: Path, most: int) -> dict[str, Any]:
    """A JSON file's content; empty where it is missing.

    Raises:
        InputError: it can't be read: transformers might, without any of it being checked.
    """
    try:
        return read_object(path, most)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read: {error}", hint="Download the model again.") from error
