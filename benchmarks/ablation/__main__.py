"""Runs a grid of ways to make a model smaller, scores the students, writes the page.

    python -m benchmarks.ablation run GRID.toml --out OUT --model FOLDER --data FOLDER [--jobs 2]
    python -m benchmarks.ablation score OUT [--only NAME] [--jobs 2]
    python -m benchmarks.ablation table OUT… --to docs/ablations.md

--data is a folder with corpus.txt and a folder a task (topic, sentiment, ner, pos); --sample takes the built-in model
and data instead. Everything goes on where it was when it is started again; two processes may share a folder. What
`score` can do with any model folder, also before there is a run:

    python -m benchmarks.ablation score OUT --grid GRID.toml --data FOLDER --folder MODEL… [--only NAME] [--jobs 2]
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from benchmarks.ablation import commands
from core.errors import InputError


def main() -> int:
    """Run one command and return its exit status: 0 where all that was asked for is there now."""
    signal.signal(signal.SIGTERM, _interrupt)
    options = _parser().parse_args()
    try:
        return int(options.command(options))
    except InputError as error:
        for fault in error.faults:
            print(f"{fault.problem} {fault.hint}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt  # so that the children are ended too


def _parser() -> argparse.ArgumentParser:
    words = __doc__ or ""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablation", description=words, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found = parser.add_subparsers(required=True, metavar="COMMAND")
    run = found.add_parser("run", help="make the teacher and run every cell")
    run.add_argument("grid", type=Path, metavar="GRID")
    run.add_argument("--out", type=Path, required=True)
    text = "megabytes of the teacher's answers kept on disk for other cells while there are some to run; 0: none"
    run.add_argument("--share", type=int, default=8000, metavar="MB", help=text)
    run.set_defaults(command=commands.run)
    score = found.add_parser("score", help="score teacher and students on tasks")
    score.add_argument("out", type=Path, metavar="OUT")
    score.add_argument("--grid", type=Path, help="left out: the one that OUT was run with")
    score.add_argument("--folder", type=Path, nargs="+", metavar="MODEL", help="score these instead of OUT's models")
    score.add_argument("--only", nargs="+", metavar="NAME", help="of the grid's scorings")
    score.set_defaults(command=commands.score)
    for command in (run, score):
        command.add_argument("--model", default="", help="the original teacher")
        command.add_argument("--data", default="")
        command.add_argument("--sample", action="store_true", help="the built-in model and data")
        command.add_argument("--jobs", type=int, default=1, help="processes at a time, of one thread each")
    table = found.add_parser("table", help="write what was measured as a page")
    table.add_argument("outs", type=Path, nargs="+", metavar="OUT")
    table.add_argument("--to", type=Path, required=True, metavar="FILE.md")
    table.set_defaults(command=commands.table)
    return parser


if __name__ == "__main__":
    sys.exit(main())
