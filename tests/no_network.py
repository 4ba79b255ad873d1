"""A process, and all that it starts, without a network; who asked for one is written down, also where it hides that."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_BLOCK = """
import socket, traceback

def _note(what):
    with open({notes!r}, "a", encoding="utf-8") as file:
        file.write(what + "\\n" + "".join(traceback.format_stack(limit=6)) + "\\n")
    raise OSError("the network is blocked")

def _connect(self, address, _connect=socket.socket.connect):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        _note(f"connect {{address}}")
    return _connect(self, address)

def _getaddrinfo(host, *more, **options):
    _note(f"getaddrinfo {{host}}")

socket.socket.connect = socket.socket.connect_ex = _connect
socket.getaddrinfo = _getaddrinfo
"""


def block_network(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Callable[[], str]:
    """Block the network here and in Python processes that are started from here.

    Returns:
        A function that tells who asked for it so far; empty where nobody did.
    """
    import socket

    notes, site = folder / "asked", folder / "site"
    site.mkdir()
    program = _BLOCK.format(notes=str(notes))
    (site / "sitecustomize.py").write_text(program, encoding="utf-8")
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH"), *sys.path[:1]])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    for owner, name in ((socket.socket, "connect"), (socket.socket, "connect_ex"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # so that it comes back afterwards
    exec(compile(program, "sitecustomize.py", "exec"), {})
    return lambda: notes.read_text(encoding="utf-8") if notes.exists() else ""
