"""Child processes that measure; this one stays small, as a child's peak memory begins with its parent's. No torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def ask(module: str, given: Mapping[str, Any], environment: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """What a module says when it is run with this on its standard input.

    Args:
        module: what follows `python -m`.
        given: becomes JSON.
        environment: variables that it has beside those of this process.

    Raises:
        InputError: it ended badly; what it said is on standard error.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(given),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )
    if done.returncode:
        ended = f"was killed (signal {-done.returncode})" if done.returncode < 0 else f"ended with {done.returncode}"
        raise InputError(f"{module} {ended}.", hint="See what it said above; where it was killed, memory ran out.")
    return dict(json.loads(done.stdout.splitlines()[-1]))
