"""Which scripts a corpus is written in, and which of its texts are in others. No torch."""

from __future__ import annotations

from array import array
from collections import Counter
from functools import cache

import numpy as np
import numpy.typing as npt
import regex

from core.vocabulary.alphabet import SCRIPTS, scripts_of

_JAPANESE = frozenset({"Han", "Hiragana", "Katakana"})
_UNLISTED = "?"
"""A script that the alphabet's scripts lack: no text in it is strange."""


class ScriptCount:
    """Counts the characters of a corpus and keeps the scripts of each text, in two bytes a text.

    A text's scripts are the fewest, those with the most letters first, that together hold more than half its letters.
    """

    def __init__(self) -> None:
        self._characters: Counter[str] = Counter()
        self._mixtures: dict[tuple[str, ...], int] = {(): 0}
        self._texts = array("H")
        self._last = "Latin"

    def add(self, text: str) -> tuple[str, ...]:
        """Count the next text; its scripts, none where it has no letters."""
        self._characters.update(text)
        if _only(self._last).fullmatch(text):  # as nearly every text is in the script of the one before
            scripts: tuple[str, ...] = (self._last,)
        else:
            scripts = _main_scripts(text)
            self._last = scripts[0] if scripts and scripts[0] != _UNLISTED else self._last
        if scripts not in self._mixtures and len(self._mixtures) < 0x10000:
            self._mixtures[scripts] = len(self._mixtures)
        self._texts.append(self._mixtures.get(scripts, 0))
        return scripts

    def shares(self) -> dict[str, float]:
        """Of all letters, by script, the largest first."""
        letters: Counter[str] = Counter()
        for character, count in self._characters.items():
            if character.isalpha():
                letters[_script(character)] += count
        total = letters.total()
        return {script: count / total for script, count in letters.most_common() if script not in ("", _UNLISTED)}

    def written(self) -> frozenset[str]:
        """The scripts that the corpus is written in."""
        written = frozenset(scripts_of(self._characters))
        return written | _JAPANESE if "Hiragana" in written else written

    def mixtures(self) -> dict[tuple[str, ...], int]:
        """How many texts are in which scripts."""
        counts = np.bincount(self._numbers(), minlength=len(self._mixtures))
        return {scripts: int(count) for scripts, count in zip(self._mixtures, counts, strict=True) if count}

    def strange(self) -> npt.NDArray[np.bool_]:
        """Of each text, in the order they were counted in, whether it is in none of the corpus' scripts."""
        written = self.written()
        mixtures = np.array([is_strange(scripts, written) for scripts in self._mixtures])
        return np.asarray(mixtures[self._numbers()])

    def _numbers(self) -> npt.NDArray[np.uint16]:
        """Of each text, the number of its mixture."""
        return np.array(self._texts, dtype=np.uint16)


def is_strange(scripts: tuple[str, ...], written: frozenset[str]) -> bool:
    """Whether a text in some scripts is in none of those that the corpus is written in."""
    return bool(written and scripts) and written.isdisjoint(scripts) and _UNLISTED not in scripts


def _main_scripts(text: str) -> tuple[str, ...]:
    letters = Counter(filter(None, map(_script, filter(str.isalpha, text))))
    held, total = 0, letters.total()
    scripts = []
    for script, count in sorted(letters.items(), key=lambda entry: (-entry[1], entry[0])):
        if 2 * held > total:
            break
        scripts.append(script)
        held += count
    return tuple(scripts)


@cache
def _only(script: str) -> regex.Pattern[str]:
    """Texts whose letters are all in a script, and that have one."""
    return regex.compile(rf"\P{{L}}*+\p{{Script={script}}}[\P{{L}}\p{{Script={script}}}]*+")


@cache
def _script(letter: str) -> str:
    """Of a letter; empty where all scripts share it."""
    if regex.match(r"[\p{Common}\p{Inherited}]", letter):
        return ""
    return next((script for script in SCRIPTS if regex.match(rf"\p{{Script={script}}}", letter)), _UNLISTED)
