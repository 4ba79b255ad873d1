"""Plain files of labelled data sets, fetched once and kept. No torch.

`datasets` would need further libraries for addresses outside the hub, and ask the network every time for those on it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from core.context import Quiet

_ON_HUB = re.compile(r"hf://datasets/(?P<name>[^/@]+/[^/@]+)@(?P<revision>refs/\w+/\w+|[^/]+)/(?P<path>.+)")
_KIND = "tasks"
_SECONDS = 60
"""Without an answer, after which an address counts as out of reach."""


def fetch(addresses: Mapping[str, str]) -> dict[str, Path]:
    """Files on this machine: from the hub's cache or our own, downloaded where they aren't there yet.

    Args:
        addresses: by any name, "hf://datasets/NAME@REVISION/PATH" or "https://…".

    Raises:
        ConnectionError: a file isn't here, and the network out of reach.
        OSError: there is no file at an address, or none can be written here.
    """
    on_hub = {name: match for name, address in addresses.items() if (match := _ON_HUB.fullmatch(address))}
    elsewhere = {name: address for name, address in addresses.items() if name not in on_hub}
    found = {name: _from_hub(**match.groupdict()) for name, match in on_hub.items()}
    return found | (_from_web(elsewhere) if elsewhere else {})


def _from_hub(name: str, revision: str, path: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(name, path, repo_type="dataset", revision=revision))
    except LocalEntryNotFoundError as error:
        raise ConnectionError(f"{name} is not here and the hub is out of reach") from error


def _from_web(addresses: Mapping[str, str]) -> dict[str, Path]:
    """All of them or none."""
    from core.shared_cache import kept, shared_folder

    files = {name: f"{name}{PurePosixPath(address).suffix}" for name, address in addresses.items()}

    def fill(folder: Path) -> None:
        for name, address in addresses.items():
            (folder / files[name]).write_bytes(_download(address))

    key = hashlib.sha256("\n".join(addresses.values()).encode()).hexdigest()[:32]
    folder = kept(shared_folder(), _KIND, key, fill, Quiet())
    return {name: folder / file for name, file in files.items()}


def _download(address: str) -> bytes:
    from huggingface_hub import get_session  # which knows the machine's proxies and certificates

    try:
        answer = get_session().get(address, timeout=_SECONDS)
    except Exception as error:  # whichever library the hub's own talks through
        raise ConnectionError(f"{address} is out of reach: {error}") from error
    if answer.status_code != 200:
        raise FileNotFoundError(f"{address} answers {answer.status_code}")
    return bytes(answer.content)
