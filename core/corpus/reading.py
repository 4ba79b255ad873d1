"""Texts from files, folders, the hub or the sample, one at a time. No torch.

What can't be read is refused by name, place and remedy: nothing is guessed, replaced or left out in silence.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from core.context import Context, Portion, Quiet, Unmeasured
from core.corpus.formats import Refuse, check_parquet, kind_of_file, kinds, read_file, refuse
from core.corpus.hub import HUB as HUB
from core.corpus.hub import hub_parts, read_hub
from core.errors import Fault, InputError
from core.events import Message
from core.patterns import from_base, is_pattern, unescaped
from resources import sample

_SEPARATORS = re.escape(os.sep + (os.altsep or ""))
_FOLDERS_IN_FOLDERS = re.compile(rf"(?<=[{_SEPARATORS}])\*\*(?:[{_SEPARATORS}]+|$)")
"""The ** of a pattern; where it isn't all between two separators, it is a * like any other."""


class Text(NamedTuple):
    """A text and where it stands."""

    text: str
    path: Path
    line: int
    """From 1; in Parquet the row."""


# -- from a source to files ------------------------------------------------------------------------------------------


def read_texts(source: str, base: Path, ctx: Context) -> Iterator[str]:
    """The texts of one source, in a fixed order, as they are (empty ones left out).

    Args:
        source: a file (.txt, .jsonl, .csv, .tsv, .conllu, each also with .gz, or .parquet), a folder of such files,
            a glob pattern, "sample", or "hub:NAME[:CONFIGURATION[:COLUMN]]".
        base: what a relative path starts from, the recipe's folder.
        ctx: asked again and again whether to go on; told about files without text.

    Raises:
        InputError: there is no such source, it can't be read, or it holds no text.
    """
    return (text for text in every_text(source, base, ctx) if not _blank(text))


def every_text(source: str, base: Path, ctx: Context) -> Iterator[str]:
    """The texts of one source as `read_texts` gives them, the empty ones too."""
    if source.startswith(HUB):
        yield from read_hub(source, ctx)
        return
    for found in read_files(source, files_of(source, base, ctx), Unmeasured(ctx)):
        yield found.text


def _blank(text: str) -> bool:
    return not text or text.isspace()


def read_files(source: str, files: Sequence[Path], ctx: Context, refuse: Refuse = refuse) -> Iterator[Text]:
    """The texts of a local source's files, one file after the other, each with its place, the empty ones too.

    Args:
        source: as for `read_texts`.
        files: what `files_of` gives for it.
        ctx: as for `read_texts`; progress is in bytes of the files as they are on disk.
        refuse: told of lines that can't be read; by default they end the reading.

    Raises:
        InputError: a file can't be read, or none holds any text.
    """
    sizes = [size_of(path) for path in files]
    done, without = 0, []
    faulty: set[Path] = set()

    def note(path: Path, error: InputError) -> None:
        refuse(path, error)
        faulty.add(path)

    for path, size in zip(files, sizes, strict=True):
        empty = True
        for line, text in read_file(path, Portion(ctx, done, sum(sizes)), note):
            empty = empty and _blank(text)
            yield Text(text, path, line)
        if empty and path not in faulty:
            without.append(path)
        done += size
        ctx.progress(done, sum(sizes))
    if len(without) == len(files):
        raise _no_text(source, files)
    for path in without:
        ctx.emit(Message(level="warning", text=f"{path} holds no text."))


def corpus_faults(sources: Sequence[str], base: Path) -> list[Fault]:
    """What is wrong with sources at first sight, all at once: reads each file's first text, never the network.

    Args:
        sources, base: as for `read_texts`.
    """
    faults: list[Fault] = []
    for source in sources:
        try:
            if source.startswith(HUB):
                hub_parts(source)
            else:
                faults += _file_faults(source, files_of(source, base))
        except InputError as error:
            faults += error.faults
    return faults


def _file_faults(source: str, files: Sequence[Path]) -> list[Fault]:
    faults: list[Fault] = []
    without = 0
    for path in files:
        try:
            if kind_of_file(path) == ".parquet":
                check_parquet(path)  # pyarrow takes longer to import than this check may take
            elif all(_blank(text) for _, text in read_file(path, Quiet())):
                without += 1
        except InputError as error:
            faults += error.faults
    if without == len(files):
        faults += _no_text(source, files).faults
    return faults


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where reading it will tell why it can't be read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def files_of(source: str, base: Path, ctx: Context | None = None) -> list[Path]:
    """The files that a local source names, at least one.

    Args:
        source, base: as for `read_texts`.
        ctx: asked again and again whether to go on.

    Raises:
        InputError: there are none, or they are of a kind that can't be read.
    """
    if source == "sample":
        return [sample.corpus_file()]
    ctx = ctx or Quiet()
    path = base / os.path.expanduser(source)
    pattern = is_pattern(source)
    if not pattern and not os.path.exists(path):
        path = base / os.path.expanduser(unescaped(source))
    if os.path.isdir(path):
        return _files_in(path, ctx)
    if os.path.exists(path):
        if kind_of_file(path) is None:
            raise InputError(f"{path} is not of a kind that can be read as a corpus.", hint=f"Give {kinds()}.")
        return [path]
    if not pattern:
        raise InputError(f"There is no file or folder {path}.", hint="Check corpus.sources; paths start at the recipe.")
    if source.count("**") > 1:  # each one more multiplies the folders that are looked through
        raise InputError(f"The pattern {source!r} says ** more than once.", hint="Say it once, or name the folders.")
    matches = _matches(from_base(source, base), ctx)
    files = [match for match in map(Path, sorted(matches)) if match.is_file() and kind_of_file(match) is not None]
    if not files:
        raise InputError(
            f"No file that can be read as a corpus matches {source!r} in {base}.",
            hint=f"Check the pattern (** stands for folders in folders); it has to match {kinds()}.",
        )
    return files


def _matches(pattern: str, ctx: Context) -> Iterator[str]:
    """What a pattern matches as `glob` has it, but ** follows no links: two from a folder to itself have no end."""
    found = _FOLDERS_IN_FOLDERS.search(pattern)
    if found is None:
        for match in glob.iglob(pattern):
            ctx.check()
            yield match
        return
    within = pattern[found.end() :] or ("*" if found[0] == "**" else "")
    for begin in glob.iglob(pattern[: found.start()]):
        for folder, names, _ in os.walk(begin):
            ctx.check()
            names[:] = [name for name in names if not name.startswith(".")]
            yield from (os.path.join(folder, match) for match in glob.iglob(within, root_dir=folder))


def _files_in(folder: Path, ctx: Context) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        ctx.check()
        if path.is_file() and kind_of_file(path) is not None:
            found.append(path)
    # Hidden files are other programs' notes, such as the "._" ones that a Mac leaves on shared disks.
    shown = {path.relative_to(folder).as_posix(): path for path in found}
    files = [shown[name] for name in sorted(shown) if not any(part.startswith(".") for part in name.split("/"))]
    if not files:
        raise InputError(f"The folder {folder} holds no texts.", hint=f"Put {kinds()} into it.")
    return files


def _no_text(source: str, files: Sequence[Path]) -> InputError:
    what = str(files[0]) if len(files) == 1 else f"Every one of the {len(files)} files of {source!r}"
    return InputError(f"{what} is empty: there is no text in it.", hint="Fill it, or take it out of corpus.sources.")
