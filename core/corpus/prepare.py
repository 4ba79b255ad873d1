"""From raw sources to two clean files of texts, one to train and one to validate on. No torch."""

from __future__ import annotations

import hashlib
import itertools
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from core.context import Context
from core.corpus.cleaning import HashSet, clean, has_letters, text_hash
from core.corpus.reading import every_text
from core.corpus.scripts import ScriptCount
from core.errors import InputError
from core.events import Message
from core.sealing import replace_folder, sealed, write_json
from core.small_files import read_object

FEWEST_TEXTS = 10
MOST_VALIDATION_TEXTS = 2000

_REPORT = "report.json"
_LANES = 32
_VERSION = 2
"""Part of what a reused corpus must agree in: count up when the cleaning changes."""


class Settings(Protocol):
    """What a recipe says of the corpus."""

    @property
    def sources(self) -> Sequence[str]:
        """Where the texts are, as `read_texts` takes it."""

    @property
    def limit(self) -> int:
        """Texts at most, those in other scripts counted too, which are known only when all are read; 0 takes all."""

    @property
    def validation_fraction(self) -> float:
        """Share of the texts to validate on."""

    @property
    def least_letters(self) -> int:
        """Texts with fewer letters are dropped."""

    @property
    def other_scripts(self) -> str:
        """What becomes of texts in none of the scripts that the corpus is written in: "drop" or "keep"."""


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
    """What became of the texts that were read.

    read = empty + short + repeated + other_script + kept; kept = train + validation.
    """

    read: int
    empty: int
    short: int
    repeated: int
    other_script: int
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
    """Read, clean and split a corpus; memory stays flat but for some 20 to 40 bytes a text.

    Sources are read in turn, a text of each, so that a limit leaves none of them out. A text is validated on if a
    hash of it and the seed says so, whatever the other texts are; but always at least one text is and at most
    `MOST_VALIDATION_TEXTS` are, those with the smallest hashes. Texts in other scripts are dropped at the end, when the
    scripts of the corpus are known, so a limit may leave a few texts less than it says.

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
        "least_letters": settings.least_letters,
        "other_scripts": settings.other_scripts,
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


def _existing(folder: Path, key: dict[str, Any]) -> PreparedCorpus | None:
    if not sealed(folder):
        return None
    try:
        record = read_object(folder / _REPORT)
        if record["settings"] != key:
            return None
        report = CorpusReport(**record["counts"])
    except (OSError, ValueError, KeyError, TypeError):  # a run folder may be another version's, or anybody's
        return None
    return PreparedCorpus(
        TextFile(folder / "train.txt", report.train, report.train_sha256),
        TextFile(folder / "validation.txt", report.validation, report.validation_sha256),
        report,
    )


def _write_texts(settings: Settings, base: Path, seed: int, folder: Path, ctx: Context) -> CorpusReport:
    """Write the clean texts to one file, then, knowing all their hashes and scripts, to the two that are asked for."""
    scratch = folder / "texts"
    found = _clean_texts(settings, base, seed, scratch, ctx)
    hashes = np.frombuffer(found.hashes, dtype=np.uint64)
    strange = found.scripts.strange()
    if settings.other_scripts == "keep":
        strange[:] = False
    kept = len(hashes) - int(strange.sum())
    if kept < FEWEST_TEXTS:
        raise InputError(
            f"The corpus holds only {kept} different texts; {FEWEST_TEXTS} are the least that can be split.",
            hint="Raise corpus.limit." if 0 < len(hashes) == settings.limit else "Add more texts to corpus.sources.",
        )
    validated = np.zeros(len(hashes), dtype=np.bool_)
    validated[~strange] = _validated(hashes[~strange], settings.validation_fraction)
    parts = _split_file(scratch, folder, strange, validated, ctx)
    scratch.unlink()
    return CorpusReport(
        read=found.read,
        empty=found.empty,
        short=found.short,
        repeated=found.repeated,
        other_script=len(hashes) - kept,
        kept=kept,
        train=parts[0].texts,
        validation=parts[1].texts,
        characters=parts[0].characters + parts[1].characters,
        words=parts[0].words + parts[1].words,
        train_sha256=parts[0].digest.hexdigest(),
        validation_sha256=parts[1].digest.hexdigest(),
    )


@dataclass(slots=True)
class _Clean:
    """What is known of the clean texts, written in this order, and of those that were dropped."""

    read: int = 0
    empty: int = 0
    short: int = 0
    repeated: int = 0
    hashes: array[int] = field(default_factory=lambda: array("Q"))
    scripts: ScriptCount = field(default_factory=ScriptCount)


def _clean_texts(settings: Settings, base: Path, seed: int, path: Path, ctx: Context) -> _Clean:
    """Write every text that is not empty, short or a repeat to a file."""
    found = _Clean()
    seen = HashSet()
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for raw in _in_turn(settings.sources, base, ctx):
            found.read += 1
            if found.read % 256 == 0:
                ctx.check()
                if settings.limit:
                    ctx.progress(len(found.hashes), settings.limit)
            text = clean(raw)
            if not text:
                found.empty += 1
                continue
            if not has_letters(text, settings.least_letters):
                found.short += 1
                continue
            value = text_hash(text, seed)
            if not seen.add(value):
                found.repeated += 1
                continue
            file.write(text + "\n")
            found.hashes.append(value)
            found.scripts.add(text)
            if len(found.hashes) == settings.limit:
                break
    return found


@dataclass(slots=True)
class _Part:
    """One side of the split."""

    file: BinaryIO
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    texts: int = 0
    characters: int = 0
    words: int = 0

    def write(self, line: bytes) -> None:
        self.file.write(line)
        self.digest.update(line)
        self.texts += 1
        self.characters += len(line.decode()) - 1
        self.words += line.count(b" ") + 1


def _split_file(
    path: Path, folder: Path, dropped: npt.NDArray[np.bool_], validated: npt.NDArray[np.bool_], ctx: Context
) -> tuple[_Part, _Part]:
    """Write the lines of a file that aren't dropped to train.txt and validation.txt."""
    with (
        open(path, "rb") as lines,
        open(folder / "train.txt", "wb") as train,
        open(folder / "validation.txt", "wb") as validation,
    ):
        parts = _Part(train), _Part(validation)
        for number, line in enumerate(lines):
            if number % 4096 == 0:
                ctx.check()
            if not dropped[number]:
                parts[int(validated[number])].write(line)
    return parts


def _in_turn(sources: Sequence[str], base: Path, ctx: Context) -> Iterator[str]:
    """One text of each source after the other, until all are read; at most `_LANES` of them are open at once."""
    lanes: list[Iterator[str]] = [
        itertools.chain.from_iterable(every_text(source, base, ctx) for source in sources[lane::_LANES])
        for lane in range(min(_LANES, len(sources)))
    ]
    while lanes:
        still: list[Iterator[str]] = []
        for lane in lanes:
            for text in itertools.islice(lane, 1):
                still.append(lane)
                yield text
        lanes = still


def _validated(hashes: npt.NDArray[np.uint64], fraction: float) -> npt.NDArray[np.bool_]:
    """Which texts are validated on; the hashes are all different."""
    below = int(np.count_nonzero(hashes < fraction * 2.0**64))
    wanted = min(max(1, below), MOST_VALIDATION_TEXTS, len(hashes) - 1)
    return np.asarray(hashes <= np.partition(hashes, wanted - 1)[wanted - 1])


def _tell(report: CorpusReport, limit: int, ctx: Context) -> None:
    text = f"Corpus: {report.read:,} texts read, {report.kept:,} kept ({report.validation:,} of them for validation)"
    reasons = {
        "empty": report.empty,
        "too short": report.short,
        "repeated": report.repeated,
        "in another script": report.other_script,
    }
    *some, last = [f"{count:,} {why}" for why, count in reasons.items() if count] or [""]
    if last:
        text += f"; dropped: {', '.join(some)}{' and ' if some else ''}{last}"
    if report.kept + report.other_script == limit:
        text += "; the limit was reached, what may follow was not read"
    ctx.emit(Message(level="info", text=text + "."))
