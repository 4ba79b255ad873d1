"""How fast a model reads on this machine's processor and what memory it takes: `python -m core.analysis.latency`.

In a process of its own, so that its memory is its own. Standard input is one JSON object with `model` (a folder),
`texts`, `max_length` (tokens) and `threads`; the last line of standard output is what was measured, as JSON.

What is timed is a text's way from its letters to the encoder's states, in float32: tokenising and all layers, without
the masked-language head, which no task needs.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.machine import forget_peak, peak_memory
from core.models import LanguageModel, load

BATCHES = (1, 32)
"""Texts at a time."""
_SECONDS = 2.0
"""That batches of one size are repeated for."""
_LEAST, _MOST = 3, 200
"""Repeats; of what takes longer than all the time that there is, one."""
_SPREAD = (0.1, 0.9)
"""Shares of the repeats below `low` and below `high`."""


def measure(folder: Path, texts: Sequence[str], max_length: int, threads: int) -> dict[str, Any]:
    """Time a model and weigh it.

    Args:
        folder: the model's.
        texts: at least one; batches of them are read in turn.
        max_length: tokens that are read of a text, at most.
        threads: that torch may use.

    Returns:
        `megabytes_on_disk` (the weights), `peak_memory_megabytes` (the process while it reads, its libraries included),
        `tokens_a_text`, and under `batches`, by the number of texts, `milliseconds` of a batch (median), `low` and
        `high`, between which eight of ten repeats lie, and `texts_per_second`.
    """
    torch.set_num_threads(threads)
    lm = load(folder)[0]
    gc.collect()
    forget_peak()  # of loading, which may hold the weights twice
    most = min(max_length, lm.max_length)
    batches = {}
    for size in BATCHES:
        # As many texts in every batch: where there are too few, some come twice.
        starts = range(0, len(texts), size)
        groups = [[texts[(start + place) % len(texts)] for place in range(size)] for start in starts]
        seconds = repeated(partial(_turn, lm, groups, most))
        low, median, high = (1000 * float(value) for value in np.quantile(seconds, (_SPREAD[0], 0.5, _SPREAD[1])))
        rate = 1000 * size / median
        batches[str(size)] = {"milliseconds": median, "low": low, "high": high, "texts_per_second": rate}
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    return {
        "megabytes_on_disk": weights / 1e6,
        "peak_memory_megabytes": peak_memory() / 1e6,
        "tokens_a_text": float(np.mean([len(ids) for ids in _tokenised(lm, texts, most)["input_ids"]])),
        "batches": batches,
    }


def _turn(lm: LanguageModel, groups: Sequence[Sequence[str]], max_length: int, number: int) -> None:
    read(lm, groups[number % len(groups)], max_length)


@torch.inference_mode()
def read(lm: LanguageModel, texts: Sequence[str], max_length: int) -> None:
    """From letters to the last layer's states."""
    tokens = _tokenised(lm, texts, max_length, padding=True, return_tensors="pt")
    lm.hidden_states(tokens["input_ids"], tokens["attention_mask"])


def _tokenised(lm: LanguageModel, texts: Sequence[str], max_length: int, **how: Any) -> Any:
    return lm.tokenizer(list(texts), truncation=True, max_length=max_length, **how)


def repeated(work: Callable[[int], object], clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Seconds of each repeat, after one that warms up: for a fixed time, fewer where it takes long.

    Args:
        work: is given the number of the repeat.
        clock: tells the time.
    """
    before = clock()
    work(0)
    slow = clock() - before > _SECONDS
    begin = clock()
    found: list[float] = []
    while len(found) < _MOST:
        before = clock()
        work(len(found) + 1)
        found.append(clock() - before)
        if slow or (len(found) >= _LEAST and clock() - begin > _SECONDS):
            break
    return found


def main() -> None:
    """Measure what standard input asks for."""
    asked = json.loads(sys.stdin.buffer.read())
    print(json.dumps(measure(Path(asked["model"]), asked["texts"], asked["max_length"], asked["threads"])))


if __name__ == "__main__":
    main()
