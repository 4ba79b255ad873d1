"""Fuzz readers: `python -m benchmarks.fuzz --cases 10000 --out FILE.json [--only READER…] [--seed N]`.

Each reader is fed with so many cases in a process of its own. The exit status is 1 where a case failed.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import hypothesis

from benchmarks.fuzz.batch import run_batch
from benchmarks.fuzz.children import MEMORY, fuzz
from benchmarks.fuzz.page import section
from benchmarks.fuzz.table import READERS
from core.export.versions import versions
from core.machine import machine_name


def main() -> int:
    """Fuzz, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=sorted(READERS), metavar="READER", default=sorted(READERS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--child", choices=sorted(READERS), help=argparse.SUPPRESS)
    parser.add_argument("--current", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _limit_memory()
        found = run_batch(READERS[options.child], options.cases, options.seed, options.current)
        options.out.write_text(json.dumps(found), encoding="utf-8")
        return 0
    results = {
        "cases": options.cases,
        "seed": options.seed,
        "machine": machine_name("cpu"),
        "versions": {**versions(), "hypothesis": hypothesis.__version__},
        "readers": {},
    }
    for name in options.only:
        began = time.monotonic()
        found = results["readers"][name] = fuzz(name, options.cases, options.seed)
        counts = ", ".join(f"{found[key]:,} {key}" for key in ("cases", "right", "refused", "failed"))
        print(f"{name}: {counts}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(section(results))
    return 1 if any(found["failed"] for found in results["readers"].values()) else 0


def _limit_memory() -> None:
    """Let what would take all memory fail instead."""
    taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))


if __name__ == "__main__":
    sys.exit(main())
