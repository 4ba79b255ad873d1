"""What corpus sources hold: a look before a run. No torch, no network."""

from __future__ import annotations

import contextlib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from core.context import Context, Portion
from core.corpus.prepare import FEWEST_TEXTS, HashSet, clean, text_hash
from core.corpus.reading import HUB, corpus_faults, files_of, read_files, size_of
from core.errors import Fault, InputError, gathering
from core.events import Event, Message

_FIRST_TEXTS, _FIRST_CHARACTERS = 20, 300
_LONG_CHARACTERS = 100_000
_MOST_HASHES = 4_000_000
"""Texts that repeats are looked for among: 50 to 100 MB of hashes."""
_SCRIPT_CHARACTERS = 80
"""How much of a text is looked at for its script."""
_SCRIPT_SHARE = 0.01
"""Share of the texts from which on a second script is told."""
_EAST_ASIAN = {"Hiragana", "Katakana", "Hangul"}
"""Scripts that one text mixes with Chinese characters."""


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


def survey(sources: Sequence[str], base: Path, ctx: Context) -> Survey:
    """Read every local source of a corpus from end to end; what is on the hub is left to the run.

    Args:
        sources, base: as for `core.corpus.reading.read_texts`.
        ctx: asked whether to go on; progress is in bytes of the files as they are on disk.

    Raises:
        InputError: sources can't be read or hold no text; the faults of all of them.
    """
    faults: list[Fault] = corpus_faults(sources, base)
    if faults:
        raise InputError.of(faults)
    hub = [source for source in sources if source.startswith(HUB)]
    files = {source: files_of(source, base) for source in sources if source not in hub}
    sizes = {source: sum(map(size_of, paths)) for source, paths in files.items()}
    total, done = sum(sizes.values()), 0
    look = _Look()
    notes: list[str] = []
    for source, paths in files.items():
        with gathering(faults):
            for text in read_files(source, paths, Portion(_Noting(ctx, notes), done, total)):
                look.at(text)
        done += sizes[source]
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


@dataclass(slots=True)
class _Look:
    """What is remembered of the texts; not more, however many there are."""

    texts: int = 0
    first: list[str] = field(default_factory=list)
    different: int = 0
    long: int = 0
    marked: int = 0
    misread: int = 0
    misread_example: str = ""
    scripts: Counter[str] = field(default_factory=Counter)
    seen: HashSet = field(default_factory=HashSet)

    def at(self, text: str) -> None:
        """Look at the next text."""
        self.texts += 1
        if len(self.first) < _FIRST_TEXTS:
            self.first.append(text[:_FIRST_CHARACTERS])
        if self.texts <= _MOST_HASHES:
            self.different += self.seen.add(text_hash(clean(text), 0))
        self.long += len(text) > _LONG_CHARACTERS
        self.scripts[_script(text)] += 1
        if not text.isascii():
            self.marked += "\ufffd" in text
            if _is_misread(text):
                self.misread += 1
                self.misread_example = self.misread_example or text.strip()[:40]

    def warnings(self, *, whole: bool) -> Iterator[str]:
        """What is likely not meant, in words.

        Args:
            whole: whether the texts are all that the run will read.
        """
        repeats = min(self.texts, _MOST_HASHES) - self.different
        if repeats:
            among = f" (of the first {_MOST_HASHES:,})" if self.texts > _MOST_HASHES else ""
            yield f"Texts that repeat an earlier one{among}: {repeats:,}. A run takes each text once."
        if whole and self.different < FEWEST_TEXTS:
            yield f"There are only {self.different} different texts; a run needs {FEWEST_TEXTS} at least."
        if self.long:
            yield (
                f"Texts of more than {_LONG_CHARACTERS:,} characters: {self.long:,}. Each line should be a sentence or "
                "a paragraph; see whether line ends are missing."
            )
        if self.marked:
            yield (
                f"Texts with the mark \ufffd, which stands for letters lost in a conversion: {self.marked:,}. "
                "Convert them again from the original."
            )
        if self.misread:
            yield (
                f"Texts whose letters were garbled by a wrong encoding, such as “{self.misread_example}”: "
                f"{self.misread:,}. Convert them again from the original, as UTF-8."
            )
        (main, _), *others = self.scripts.most_common() or [("", 0)]
        for script, count in others:
            if script and main and count >= _SCRIPT_SHARE * self.texts:
                yield f"Texts mostly in {script} letters: {count:,}. Most of the others are in {main} letters."


def _script(text: str) -> str:
    """The script of most letters at a text's beginning; empty where it has none."""
    counts = Counter(map(_letters_script, filter(str.isalpha, text[:_SCRIPT_CHARACTERS])))
    return counts.most_common(1)[0][0] if counts else ""


@cache
def _letters_script(letter: str) -> str:
    """By its name, which begins with its script."""
    name = unicodedata.name(letter, "").partition(" ")[0].capitalize()
    return "Chinese, Japanese or Korean" if name in _EAST_ASIAN or name.startswith("Cjk") else name


def _is_misread(text: str) -> bool:
    """Whether a text is UTF-8 that was read as a Western encoding: turned back it is UTF-8, as chance never is."""
    for encoding in ("cp1252", "latin-1"):
        with contextlib.suppress(UnicodeError):
            text.encode(encoding).decode()
            return True
    return False
