"""Which share of the time that a run trains its live scores take, as measured.

    python -m benchmarks.live [RECIPE]

Runs the recipe (without one, the built-in sample) and times what it does while it trains: steps, validations, and all
that the live scores take, from choosing and tokenising their examples to the teacher's own. A library that the scores
at the end need, too, is loaded before, and its time told apart.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import resources
from core import recipe as recipes
from core.run import RunFolder


class Stopwatch:
    """Seconds and calls of functions, by what they are for; what one calls of another counts once."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._inside = False

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time taken."""

        def call(*arguments: Any, **others: Any) -> Any:
            if self._inside:
                return function(*arguments, **others)
            self._inside, begin = True, time.perf_counter()
            try:
                return function(*arguments, **others)
            finally:
                self._inside = False
                self.seconds[name] += time.perf_counter() - begin
                self.calls[name] += 1

        return call


def main() -> None:
    """Run, and print the shares as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", type=Path, default=Path(resources.__file__).parent / "sample/recipe.toml")
    options = parser.parse_args()
    from core import session
    from core.distillation import training
    from core.live import LiveScores

    watch, begin = Stopwatch(), time.perf_counter()
    importlib.import_module("seqeval.metrics")
    library = time.perf_counter() - begin
    with (
        tempfile.TemporaryDirectory(prefix="monoglot-") as scratch,
        patch.object(training, "take_step", watch.timed("steps", training.take_step)),
        patch.object(training, "validated", watch.timed("validations", training.validated)),
        patch.object(LiveScores, "__init__", watch.timed("live: choosing", LiveScores.__init__)),
        patch.object(LiveScores, "due", watch.timed("live: counting", LiveScores.due)),
        patch.object(LiveScores, "scores", watch.timed("live: probes", LiveScores.scores)),
    ):
        text, base = recipes.read(options.recipe), options.recipe.absolute().parent
        session.execute(RunFolder(Path(scratch) / "run"), original=text, base=base, resume=False)
    live = sum(seconds for name, seconds in watch.seconds.items() if name.startswith("live"))
    steps, everything = watch.seconds["steps"], sum(watch.seconds.values())
    told = {
        "seconds": {name: round(seconds, 2) for name, seconds in watch.seconds.items()},
        "library_seconds": round(library, 2),
        "calls": watch.calls,
        "live_of_steps_percent": round(100 * live / steps, 2),
        "live_of_training_percent": round(100 * live / everything, 2),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
