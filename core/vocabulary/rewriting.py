"""The tokenizer with fewer tokens: one renumbering, applied wherever an id stands. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from core.errors import InputError
from core.families import family_of
from core.vocabulary.kinds import kind_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TOKENIZER_FILES = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}


def numbering(kept: Sequence[int]) -> dict[int, int]:
    """Old id → new id: the place among the kept ones.

    Raises:
        ValueError: the ids don't ascend.
    """
    if any(after <= before for before, after in pairwise(kept)):
        raise ValueError("the kept ids must ascend")
    return {old: new for new, old in enumerate(kept)}


def rewrite_tokenizer(tokenizer_json: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """tokenizer.json with the kept tokens only, numbered 0, 1, … in their order; all else stays as it is.

    Args:
        tokenizer_json: content of the original's tokenizer.json; it stays as it is.
        kept: old ids, ascending, every special token among them (`choose_tokens` gives such).

    Raises:
        InputError: the tokenizer is of an unsupported kind.
        ValueError: `kept` isn't ascending, lacks a special token, or holds an id that the vocabulary lacks.
    """
    kind = kind_of(tokenizer_json)
    new_id = numbering(kept)
    if lost := kind.special - new_id.keys():
        raise ValueError(f"the kept ids lack the special tokens {sorted(lost)}")
    if strange := new_id.keys() - kind.pieces.keys():
        raise ValueError(f"the vocabulary has no tokens of the ids {sorted(strange)[:10]}")
    added = [entry | {"id": new_id[entry["id"]]} for entry in tokenizer_json.get("added_tokens", [])]
    rewritten = {**tokenizer_json, "added_tokens": added, "model": kind.trimmed(new_id)}
    if tokenizer_json.get("post_processor"):
        rewritten["post_processor"] = _renumbered(tokenizer_json["post_processor"], new_id)
    if tokenizer_json.get("padding"):
        rewritten["padding"] = tokenizer_json["padding"] | {"pad_id": new_id[tokenizer_json["padding"]["pad_id"]]}
    return rewritten


def _renumbered(processor: Mapping[str, Any], new_id: Mapping[int, int]) -> dict[str, Any]:
    changed = dict(processor)
    if "processors" in processor:
        changed["processors"] = [_renumbered(part, new_id) for part in processor["processors"]]
    if "special_tokens" in processor:
        changed["special_tokens"] = {
            name: entry | {"ids": [new_id[token] for token in entry["ids"]]}
            for name, entry in processor["special_tokens"].items()
        }
    for name in ("sep", "cls"):
        if name in processor:
            piece, token = processor[name]
            changed[name] = [piece, new_id[token]]
    return changed


def trim_tokenizer(
    tokenizer: PreTrainedTokenizerBase, kept: Sequence[int], written: Mapping[str, Any] | None = None
) -> PreTrainedTokenizerBase:
    """The tokenizer with the kept tokens only, of the same class where that class rebuilds it faithfully.

    Args:
        tokenizer: a fast tokenizer; it stays as it is.
        kept: old ids, ascending, every special token among them.
        written: what `backend_json` gives for it, where that is at hand: making it takes long.

    Raises:
        InputError: the tokenizer is of an unsupported kind.
    """
    from transformers import TokenizersBackend

    rewritten = json.dumps(rewrite_tokenizer(written or backend_json(tokenizer), kept), ensure_ascii=False)
    backend = Tokenizer.from_str(rewritten)
    for kind in (type(tokenizer), TokenizersBackend):
        with TemporaryDirectory() as name:
            folder = Path(name)
            tokenizer.save_pretrained(folder)
            for stale in [path for path in folder.iterdir() if path.name not in _TOKENIZER_FILES]:
                stale.unlink()
            (folder / "tokenizer.json").write_text(rewritten, encoding="utf-8")
            _set_class(folder / "tokenizer_config.json", kind.__name__)
            trimmed = kind.from_pretrained(folder, local_files_only=True)
        if backend_json(trimmed) == json.loads(backend.to_str()):
            forget_loading(trimmed)
            return trimmed  # type: ignore[no-any-return]
    raise RuntimeError("the trimmed tokenizer differs from what was written, after loading it")


def forget_loading(tokenizer: PreTrainedTokenizerBase) -> None:
    """Drop how a tokenizer was loaded here, which would be saved with it."""
    for key in ("is_local", "local_files_only", "trust_remote_code"):
        tokenizer.init_kwargs.pop(key, None)


def _set_class(path: Path, name: str) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("added_tokens_decoder", None)  # old ids; tokenizer.json holds the new ones
    config["tokenizer_class"] = name
    path.write_text(json.dumps(config, ensure_ascii=False, indent=2), encoding="utf-8")


def backend_json(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Content of the tokenizer.json that a fast tokenizer would save."""
    return dict(json.loads(tokenizer.backend_tokenizer.to_str()))


def check_vocabulary(length: int, rows: int) -> None:
    """Refuse a tokenizer that names tokens which the model has no embedding for.

    Args:
        length: number of the tokenizer's tokens, added ones included.
        rows: number of the embedding's rows; rows beyond the tokenizer's are no fault.

    Raises:
        InputError: the tokenizer is longer than the embedding.
    """
    if length > rows:
        raise InputError(
            f"The tokenizer has {length:,} tokens, the model only {rows:,} embeddings.",
            hint="Take the tokenizer and the weights from the same model.",
        )


def remap_config(config: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """config.json with its token ids renumbered; an id that isn't kept becomes null.

    The size of the vocabulary is left to the family's table.

    Raises:
        InputError: the padding id of a RoBERTa would move, where its positions start.
    """
    new_id = numbering(kept)
    changed = dict(config)
    for key, value in config.items():
        if key.endswith("_token_id") and isinstance(value, list):
            changed[key] = [new_id[token] for token in value if token in new_id]
        elif key.endswith("_token_id") and value is not None:
            changed[key] = new_id.get(value)
    family = family_of(config)
    if family.position_offset < 0 and changed["pad_token_id"] != config["pad_token_id"]:
        raise InputError(
            f"The padding token would move from id {config['pad_token_id']} to {changed['pad_token_id']}, "
            f"and {family.name} counts positions from there.",
            hint="Choose a teacher whose first tokens are special ones, such as xlm-roberta-base.",
        )
    return changed
