"""Cuts that judge by little text, for tests that are about something else; `python -m` this is `monoglot` with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

_TOKENS = 512
_READ = ("core.learning._LAYER_TOKENS", "core.stages._FEED_FORWARD_TOKENS", "core.stages._HIDDEN_TOKENS")


@contextmanager
def little_evidence() -> Iterator[None]:
    """What is cut is chosen from a few texts, in this process."""
    patches = [mock.patch(name, _TOKENS) for name in _READ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


if __name__ == "__main__":
    from core import cli

    with little_evidence():
        sys.exit(cli.main())
