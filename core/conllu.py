"""What tells one sentence of CoNLL-U from the next: where a line doesn't belong to a sentence, words would be lost."""

from __future__ import annotations

import re
from collections.abc import Callable

from core.errors import InputError

PLACE = re.compile(r"(\d{1,9})(?:-(\d{1,9})|(\.\d{1,9}))?", re.ASCII)
"""The first column: a word's number, a range's first and last, or an empty node's number in two parts."""
_APART = "Put an empty line after each sentence, and number its words from 1."


class Sentence:
    """The lines of a sentence, taken one after the other."""

    def __init__(self, name: str, refuse: Callable[[InputError], None]) -> None:
        """Begin a sentence.

        Args:
            name: what to call the file in a message.
            refuse: told of lines that can't stand where they do; where it returns, the sentence goes on.
        """
        self._name, self._refuse = name, refuse
        self._word: int | None = 0
        self._range_line = 0
        self.covered = 0
        """The last word that a range stands for."""
        self.text: str | None = None
        """What its `# text` says."""

    def comment(self, line: int, content: str) -> None:
        """Take a line that begins with #."""
        key, equals, value = content[1:].partition("=")
        if equals and key.strip() == "text":
            if self.text is not None:
                self._wrong(line, "this is the sentence's second # text.", _APART)
            self.text = value.strip()

    def number(self, line: int, first: int, last: int | None) -> None:
        """Take a word's number or, with its last, a range's."""
        written = f"{first}" if last is None else f"{first}-{last}"
        if self._word is not None and first != self._word + 1:
            place = f"follows {self._word}" if self._word else "comes first"
            self._wrong(line, f"the number {written} {place}.", _APART)
        if last is None:
            self._word = first
            return
        if last < first or first <= self.covered:
            hint = "Let a range begin after the one before, and end with the last word that it stands for."
            self._wrong(line, f"the range {written} ends before it begins, or overlaps another.", hint)
        if self._word is not None:
            self._word = first - 1
        self.covered, self._range_line = last, line

    def lose_count(self) -> None:
        """Take a line whose number can't be read: any may follow."""
        self._word = None

    def end(self) -> None:
        """Take the sentence's end."""
        if self._word is not None and self._word < self.covered:
            problem = f"the range ends with word {self.covered}, its sentence with word {self._word}."
            self._wrong(self._range_line, problem, "Correct the range, or put back the words that it stands for.")

    def _wrong(self, line: int, problem: str, hint: str) -> None:
        self._refuse(InputError(f"{self._name}, line {line}: {problem}", hint=hint))
