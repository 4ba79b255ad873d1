"""How fast a vocabulary is trimmed, against the straightforward way, and in how much memory.

    python -m benchmarks.vocabulary MODEL CORPUS [--size 6000] [--repeat 3]

MODEL is a folder with tokenizer.json and config.json, CORPUS a text file with a text a line. Both ways start from the
loaded tokenizer and the lines in memory, and end with a tokenizer on disk; they take turns, in one process. Both count
in how many texts each token occurs. The straightforward way has no alphabet and proves nothing. Peak memory is that of
`monoglot trim` in a process of its own, set against the weights that the folder holds.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.context import Quiet
from core.sources import check_model_folder
from core.trim import tokenizer_without_torch
from core.vocabulary.choosing import Wanted, choose_tokens
from core.vocabulary.counting import count_tokens
from core.vocabulary.kinds import kind_of
from core.vocabulary.rewriting import backend_json, trim_tokenizer


def straightforward(tokenizer: Any, lines: list[str], size: int, out: Path) -> None:
    """Line by line in Python, counts in a dictionary, ids looked up in lists."""
    counts: dict[str, int] = {}
    for line in lines:
        for token in set(tokenizer.tokenize(line)):
            counts[token] = counts.get(token, 0) + 1
    kept = list(tokenizer.all_special_tokens)
    for token, _ in sorted(counts.items(), key=lambda one: -one[1]):
        if len(kept) < size and token not in kept:
            kept.append(token)
    written = json.loads(tokenizer.backend_tokenizer.to_str())
    model = written["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [entry for entry in model["vocab"] if entry[0] in kept]
        order = [piece for piece, _ in model["vocab"]]
        model["unk_id"] = order.index(tokenizer.unk_token)
    else:
        order = [token for token in model["vocab"] if token in kept]
        model["vocab"] = {token: order.index(token) for token in order}
    ids = [tokenizer.convert_tokens_to_ids(token) for token in order]
    remap = {old: ids.index(old) for old in ids}
    for added in written["added_tokens"]:
        added["id"] = remap.get(added["id"], len(order))
    (out / "tokenizer.json").write_text(json.dumps(written), encoding="utf-8")


def ours(tokenizer: Any, lines: list[str], size: int, out: Path) -> None:
    """What `monoglot trim` does between loading and proving."""
    counts = count_tokens(lines, len(lines), tokenizer.backend_tokenizer, Quiet())
    written = backend_json(tokenizer)
    selection = choose_tokens(kind_of(written), counts, Wanted(size=size))
    trim_tokenizer(tokenizer, selection.kept, written).save_pretrained(out)


def _seconds(work: Callable[[Any, list[str], int, Path], None], *given: Any) -> float:
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        work(*given, Path(name))
        return time.perf_counter() - start


def _peak(model: Path, corpus: Path, size: int) -> int:
    """Bytes that `monoglot trim` takes at most; the largest child so far, and there is no other."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "core.cli", "trim", str(model), "--corpus", str(corpus)]
        subprocess.run([*command, "--size", str(size), "--out", f"{name}/out"], check=True, capture_output=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Run the benchmark and print its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--size", type=int, default=6000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    peak = _peak(options.model, options.corpus, options.size)
    weights = sum(path.stat().st_size for path in options.model.glob("*.safetensors"))
    tokenizer = tokenizer_without_torch(options.model, check_model_folder(options.model, weights=False))
    lines = options.corpus.read_text(encoding="utf-8").splitlines()
    times: dict[str, list[float]] = {"ours": [], "straightforward": []}
    for _ in range(options.repeat):
        times["ours"].append(_seconds(ours, tokenizer, lines, options.size))
        times["straightforward"].append(_seconds(straightforward, tokenizer, lines, options.size))
    ratios = [slow / fast for fast, slow in zip(times["ours"], times["straightforward"], strict=True)]
    print(
        json.dumps(
            {
                "seconds": {name: [round(value, 2) for value in values] for name, values in times.items()},
                "times_faster": {"median": statistics.median(ratios), "least": min(ratios)},
                "peak_megabytes": peak / 1e6,
                "weights_megabytes": weights / 1e6,
            }
        )
    )


if __name__ == "__main__":
    main()
