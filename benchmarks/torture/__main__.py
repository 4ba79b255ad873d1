"""Torture runs: `python -m benchmarks.torture --kills 120 --out FILE.json [--jobs 2] [--seed N] [--only WORD…]`.

Kills runs of three kinds at random moments and resumes each to its end; then damages runs in every other way. All of it
happens in a scratch folder, with a cache and a home of its own. The exit status is 1 where something isn't as it must
be.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.torture import runs
from benchmarks.torture.bench import Outcome, make
from benchmarks.torture.damages import DAMAGES, Fault
from benchmarks.torture.disks import DISKS
from benchmarks.torture.kills import Kills, kill_runs
from benchmarks.torture.page import section
from benchmarks.torture.processes import LAST, PROCESSES
from core.export.versions import versions
from core.machine import machine_name

FAULTS: dict[str, Fault] = {**DAMAGES, **DISKS, **PROCESSES}


def main() -> int:
    """Torture, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=120, help="in all, spread over the kinds of runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only faults whose name holds one of these words")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    names = [name for name in FAULTS if not options.only or any(word in name for word in options.only)]
    results: dict[str, Any] = {
        "seed": options.seed,
        "machine": machine_name("cpu"),
        "versions": versions(),
        "kills": {},
        "faults": [],
    }
    with tempfile.TemporaryDirectory(prefix="monoglot-") as given:
        scratch = Path(given)
        for kind in ("CACHE", "DATA", "STATE", "CONFIG"):
            os.environ[f"XDG_{kind}_HOME"] = str(scratch / kind.lower())
        with ThreadPoolExecutor(options.jobs) as pool:
            if options.kills:
                results["kills"] = _kills(options.kills, options.seed, scratch, pool, options.jobs)
            results["faults"] = _faults(names, scratch, pool)
    options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(section(results))
    failed = [fault for fault in results["faults"] if not fault["ok"]]
    return 1 if failed or any(found["failures"] for found in results["kills"].values()) else 0


def _kills(count: int, seed: int, scratch: Path, pool: ThreadPoolExecutor, jobs: int) -> dict[str, Any]:
    """Kill runs of every kind, several at once."""
    found: dict[str, Any] = {}
    for place, (kind, text) in enumerate(runs.KINDS.items()):
        home = scratch / f"kills-{place}"
        home.mkdir()
        (home / "recipe.toml").write_text(text, encoding="utf-8")
        ended = runs.run(home / "whole", home / "recipe.toml")
        if ended.status:
            raise RuntimeError(f"the run that nobody touches failed: {ended.said}")

        def job(number: int, kind: str = kind, home: Path = home, place: int = place) -> Kills:
            (home / str(number)).mkdir()
            share = -(-count // (jobs * len(runs.KINDS)))
            return kill_runs(kind, share, home / "whole", home / str(number), 1000 * seed + 10 * place + number)

        found[kind] = sum(pool.map(job, range(jobs)), Kills()).to_json()
        print(kind, found[kind], file=sys.stderr, flush=True)
    return found


def _faults(names: list[str], scratch: Path, pool: ThreadPoolExecutor) -> list[dict[str, Any]]:
    """Try every fault; those that touch what others share come last, one by one."""
    home = scratch / "faults"
    home.mkdir()
    bench = make(home)

    def tried(name: str) -> dict[str, Any]:
        try:
            found = FAULTS[name](bench)
        except Exception as error:
            found = Outcome(f"the attempt failed: {type(error).__name__}: {error}", ok=False)
        told = "as it must be" if found.ok else "NOT as it must be"
        print(f"{told}: {name}: {found.happened}", file=sys.stderr, flush=True)
        return found.named(name)

    some = list(pool.map(tried, [name for name in names if name not in LAST]))
    return some + [tried(name) for name in names if name in LAST]


if __name__ == "__main__":
    sys.exit(main())
