"""The program `monoglot`: a command where one is named, else the window. Brings no Qt before it is needed."""

from __future__ import annotations

try:
    from core import cli
except KeyboardInterrupt:  # as there
    raise SystemExit(130) from None


def main() -> int:
    """Do what the process was started for; returns the exit status."""
    return cli.main(window=_open)


def _open(sample: bool) -> int:
    from gui.app import main as open_window

    return open_window(sample=sample)


if __name__ == "__main__":
    raise SystemExit(main())
