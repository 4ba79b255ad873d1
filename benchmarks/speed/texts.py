"""Real lines joined to texts as long as documents are, in a model's tokens."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LEAST, MOST = 60, 512
"""Tokens of a text, special ones included."""
_MEDIAN, _SPREAD = 140, 0.6
"""Of the log-normal distribution of the lengths that texts aim at; a text ends with the line that gets it there."""
MEAN = 170
"""Of these lengths, about."""
_QUANTILES = {"least": 0.0, "5 %": 0.05, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "95 %": 0.95, "most": 1.0}

Ids = npt.NDArray[np.int64]


class Cut:
    """Texts in memory, as batches are made of them; each stands there `times` times, to be masked in other places."""

    def __init__(self, texts: Sequence[Ids], times: int = 1) -> None:
        self._texts = list(texts) * times

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: int) -> Ids:
        return self._texts[index]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text, shape (texts,)."""
        return np.array([len(text) for text in self._texts], dtype=np.int64)


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a file that hold something."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield line.strip()


def drawn_lengths(count: int, seed: int) -> list[int]:
    """Tokens that each of so many texts aims at: one from each equal part of the distribution, in random order."""
    draw, normal = random.Random(seed), NormalDist(math.log(_MEDIAN), _SPREAD)
    parts = [(place + draw.uniform(0.001, 0.999)) / count for place in range(count)]
    lengths = [round(math.exp(normal.inv_cdf(part))) for part in parts]
    draw.shuffle(lengths)
    return [min(MOST, max(LEAST, length)) for length in lengths]


def joined(lines: Iterable[str], aims: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Lines that follow each other put together, each text until it has the tokens that it aims at.

    Returns:
        A text for each aim; fewer where the lines end before.
    """
    rest = iter(lines)
    texts: list[str] = []
    for aim in aims:
        text = ""
        while len(ids_of(text, tokenizer)) < aim:
            line = next(rest, None)
            if line is None:
                return texts
            text = f"{text} {line}" if text else line
        texts.append(text)
    return texts


def ids_of(text: str, tokenizer: PreTrainedTokenizerBase, most: int = MOST) -> Ids:
    """A text's tokens, special ones included, cut off at `most`."""
    return np.array(tokenizer(text, truncation=True, max_length=most)["input_ids"], dtype=np.int64)


def quantiles(lengths: Iterable[int]) -> dict[str, Any]:
    """How long texts are, in tokens."""
    found = np.array(list(lengths))
    spread = {name: round(float(np.quantile(found, place))) for name, place in _QUANTILES.items()}
    return {"texts": len(found), "tokens": int(found.sum()), "mean": round(float(found.mean()), 1), **spread}
