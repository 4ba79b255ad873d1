"""Tortures runs, and tells how they took it.

    python -m benchmarks.torture --kills 100 --out results.json [--seed N] [--jobs N] [--only WORD…] [--work FOLDER]
    python -m benchmarks.torture --show results.json

Kills: runs of the built-in sample are killed with SIGKILL at random moments, resumed until they are finished, and
compared byte for byte with one that nobody touched. Faults: full and read-only disks, damaged files, signals, changed
data and more, each with the end that is right. Full disks and read-only folders want root on Linux; where that isn't
so, the cases say that they were skipped. The exit status is 1 where anything went wrong.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks.torture import disks, files, outside
from benchmarks.torture.bench import Bench, Case
from benchmarks.torture.kills import counted, torture, victims
from benchmarks.torture.page import section
from core.export.versions import versions
from core.machine import machine_name
from core.sealing import write_json


def main() -> int:
    """Run it all and return the exit status."""
    options = _parser().parse_args()
    if options.show is not None:
        print(section(json.loads(options.show.read_text(encoding="utf-8"))), end="")
        return 0
    folder = options.work or Path(tempfile.mkdtemp(prefix="torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    found = _results(Bench(folder.absolute()), options)
    if options.out is not None:
        write_json(options.out, found)
    print(section(found), end="")
    failures = found["kills"]["failed_runs"] + sum(not case["ok"] for case in found["cases"])
    if options.work is None and not failures:
        shutil.rmtree(folder)
    return 1 if failures else 0


def _results(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    wanted = [case for case in _cases() if _is_wanted(case, options.only)]
    killed = victims(options.kills, options.seed)
    jobs: list[tuple[str, Callable[[], Any]]] = [
        *((f"kills: {kind}, seed {seed}", lambda one=(kind, seed, share): torture(bench, *one))
          for kind, seed, share in killed),
        *((case.name, lambda case=case: case.record(bench)) for case in wanted),
    ]  # fmt: skip
    found = _run(jobs, options.jobs)
    dead = found[: len(killed)]
    return {
        "kind": "torture",
        "machine": machine_name("cpu"),
        "versions": versions(),
        "seed": options.seed,
        "asked": options.kills,
        "jobs": options.jobs,
        "seconds": time.monotonic() - began,
        "kills": counted(dead),
        "victims": [victim.to_json() for victim in dead],
        "cases": [record.to_json() for record in found[len(killed) :]],
    }


def _run(jobs: Sequence[tuple[str, Callable[[], Any]]], at_once: int) -> list[Any]:
    """What each job returns, in their order; each is told of when it is done."""
    with ThreadPoolExecutor(at_once) as pool:
        waiting = {pool.submit(job): name for name, job in jobs}
        for done, one in enumerate(as_completed(waiting), 1):
            print(f"{done} of {len(jobs)}: {waiting[one]}: {_verdict(one.result())}", file=sys.stderr, flush=True)
        return [one.result() for one in waiting]


def _verdict(result: Any) -> str:
    if hasattr(result, "failure"):
        return f"FAILED: {result.failure}" if result.failure else f"{len(result.kills)} kills"
    return f"{'skipped' if result.skipped else 'ok' if result.ok else 'FAILED'}: {result.happened}"


def _cases() -> list[Case]:
    return [*files.cases(), *outside.cases(), *disks.cases()]


def _is_wanted(case: Case, only: Sequence[str] | None) -> bool:
    return only is None or any(word in case.name for word in only)


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture", description=__doc__, formatter_class=form)
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="of processes that are alive")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the moments of the kills")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time, with one thread each")
    parser.add_argument(
        "--only", nargs="*", metavar="WORD", help="faults whose names hold one of these; none: no faults"
    )
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="keep all that is made there")
    parser.add_argument("--out", type=Path, metavar="JSON", help="write the results")
    parser.add_argument("--show", type=Path, metavar="JSON", help="show results as Markdown, and do nothing else")
    return parser


if __name__ == "__main__":
    sys.exit(main())
