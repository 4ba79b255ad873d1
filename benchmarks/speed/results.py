"""What was measured, as JSON files. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.sealing import write_atomic


def keep(found: Mapping[str, Any], out: Path | None) -> None:
    """Write a result where it is wanted, with the machine that it is of."""
    if out is not None:
        write_atomic(out, (json.dumps({**found, "machine": _machine()}, indent=1) + "\n").encode())


def read(path: Path) -> dict[str, Any]:
    """A result that `keep` wrote.

    Raises:
        InputError: it can't be read.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read: {error}", hint="Give a file that --out wrote.") from None


def _machine() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else "unknown"
