"""Where the time of one of our steps goes, by kind of work."""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.speed.page import profile_table
from benchmarks.speed.results import keep
from benchmarks.speed.sides import OURS, Task, begun

_BATCHES = "making and masking batches"
_OTHER = "Python, dispatch and all else"
_LOSS = "softmax and loss"
_WITHIN = (
    (_BATCHES, re.compile(_BATCHES)),
    ("optimiser", re.compile(r"Optimizer\.")),
    ("attention", re.compile("scaled_dot_product")),
    ("adding up gradients", re.compile("AccumulateGrad")),
)
"""Everything that happens inside of one of these is of its kind."""
_KINDS = (
    ("attention", re.compile("flash_attention")),
    ("matrix products", re.compile(r"::(addmm|mm|bmm|baddbmm|matmul|linear|mkldnn\w*|addmv|mv|addr|dot)_?$")),
    ("activations", re.compile("gelu|tanh|relu|silu")),
    ("LayerNorm", re.compile("layer_norm")),
    ("dropout", re.compile("dropout|bernoulli")),
    (_LOSS, re.compile(r"softmax|nll_loss|cross_entropy|kl_div|::exp")),
    ("embedding", re.compile("embedding")),
    ("optimiser", re.compile("_foreach_|linalg_vector_norm")),  # the gradient's norm, and keeping it short
    ("copies and gathers", re.compile("copy|clone|cat$|stack|index|gather|scatter|fill_|zero_|nonzero")),
)
_BY_ELEMENT = re.compile(r"::(add|sub|rsub|mul|div|neg|pow|square|sqrt|sum|mean|where|masked_fill|maximum|eq|ne)_?$")
_ELEMENTS = "sums and products by element"


def run(options: argparse.Namespace) -> int:
    """Take one step twice, the second time watched, and show where the time went."""
    task = Task(
        side=options.side,
        model=str(options.model),
        text=str(options.text),
        stage=options.stage,
        batch=options.batch,
        steps=options.steps,
        vocabulary=options.vocabulary,
        precision=options.precision,
        seed=options.seed,
    )
    side, texts = begun(task, OURS[task.side])
    steps, _ = side.steps(texts)

    def step() -> float:
        start = time.perf_counter()
        with record_function(_BATCHES):
            batches = steps[0]
        side.step(batches)
        return time.perf_counter() - start

    unwatched = step()
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as watched:
        seconds = step()
    found = {
        "kind": "profile",
        "model": options.model.name,
        "stage": task.stage,
        "side": task.side,
        "precision": task.precision,
        "threads": torch.get_num_threads(),
        "tokens": sum(batch.tokens for batch in steps[0]),
        "seconds": seconds,
        "seconds_unwatched": unwatched,
        "kinds": by_kind(watched.events(), seconds, side.pair.student.sizes.vocabulary),
    }
    keep(found, options.out)
    print(profile_table(found))
    return 0


def by_kind(events: Any, seconds: float, vocabulary: int) -> dict[str, dict[str, float]]:
    """Seconds and calls of each kind of work, the longest first; what no operation accounts for is the last kind's.

    Args:
        events: of torch.profiler.
        seconds: that all took.
        vocabulary: what works on so many columns belongs to the loss.
    """
    spent: dict[str, float] = {_OTHER: 0.0}
    calls: Counter[str] = Counter()
    for event in events:
        kind = kind_of(event, vocabulary)
        spent[kind] = spent.get(kind, 0.0) + event.self_cpu_time_total / 1e6
        calls[kind] += 1
    spent[_OTHER] += max(0.0, seconds - sum(spent.values()))
    order = sorted(spent, key=lambda kind: -spent[kind])
    return {kind: {"seconds": spent[kind], "calls": calls[kind]} for kind in order}


def kind_of(event: Any, vocabulary: int) -> str:
    """What kind of work an event of torch.profiler is."""
    above = event
    while above is not None:
        for kind, names in _WITHIN:
            if names.search(above.name):
                return kind
        above = above.cpu_parent
    for kind, names in _KINDS:
        if names.search(event.name):
            return kind
    if not _BY_ELEMENT.search(event.name):
        return _OTHER
    wide = any(shape and shape[-1] == vocabulary for shape in event.input_shapes or ())
    return _LOSS if wide else _ELEMENTS
