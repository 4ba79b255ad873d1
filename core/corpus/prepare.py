"""From raw sources to two clean files of texts, one to train and one to validate on. No torch."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from core.context import Context
from core.corpus.reading import read_texts
from core.errors import InputError
from core.events import Message
from core.sealing import replace_folder, sealed, write_json

FEWEST_TEXTS = 10
MOST_VALIDATION_TEXTS = 2000

_REPORT = "report.json"
_LANES = 32
_VERSION = 1
"""Part of what a reused corpus must agree in: count up when the cleaning changes."""

# Control characters that are not whitespace, the byte-order mark, and halves of surrogate pairs (from JSON escapes).
_DROPPED = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ud800-\udfff]")


class Settings(Protocol):
    """What a recipe says of the corpus."""

    @property
    def sources(self) -> Sequence[str]:
        """Where the texts are, as `read_texts` takes it."""

    @property
    def limit(self) -> int:
        """Texts at most, after cleaning; 0 takes all."""

    @property
    def validation_fraction(self) -> float:
        """Share of the texts to validate on."""


# -- results ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextFile:
    """Clean texts in a UTF-8 file, one a line."""

    path: Path
    count: int
    sha256: str

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str]:
        with open(self.path, encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.removesuffix("\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusReport:
    """What became of the texts that were read: read = empty + repeats + kept; kept = train + validation."""

    read: int
    empty: int
    repeats: int
    kept: int
    train: int
    validation: int
    characters: int
    words: int
    train_sha256: str
    validation_sha256: str


@dataclass(frozen=True, slots=True)
class PreparedCorpus:
    """A clean corpus, split."""

    train: TextFile
    validation: TextFile
    report: CorpusReport


# -- the work --------------------------------------------------------------------------------------------------------


def prepare(settings: Settings, base: Path, seed: int, folder: Path, ctx: Context) -> PreparedCorpus:
    """Read, clean and split a corpus; memory stays flat but for some 20 to 30 bytes a text.

    Sources are read in turn, a text of each, so that a limit leaves none of them out. A text is validated on if a
    hash of it and the seed says so, whatever the other texts are; but always at least one text is and at most
    `MOST_VALIDATION_TEXTS` are, those with the smallest hashes.

    Args:
        settings: what to read.
        base: what relative sources start from, the recipe's folder.
        seed: of the split; at least 0.
        folder: becomes train.txt, validation.txt and report.json, all or nothing; belongs to this function alone.
            Where it holds the result of the same settings and seed already, the sources aren't read again.
        ctx: told what was dropped.

    Raises:
        InputError: a source can't be read, or fewer than `FEWEST_TEXTS` texts are left.
    """
    key = {
        "version": _VERSION,
        "sources": list(settings.sources),
        "limit": settings.limit,
        "validation_fraction": settings.validation_fraction,
        "seed": seed,
    }
    found = _existing(folder, key)
    if found is not None:
        return found

    def fill(new: Path) -> None:
        report = _write_texts(settings, base, seed, new, ctx)
        write_json(new / _REPORT, {"settings": key, "counts": asdict(report)})
        _tell(report, settings.limit, ctx)

    replace_folder(folder, fill, seal=True)
    found = _existing(folder, key)
    if found is None:
        raise OSError(f"{folder} doesn't hold what was just written to it")
    return found


def clean(text: str) -> str:
    """A text in Unicode NFC, on one line, whitespace runs as one space, without control characters."""
    if _DROPPED.search(text):
        text = _DROPPED.sub("", text)
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _existing(folder: Path, key: dict[str, Any]) -> PreparedCorpus | None:
    if not sealed(folder):
        return None
    record = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    if record["settings"] != key:
        return None
    report = CorpusReport(**record["counts"])
    return PreparedCorpus(
        TextFile(folder / "train.txt", report.train, report.train_sha256),
        TextFile(folder / "validation.txt", report.validation, report.validation_sha256),
        report,
    )


def _write_texts(settings: Settings, base: Path, seed: int, folder: Path, ctx: Context) -> CorpusReport:
    """Write the clean texts to one file, then, knowing all their hashes, to the two that are asked for."""
    read = empty = characters = words = 0
    hashes = array("Q")
    seen = HashSet()
    scratch = folder / "texts"
    with open(scratch, "w", encoding="utf-8", newline="\n") as file:
        for read, raw in enumerate(_in_turn(settings.sources, base, ctx), 1):
            if read % 256 == 0:
                ctx.check()
                if settings.limit:
                    ctx.progress(len(hashes), settings.limit)
            text = clean(raw)
            if not text:
                empty += 1
                continue
            value = text_hash(text, seed)
            if not seen.add(value):
                continue
            file.write(text + "\n")
            hashes.append(value)
            characters += len(text)
            words += text.count(" ") + 1
            if len(hashes) == settings.limit:
                break
    kept = len(hashes)
    if kept < FEWEST_TEXTS:
        raise InputError(
            f"The corpus holds only {kept} different texts; {FEWEST_TEXTS} are the least that can be split.",
            hint="Raise corpus.limit." if 0 < kept == settings.limit else "Add more texts to corpus.sources.",
        )
    validated = _validated(np.frombuffer(hashes, dtype=np.uint64), settings.validation_fraction)
    digests = hashlib.sha256(), hashlib.sha256()
    with (
        open(scratch, "rb") as lines,
        open(folder / "train.txt", "wb") as train,
        open(folder / "validation.txt", "wb") as validation,
    ):
        files = train, validation
        for number, line in enumerate(lines):
            if number % 4096 == 0:
                ctx.check()
            part = int(validated[number])
            files[part].write(line)
            digests[part].update(line)
    scratch.unlink()
    return CorpusReport(
        read=read,
        empty=empty,
        repeats=read - empty - kept,
        kept=kept,
        train=kept - int(validated.sum()),
        validation=int(validated.sum()),
        characters=characters,
        words=words,
        train_sha256=digests[0].hexdigest(),
        validation_sha256=digests[1].hexdigest(),
    )


def _in_turn(sources: Sequence[str], base: Path, ctx: Context) -> Iterator[str]:
    """One text of each source after the other, until all are read; at most `_LANES` of them are open at once."""
    lanes: list[Iterator[str]] = [
        itertools.chain.from_iterable(read_texts(source, base, ctx) for source in sources[lane::_LANES])
        for lane in range(min(_LANES, len(sources)))
    ]
    while lanes:
        still: list[Iterator[str]] = []
        for lane in lanes:
            for text in itertools.islice(lane, 1):
                still.append(lane)
                yield text
        lanes = still


def text_hash(text: str, seed: int) -> int:
    """Eight bytes that stand for the text: its identity, and its place on one side of the split."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=str(seed).encode()).digest(), "little")


def _validated(hashes: npt.NDArray[np.uint64], fraction: float) -> npt.NDArray[np.bool_]:
    """Which texts are validated on; the hashes are all different."""
    below = int(np.count_nonzero(hashes < fraction * 2.0**64))
    wanted = min(max(1, below), MOST_VALIDATION_TEXTS, len(hashes) - 1)
    return np.asarray(hashes <= np.partition(hashes, wanted - 1)[wanted - 1])


def _tell(report: CorpusReport, limit: int, ctx: Context) -> None:
    text = f"Corpus: {report.read:,} texts read, {report.kept:,} kept ({report.validation:,} of them for validation)"
    dropped = {"empty": report.empty, "repeated": report.repeats}
    if any(dropped.values()):
        text += "; dropped: " + " and ".join(f"{count:,} {why}" for why, count in dropped.items() if count)
    if report.kept == limit:
        text += "; the limit was reached, what may follow was not read"
    ctx.emit(Message(level="info", text=text + "."))


class HashSet:
    """A set of hashes below 2**64 in 12 to 24 bytes each, where Python's own takes 60 to 100.

    Open addressing in 256 tables, each small enough to grow without a pause.
    """

    def __init__(self) -> None:
        self._tables = [array("Q", bytes(8 * 16)) for _ in range(256)]
        self._counts = [0] * 256

    def add(self, value: int) -> bool:
        """Put a hash in; whether it wasn't there."""
        value = value or 1  # 0 marks a free slot
        number = value & 0xFF
        table = self._tables[number]
        slot = self._slot(table, value)
        if table[slot]:
            return False
        table[slot] = value
        self._counts[number] += 1
        if 3 * self._counts[number] >= 2 * len(table):
            larger = array("Q", bytes(2 * 8 * len(table)))
            for old in filter(None, table):
                larger[self._slot(larger, old)] = old
            self._tables[number] = larger
        return True

    @staticmethod
    def _slot(table: array[int], value: int) -> int:
        """Where the hash is, or the free slot where it would go."""
        last = len(table) - 1
        slot = (value >> 8) & last
        while table[slot] not in (0, value):
            slot = (slot + 1) & last
        return slot
