"""One side of the comparison, in a process of its own, so that its peak memory is its own.

Standard input is a `Task` as JSON; the last line of standard output is what was measured, as JSON.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from benchmarks.speed.cost import Block, Products, Way, multiplications, products, rate
from benchmarks.speed.models import Pair, kept_tokens, random_pair, renumbered
from benchmarks.speed.ours import BATCH_TOKENS, SAME_LOSS, Ours, Variant, blocks, defaults
from benchmarks.speed.reference import reference
from benchmarks.speed.texts import MEAN, MOST, Ids, drawn_lengths, ids_of, joined, quantiles, read_lines
from core.errors import InputError
from core.families import Family, family_of
from core.machine import peak_memory
from core.models import load_tokenizer, read_config
from core.recipe import Schedule
from core.resolve import set_up_torch

_OTHER_STEPS = 4
"""Steps of texts that are all different, whose padding is told beside that of repeated ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be measured."""

    side: str
    """`REFERENCE` or a name in `OURS`."""
    model: str
    """A folder with config.json and tokenizer."""
    text: str
    """A file of lines."""
    stage: str
    batch: int
    """Texts of a step of the reference's."""
    steps: int
    """Of the reference's, the first one left out."""
    vocabulary: int
    """Of the trimmed models."""
    precision: str
    seed: int

    @property
    def dtype(self) -> torch.dtype:
        """What products are computed in."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    @property
    def bfloat16(self) -> bool:
        """Whether that is half precision."""
        return self.precision == "bfloat16"

    def texts(self, tokenizer: PreTrainedTokenizerBase, most: int) -> tuple[list[Ids], list[Ids]]:
        """Those of the first, untimed step, and those of the timed ones, of at most so many tokens each."""
        aims = [*drawn_lengths(self.batch * self.steps, self.seed), *drawn_lengths(self.batch, self.seed)]
        texts = joined(read_lines(Path(self.text)), aims, tokenizer)
        if len(texts) < len(aims):
            raise InputError(f"{self.text} is enough for {len(texts)} texts.", hint=f"{len(aims)} are needed.")
        ids = [ids_of(text, tokenizer, min(MOST, most)) for text in texts]
        return ids[-self.batch :], ids[: -self.batch]


@dataclass(frozen=True, slots=True)
class Timed:
    """Steps to time, and what there is to know of them."""

    steps: Sequence[Callable[[], object]]
    blocks: Sequence[Sequence[Block]]
    """What each of them reads."""
    way: Way

    def measure(self, pair: Pair, dtype: torch.dtype) -> dict[str, Any]:
        """Take the steps, between two looks at how fast the machine multiplies."""
        shapes = sum((products(pair, read, self.way) for read in self.blocks), Products())
        before = rate(shapes, dtype)
        _forget_peak()  # of setting up, and of the matrices that the machine was measured with
        start = time.perf_counter()
        for step in self.steps:
            step()
        seconds = time.perf_counter() - start
        peak = peak_memory()
        after = rate(shapes, dtype)
        every = [block for read in self.blocks for block in read]
        tokens, padded = sum(block.tokens for block in every), sum(block.padded for block in every)
        multiplied = {
            name: sum(multiplications(pair, read, self.way, padding=padding) for read in self.blocks)
            for name, padding in (("real", False), ("padded", True))
        }
        machine = (before + after) / 2
        return {
            "steps": len(self.steps),
            "passes": len(every),
            "seconds": seconds,
            "seconds_a_step": seconds / len(self.steps),
            "tokens": tokens,
            "tokens_per_second": tokens / seconds,
            "padding": 1 - tokens / padded,
            "peak_megabytes": peak / 1e6,
            "multiplications": multiplied,
            "rate": {"before": before, "after": after},
            "share_of_rate": {name: count / (seconds * machine) for name, count in multiplied.items()},
        }


def _forget_peak() -> None:
    """Let the process's peak memory begin anew, where the system can; elsewhere it is that of all that came before."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)  # memory that was freed before, which the system may have back
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def measure_reference(task: Task) -> dict[str, Any]:
    """The reference's steps."""
    torch.manual_seed(task.seed)
    pair = random_pair(Path(task.model), task.stage, task.seed)
    first, timed = task.texts(pair.teacher.tokenizer, pair.teacher.max_length)
    batches = [timed[start : start + task.batch] for start in range(0, len(timed), task.batch)]
    side = reference(pair, bfloat16=task.bfloat16)
    side.step(first)
    work = Timed(
        [partial(side.step, batch) for batch in batches],
        [[side.block(batch)] for batch in batches],
        Way(everywhere=True, hidden_states=False, all_logits=True),
    )
    return {**_facts(pair, timed), **work.measure(pair, task.dtype)}


def begun(task: Task, choose: Callable[[Family], Variant]) -> tuple[Ours, list[Ids]]:
    """Our side after its first, untimed step; and the texts to time, in its own tokens."""
    set_up_torch(replace(Schedule(), device="cpu", threads=torch.get_num_threads()))
    folder = Path(task.model)
    variant, tokenizer = choose(family_of(read_config(folder))), load_tokenizer(folder)
    kept = kept_tokens(tokenizer, Path(task.text), task.vocabulary) if variant.trimmed else None
    pair = random_pair(folder, task.stage, task.seed, kept)
    first, timed = task.texts(tokenizer, pair.teacher.max_length)
    if kept is not None:
        first, timed = (renumbered(texts, kept, tokenizer.all_special_ids) for texts in (first, timed))
    side = Ours(pair, variant, task.bfloat16, task.seed)
    warm_up = side.small_step(first)[0]
    side.begin(warm_up)
    side.step(warm_up)
    return side, timed


def measure_ours(task: Task, choose: Callable[[Family], Variant]) -> dict[str, Any]:
    """Our steps on the same texts."""
    side, timed = begun(task, choose)
    steps, count = side.steps(timed)

    def step(number: int) -> None:
        side.step(steps[number])  # making the batches counts

    work = Timed(
        [partial(step, number) for number in range(count)],
        [blocks(steps[number]) for number in range(count)],
        side.variant.way,
    )
    found = {**_facts(side.pair, timed), **work.measure(side.pair, task.dtype), "variant": asdict(side.variant)}
    return {**found, "padding_of_other_texts": _padding_of_others(side)}


def _padding_of_others(side: Ours) -> float:
    """The padding of steps whose texts are all different; what they say is of no account."""
    aims = drawn_lengths(_OTHER_STEPS * BATCH_TOKENS // MEAN, side.seed)
    steps = side.small_step([np.zeros(aim, dtype=np.int64) for aim in aims])
    every = [block for step in range(_OTHER_STEPS) for block in blocks(steps[step])]
    return 1 - sum(block.tokens for block in every) / sum(block.padded for block in every)


def _facts(pair: Pair, timed: Sequence[Ids]) -> dict[str, Any]:
    models = {"teacher": pair.teacher, "student": pair.student}
    return {
        "texts": quantiles(map(len, timed)),
        "vocabulary": pair.student.sizes.vocabulary,
        "parameters": {name: sum(lm.parameters.values()) for name, lm in models.items()},
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


REFERENCE = "reference"
OURS: dict[str, Callable[[Family], Variant]] = {
    "same loss": lambda _: SAME_LOSS,
    "same loss, untrimmed": lambda _: replace(SAME_LOSS, trimmed=False),
    "defaults": defaults,
}
"""Our sides, by name."""


def main() -> None:
    """Measure the side that standard input asks for."""
    task = Task(**json.load(sys.stdin))
    found = measure_reference(task) if task.side == REFERENCE else measure_ours(task, OURS[task.side])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
