"""Plain files of labelled sets: from the hub's cache or the web, once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from core.tasks.fetching import fetch

WEB = {"train": "https://example.org/a/train.txt", "test": "https://example.org/a/test.txt"}


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What is at which address; "asked" lists those that were asked for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("appdirs.user_cache_dir", lambda name, author: str(tmp_path / "cache" / name))
    pages: dict[str, Any] = {"asked": []}

    def get(address: str, timeout: float) -> Any:
        pages["asked"].append(address)
        if pages.get(address) is None:
            raise OSError("Name or service not known")
        status, content = pages[address]
        return SimpleNamespace(status_code=status, content=content)

    monkeypatch.setattr("huggingface_hub.get_session", lambda: SimpleNamespace(get=get))
    return pages


def test_files_of_the_web_are_fetched_once(web: dict[str, Any]) -> None:
    web |= {address: (200, name.encode()) for name, address in WEB.items()}
    found = fetch(WEB)
    assert {name: path.read_bytes() for name, path in found.items()} == {"train": b"train", "test": b"test"}
    assert [path.suffix for path in found.values()] == [".txt", ".txt"]
    for address in WEB.values():
        web[address] = None
    assert fetch(WEB) == found
    assert web["asked"] == list(WEB.values())


def test_nothing_is_kept_of_half_a_set(web: dict[str, Any]) -> None:
    web[WEB["train"]] = (200, b"train")
    with pytest.raises(ConnectionError, match=r"test.txt is out of reach: Name or service"):
        fetch(WEB)
    web[WEB["test"]] = (404, b"")
    with pytest.raises(FileNotFoundError, match=r"test.txt answers 404"):
        fetch(WEB)
    web[WEB["test"]] = (200, b"test")
    assert fetch(WEB)["test"].read_bytes() == b"test"


@pytest.mark.parametrize("revision", ["refs/convert/parquet", "main", "0a1b2c"])
def test_files_of_the_hub_are_the_hubs_to_keep(revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(name: str, path: str, **where: str) -> str:
        asked.append((name, path, where))
        if len(asked) > 1:
            raise LocalEntryNotFoundError("not here")
        return "/there/0000.parquet"

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    address = {"test": f"hf://datasets/a/b-c@{revision}/swa/test/0000.parquet"}
    assert fetch(address) == {"test": Path("/there/0000.parquet")}
    assert asked == [("a/b-c", "swa/test/0000.parquet", {"repo_type": "dataset", "revision": revision})]
    with pytest.raises(ConnectionError, match="a/b-c is not here"):
        fetch(address)
