"""The files that a model is loaded from: which they are, and when they are others."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from core import model_files
from core.context import Quiet
from core.errors import Fault, InputError
from core.model_files import LOADED, ModelFiles

CHANGED = Fault("Others now.", "Put them back.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder, as far as names go."""
    made = tmp_path / "model"
    made.mkdir()
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        (made / name).write_text(name)
    return made


def files(folder: Path) -> ModelFiles:
    return ModelFiles(folder, Quiet().check, CHANGED)


def test_every_file_that_a_fast_tokenizer_is_made_from_counts() -> None:
    names = {"tokenizer.4.0.0.json", "tekken.json", "tiktoken.model", "special_tokens_map.json", "added_tokens.json"}
    for made in TOKENIZER_MAPPING_NAMES.values():
        kind = getattr(transformers, made or "", None)
        if isinstance(kind, type) and issubclass(kind, transformers.TokenizersBackend):
            names |= set(kind.vocab_files_names.values())
    assert {"vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model"} <= names
    assert not [name for name in names if not any(fnmatchcase(name, pattern) for pattern in LOADED)]


def test_what_is_not_loaded_may_change(folder: Path) -> None:
    watched = files(folder)
    with watched.reading():
        for name in ("README.md", "training.json", "pytorch_model.bin", "vocabulary.tsv", ".gitattributes"):
            (folder / name).write_text("new")
        (folder / ".git").mkdir()
        (folder / "tokenizer.json").mkdir()
    assert sorted(watched.noted) == ["config.json", "model.safetensors", "vocab.txt"]


@pytest.mark.parametrize("name", ["vocab.txt", "model.safetensors", "added_tokens.json"])
def test_others_are_refused_until_the_old_ones_are_back(folder: Path, name: str) -> None:
    watched, path = files(folder), folder / name
    with watched.reading():
        pass
    old = path.read_text() if path.exists() else None
    path.write_text(name[::-1])
    with pytest.raises(InputError, match=r"Others now\."), watched.reading():
        pass
    path.unlink()
    if old is not None:
        path.write_text(old)
    with watched.reading():
        pass


def test_what_changes_while_it_is_loaded_is_refused_whatever_loading_says(folder: Path) -> None:
    with pytest.raises(InputError, match=r"Others now\."), files(folder).reading():
        (folder / "config.json").unlink()
        raise InputError("The weights don't fit.", hint="")


def test_a_hash_is_taken_again_only_where_a_look_shows_something(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    digest = model_files.hashlib.file_digest

    def counted(file: Any, kind: str) -> Any:
        taken.append(Path(file.name).name)
        return digest(file, kind)

    monkeypatch.setattr(model_files.hashlib, "file_digest", counted)
    watched = files(folder)
    for _ in range(2):
        with watched.reading():
            pass
    assert sorted(taken) == ["config.json", "model.safetensors", "vocab.txt"]
    taken.clear()
    os.utime(folder / "vocab.txt", (0, 0))
    with watched.reading():
        pass
    assert taken == ["vocab.txt"]


def test_a_link_is_told_by_what_it_leads_to(folder: Path, tmp_path: Path) -> None:
    blobs = [tmp_path / name for name in ("a", "b", "c")]
    for blob, text in zip(blobs, ("one", "one", "two"), strict=True):
        blob.write_text(text)
    link, watched = folder / "merges.txt", files(folder)
    link.symlink_to(blobs[0])
    with watched.reading():
        link.unlink()
        link.symlink_to(blobs[1])
    link.unlink()
    link.symlink_to(blobs[2])
    with pytest.raises(InputError), watched.reading():
        pass
