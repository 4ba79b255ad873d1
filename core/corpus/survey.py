"""What corpus sources hold: a look before a run. No torch, no network."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.context import Context, Portion
from core.corpus.cleaning import HashSet, clean, has_letters, text_hash
from core.corpus.hub import HUB, hub_parts
from core.corpus.prepare import FEWEST_TEXTS
from core.corpus.reading import Text, files_of, read_files, size_of
from core.corpus.scripts import ScriptCount, is_strange
from core.errors import Fault, InputError, gathering
from core.events import Event, Message
from core.recipe import LEAST_LETTERS

_FIRST_TEXTS, _FIRST_CHARACTERS = 20, 300
_LONG_CHARACTERS = 100_000
_MOST_HASHES = 4_000_000
"""Texts that repeats are looked for among: 50 to 100 MB of hashes."""
_MOST_PLACES = 100_000
"""Texts whose place can be told when they are repeated."""
_MOST_COMPLAINTS = 50
_MOST_FAULTS = 50
"""Lines that can't be read, of a file."""
_MOST_MIXTURES = 200
_SCRIPT_SHARE = 0.01
"""Share of the texts from which on a second script is told."""
_EAST_ASIAN = frozenset({"Han", "Hiragana", "Katakana", "Hangul"})
"""Scripts that one language mixes."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One text that is likely not meant to be so."""

    file: Path
    line: int
    """From 1; in Parquet the row."""
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What corpus sources hold."""

    files: int
    bytes: int
    """Of the files as they are on disk."""
    texts: int
    """Texts that are not blank, repeats included."""
    first: tuple[str, ...]
    """The first texts, cut where they are long."""
    warnings: tuple[str, ...]
    """What doesn't keep a run from starting, but is likely not meant."""
    kept: int
    """Texts that a run without a limit takes."""
    dropped: dict[str, int]
    """Texts that it leaves out: "empty" (blank lines too), "repeated", "short" and "other_script"."""
    scripts: dict[str, float]
    """Share of the letters, of the kept texts and those in other scripts."""
    complaints: tuple[Complaint, ...]
    """The first of each kind, then the second of each, and so on, `_MOST_COMPLAINTS` at most."""
    complaint_count: int
    """All there are."""
    too_few: bool
    """Whether a run would refuse the texts as too few."""

    def to_json(self) -> dict[str, Any]:
        """As the job tells it."""
        return {
            "files": self.files,
            "bytes": self.bytes,
            "texts": self.texts,
            "first": list(self.first),
            "warnings": list(self.warnings),
            "kept": self.kept,
            "dropped": self.dropped,
            "scripts": self.scripts,
            "complaints": [
                {"file": str(complaint.file), "line": complaint.line, "problem": complaint.problem}
                for complaint in self.complaints
            ],
            "complaint_count": self.complaint_count,
        }


def survey(
    sources: Sequence[str], base: Path, ctx: Context, least_letters: int = LEAST_LETTERS, other_scripts: str = "drop"
) -> Survey:
    """Read every local source of a corpus from end to end; what is on the hub is left to the run.

    Args:
        sources, base: as for `core.corpus.reading.read_texts`.
        ctx: asked whether to go on; progress is in bytes of the files as they are on disk.
        least_letters, other_scripts: what the recipe says of texts to drop.

    Raises:
        InputError: a run would refuse the sources: they can't be read or hold no text; the faults of all of them.
    """
    hub = [source for source in sources if source.startswith(HUB)]
    files: dict[str, list[Path]] = {}
    faults: list[Fault] = []
    for source in sources:
        with gathering(faults):
            if source in hub:
                hub_parts(source)
            else:
                files[source] = files_of(source, base, ctx)
    if faults:
        raise InputError.of(faults)
    sizes = {source: sum(map(size_of, paths)) for source, paths in files.items()}
    total, done = sum(sizes.values()), 0
    look = _Look(least_letters, other_scripts == "drop")
    lines = _FaultyLines()
    notes: list[str] = []
    for source, paths in files.items():
        with gathering(faults):
            for found in read_files(source, paths, Portion(_Noting(ctx, notes), done, total), lines.add):
                look.at(found)
        done += sizes[source]
    faults = [*lines.faults(), *faults]
    if faults:
        raise InputError.of(faults)
    warnings = [*notes, *look.warnings(whole=not hub)]
    if hub:
        warnings.append(f"Read when the run starts: {', '.join(hub)}.")
    return Survey(
        files=sum(map(len, files.values())),
        bytes=total,
        texts=look.texts,
        first=tuple(look.first),
        warnings=tuple(warnings),
        kept=look.kept,
        dropped=look.dropped(),
        scripts=look.scripts.shares(),
        complaints=look.complaints(),
        complaint_count=look.complaint_count,
        too_few=not hub and look.kept < FEWEST_TEXTS,
    )


@dataclass(frozen=True, slots=True)
class _Noting:
    """A context that keeps the messages."""

    ctx: Context
    notes: list[str]

    def emit(self, event: Event) -> None:
        """Keep a message."""
        if isinstance(event, Message):
            self.notes.append(event.text)

    def check(self) -> None:
        """Ask the survey's context."""
        self.ctx.check()

    def progress(self, done: int, total: int) -> None:
        """Report to the survey's context."""
        self.ctx.progress(done, total)


class _FaultyLines:
    """The lines that can't be read, the first of each file in full."""

    def __init__(self) -> None:
        self._counts: Counter[Path] = Counter()
        self._faults: dict[Path, list[Fault]] = {}

    def add(self, path: Path, error: InputError) -> None:
        self._counts[path] += 1
        faults = self._faults.setdefault(path, [])
        if len(faults) < _MOST_FAULTS:
            faults += error.faults

    def faults(self) -> Iterator[Fault]:
        for path, count in self._counts.items():
            yield from self._faults[path]
            what = "a line" if count == 1 else f"{count:,} lines"
            yield Fault(
                f"A run would refuse {path}, as {what} of it can't be read.",
                "Mend or remove what is wrong: a run leaves no line out in silence.",
            )


@dataclass(slots=True)
class _Look:
    """What is remembered of the texts: two bytes and a hash of each, else not more, however many there are."""

    least_letters: int
    drops_scripts: bool
    texts: int = 0
    empty: int = 0
    short: int = 0
    repeated: int = 0
    first: list[str] = field(default_factory=list)
    misread_example: str = ""
    scripts: ScriptCount = field(default_factory=ScriptCount)
    kinds: Counter[str] = field(default_factory=Counter)
    """How many complaints of which kind."""
    noted: dict[str, list[Complaint]] = field(default_factory=dict)
    """The first complaints of each kind."""
    mixtures: dict[tuple[str, ...], list[Complaint]] = field(default_factory=dict)
    """The first texts in each mixture of scripts: which are strange shows at the end."""
    seen: HashSet = field(default_factory=HashSet)
    places: dict[int, tuple[Path, int]] = field(default_factory=dict)

    def at(self, found: Text) -> None:
        """Look at the next text."""
        text = clean(found.text)
        if not text:
            self.empty += 1
            self.texts += bool(found.text.strip())
            return
        self.texts += 1
        if len(self.first) < _FIRST_TEXTS:
            self.first.append(found.text[:_FIRST_CHARACTERS])
        if len(text) > _LONG_CHARACTERS:
            self._complain("long", found, f"has {len(text):,} characters")
        if "\ufffd" in text:
            self._complain("marked", found, "holds the mark \ufffd, which stands for lost letters")
        if not text.isascii() and _is_misread(found.text):
            self.misread_example = self.misread_example or text[:40]
            self._complain("misread", found, f"was garbled by a wrong encoding: “{text[:40]}”")
        if not has_letters(text, self.least_letters):
            self.short += 1
            self._complain("short", found, f"has fewer than {self.least_letters} letters: “{text[:40]}”")
        elif self._repeats(text, found):
            self.repeated += 1
        else:
            scripts = self.scripts.add(text)
            if len(self.mixtures) < _MOST_MIXTURES or scripts in self.mixtures:
                examples = self.mixtures.setdefault(scripts, [])
                if len(examples) < _MOST_COMPLAINTS:
                    problem = f"is in another script ({', '.join(scripts)}): “{text[:40]}”"
                    examples.append(Complaint(found.path, found.line, problem))

    @property
    def kept(self) -> int:
        """Texts that a run takes."""
        return sum(self.scripts.mixtures().values()) - self.dropped()["other_script"]

    @property
    def complaint_count(self) -> int:
        """All complaints there are."""
        return self.kinds.total() + self.dropped()["other_script"]

    def dropped(self) -> dict[str, int]:
        """Texts that a run leaves out, and why."""
        strange = int(self.scripts.strange().sum()) if self.drops_scripts else 0
        return {"empty": self.empty, "repeated": self.repeated, "short": self.short, "other_script": strange}

    def complaints(self) -> tuple[Complaint, ...]:
        """The first of each kind, then the second of each."""
        written = self.scripts.written()
        strange = [
            complaint
            for scripts, examples in self.mixtures.items()
            if self.drops_scripts and is_strange(scripts, written)
            for complaint in examples
        ]
        in_turn = itertools.chain.from_iterable(itertools.zip_longest(*self.noted.values(), strange))
        return tuple(itertools.islice(filter(None, in_turn), _MOST_COMPLAINTS))

    def warnings(self, *, whole: bool) -> Iterator[str]:
        """What is likely not meant, in words.

        Args:
            whole: whether the texts are all that the run will read.
        """
        dropped = self.dropped()
        if self.repeated:
            among = f" (of the first {_MOST_HASHES:,})" if self.texts > _MOST_HASHES else ""
            yield f"Texts that repeat an earlier one{among}: {self.repeated:,}. A run takes each text once."
        if self.short:
            yield f"Texts of fewer than {self.least_letters} letters: {self.short:,}. A run leaves them out."
        if dropped["other_script"]:
            yield (
                f"Texts in other scripts than the corpus is written in: {dropped['other_script']:,}. "
                "A run leaves them out."
            )
        if whole and self.kept < FEWEST_TEXTS:
            yield f"There are only {self.kept} different texts; a run needs {FEWEST_TEXTS} at least."
        if self.kinds["long"]:
            yield (
                f"Texts of more than {_LONG_CHARACTERS:,} characters: {self.kinds['long']:,}. Each line should be a "
                "sentence or a paragraph; see whether line ends are missing."
            )
        if self.kinds["marked"]:
            yield (
                f"Texts with the mark \ufffd, which stands for letters lost in a conversion: {self.kinds['marked']:,}. "
                "Convert them again from the original."
            )
        if self.kinds["misread"]:
            yield (
                f"Texts whose letters were garbled by a wrong encoding, such as “{self.misread_example}”: "
                f"{self.kinds['misread']:,}. Convert them again from the original, as UTF-8."
            )
        yield from self._script_warnings()

    def _script_warnings(self) -> Iterator[str]:
        """Scripts that a run would keep beside the one that most texts are in."""
        written = self.scripts.written()
        texts: Counter[str] = Counter()
        for scripts, count in self.scripts.mixtures().items():
            if scripts and not (self.drops_scripts and is_strange(scripts, written)):
                texts["Chinese, Japanese or Korean" if scripts[0] in _EAST_ASIAN else scripts[0]] += count
        (main, _), *others = texts.most_common() or [("", 0)]
        for script, count in others:
            if count >= _SCRIPT_SHARE * self.texts:
                yield f"Texts mostly in {script} letters: {count:,}. Most of the others are in {main} letters."

    def _repeats(self, text: str, found: Text) -> bool:
        """Whether the text was there before, which is complained of."""
        if self.texts > _MOST_HASHES:
            return False
        value = text_hash(text, 0)
        if self.seen.add(value):
            if len(self.places) < _MOST_PLACES:
                self.places[value] = found.path, found.line
            return False
        earlier = self.places.get(value)
        where = f"line {earlier[1]} of {earlier[0]}" if earlier else "an earlier text"
        self._complain("repeated", found, f"repeats {where}")
        return True

    def _complain(self, kind: str, found: Text, problem: str) -> None:
        self.kinds[kind] += 1
        noted = self.noted.setdefault(kind, [])
        if len(noted) < _MOST_COMPLAINTS:
            noted.append(Complaint(found.path, found.line, problem))


def _is_misread(text: str) -> bool:
    """Whether a text is UTF-8 that was read as a Western encoding: turned back it is UTF-8, as chance never is."""
    for encoding in ("cp1252", "latin-1"):
        with contextlib.suppress(UnicodeError):
            text.encode(encoding).decode()
            return True
    return False
