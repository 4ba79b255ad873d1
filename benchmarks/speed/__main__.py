"""Our distillation step beside the reference's, where its time goes, and the race to a loss.

    python -m benchmarks.speed step --model FOLDER --text FILE --stage layers|hidden [--out JSON]
    python -m benchmarks.speed profile --model FOLDER --text FILE --stage layers|hidden [--side SIDE] [--out JSON]
    python -m benchmarks.speed race --teacher FOLDER --text FILE [--adapt-steps N] [--out JSON]
    python -m benchmarks.speed table JSON…

`step` and `profile` take FOLDER's architecture and tokenizer; weights are random. The texts are lines of FILE that
follow each other, joined to 60 to 512 tokens. Each side runs in a process of its own, one after the other; ours takes
the reference's texts, each again and again with other masks until a step is full. "same loss": the reference's, at the
tokens that there are; "defaults": what a recipe gets that says nothing. Shares of the machine's rate are of the
multiplications that real tokens need; the rate is that of matrix products of the step's own shapes.

`race` takes a model with weights; its output says what is compared and what counts.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.speed import race, step
from benchmarks.speed.page import tables
from benchmarks.speed.results import read
from core.errors import InputError


def main() -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args()
    try:
        return int(options.command(options))
    except InputError as error:
        for fault in error.faults:
            print(f"{fault.problem} {fault.hint}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__, formatter_class=form)
    found = parser.add_subparsers(required=True, metavar="COMMAND")
    one = found.add_parser("step", help="measure the reference's step and ours")
    _add_step(one)
    one.add_argument("--sides", nargs="+", choices=step.SIDES, help="left out: all")
    one.set_defaults(command=step.run)
    where = found.add_parser("profile", help="where the time of one of our steps goes")
    _add_step(where)
    where.add_argument("--side", choices=step.SIDES[1:], default="defaults")
    where.set_defaults(command=_profile)
    race_ = found.add_parser("race", help="which of the two is sooner at a validation loss")
    _add_race(race_)
    race_.set_defaults(command=race.run)
    table = found.add_parser("table", help="show what was measured as Markdown")
    table.add_argument("results", type=Path, nargs="+", metavar="JSON")
    table.set_defaults(command=_table)
    return parser


def _table(options: argparse.Namespace) -> int:
    print(tables([read(path) for path in options.results]))
    return 0


def _profile(options: argparse.Namespace) -> int:
    from benchmarks.speed.profiling import run  # brings torch, which the others leave to their children

    return run(options)


def _add_step(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="config.json and tokenizer")
    parser.add_argument("--text", type=Path, required=True, metavar="FILE")
    parser.add_argument("--stage", choices=("layers", "hidden"), required=True)
    parser.add_argument("--vocabulary", type=int, default=40_000, metavar="N", help="tokens of the trimmed models")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=4, metavar="N", help="texts of a step of the reference's")
    parser.add_argument("--steps", type=int, default=3, metavar="N", help="the reference's timed steps")
    parser.add_argument("--out", type=Path, metavar="JSON")


def _add_race(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--teacher", type=Path, required=True, metavar="FOLDER", help="a model with weights")
    parser.add_argument("--text", type=Path, required=True, metavar="FILE")
    parser.add_argument("--language", default="eng", metavar="CODE", help="the text's, ISO 639-3")
    text = "of masked-language training before the race, for a model without a head; 0: none"
    parser.add_argument("--adapt-steps", type=int, default=0, metavar="N", help=text)
    parser.add_argument("--steps", type=int, default=100, metavar="N", help="the reference's")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="texts of a step of the reference's")
    text = "the length of our schedule; left out: about as many tokens as the reference reads"
    parser.add_argument("--our-steps", type=int, default=0, metavar="N", help=text)
    parser.add_argument("--batch-tokens", type=int, default=8192, metavar="N", help="of a step of ours")
    parser.add_argument("--vocabulary", type=int, default=12_000, metavar="N", help="ours, once it is trimmed")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--seed", type=int, default=1)
    text = "an empty folder to work in, or one with an adapted teacher; left out: one that goes again"
    parser.add_argument("--work", type=Path, metavar="FOLDER", help=text)
    parser.add_argument("--out", type=Path, metavar="JSON")


if __name__ == "__main__":
    sys.exit(main())
