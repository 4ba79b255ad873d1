"""Makes docs/reliability.md of what the long forms found.

    python -m benchmarks.reliability --torture FILE… --fuzz FILE… [--checkpoints FILE] --out docs/reliability.md

The files are what `python -m benchmarks.torture --out`, `python -m benchmarks.fuzz --out` and
`python -m benchmarks.checkpoints` wrote. Several of a kind are joined: kills and faults, readers and readers. A fault
or reader that is in two of them counts as in the later one: it was tried again, after something was mended.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.fuzz.page import section as fuzzed
from benchmarks.torture.page import section as tortured

_HEAD = """# Reliability

What was done to Monoglot, and what happened. All numbers on this page were written by the programs that it names; to
make them anew, run those. What each failure says in the window and on the terminal is in [failures.md](failures.md);
what strangers' files can't do is in [SECURITY.md](../SECURITY.md). The short form of all this runs with the tests.
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torture", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--fuzz", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--checkpoints", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="PAGE")
    options = parser.parse_args()
    parts = [_HEAD, *map(tortured, _latest(_read(options.torture))), _inputs(_read(options.fuzz))]
    if options.checkpoints is not None:
        parts.append(_cost(_read([options.checkpoints])[0]))
    text = "\n".join(part.strip("\n") + "\n" for part in parts)
    options.out.write_text("".join(_each_heading_once(text)), encoding="utf-8")


def _each_heading_once(text: str) -> Iterator[str]:
    """Its lines; what one program found at several times stands under one heading."""
    head, *sections = text.split("\n## ")
    yield head
    seen: set[str] = set()
    for section in sections:
        heading, _, content = section.partition("\n")
        yield content if heading in seen else f"\n## {section}"
        seen.add(heading)


def _read(paths: Sequence[Path]) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def _latest(found: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each file's results, its faults as they went the last time, where they stood the first time."""
    last = {case["name"]: case for one in found for case in one["cases"]}
    for one in found:
        cases = [last.pop(case["name"]) for case in one["cases"] if case["name"] in last]
        again = sum(case not in one["cases"] for case in cases)
        if cases or one["kills"]["kills"]:
            yield {**one, "cases": cases, "again": again}


def _inputs(found: Sequence[dict[str, Any]]) -> str:
    """All readers in one table."""
    first = found[0]
    readers = {name: reader for one in found for name, reader in one["readers"].items()}
    again = sorted(
        name for name, times in Counter(name for one in found for name in one["readers"]).items() if times > 1
    )
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    return (
        "## Damaged and hostile input\n\n"
        f"Made by `python -m benchmarks.fuzz --seed {first['seed']}` on: {first['machine']}; {versions}. Each input is "
        "drawn by hypothesis: sound files, and files with bytes cut, changed, put in or put into another encoding. "
        "Right: what must come out came out. A refusal must name what is wrong and what to do. All else counts as "
        "failed: another exception, a crash, 10 s without an end (30 s for a tokenizer), more than 3 GB of memory. "
        "Memory: what the process that read all inputs of a kind, one after the other, took beyond what it had before."
        + (f" Fed again, after something was mended: {', '.join(again)}." if again else "")
        + "\n\n"
        + fuzzed({**first, "readers": readers})
    )


def _cost(found: dict[str, Any]) -> str:
    *due, last = (f"{seconds:.1f} s" for seconds in found["seconds_each"])
    return (
        "## What checkpoints cost\n\n"
        "Made by `python -m benchmarks.checkpoints`: half of mBERT's layers trained with the default settings, each "
        f"checkpoint {found['megabytes']:,.0f} MB, flushed, and read back before the previous one goes. In "
        f"{found['seconds']:,.0f} s from the stage's beginning {found['checkpoints']} fell due ({', '.join(due)}): "
        f"**{100 * found['share']:.1f} %** of the time. The stop at the end wrote one more ({last})."
    )


if __name__ == "__main__":
    main()
