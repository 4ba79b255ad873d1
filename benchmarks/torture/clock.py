"""`monoglot` with a clock that jumps by years, back and forth, at every look.

python -m benchmarks.torture.clock run …
"""

from __future__ import annotations

import itertools
import sys
import time

_YEAR = 365.25 * 86_400


def main() -> int:
    """Run the command that follows."""
    right, jumps = time.time, itertools.cycle((0.0, 12 * _YEAR, -9 * _YEAR, 3.0, -40 * _YEAR))
    time.time = lambda: max(0.0, right() + next(jumps))
    from core.cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
