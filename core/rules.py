"""What a recipe's field may hold: the checks behind `core.recipe`, one small class a kind of value."""

from __future__ import annotations

import difflib
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.errors import Fault
from core.wording import shortened

_TOO_LARGE = 2**63
"""TOML's whole numbers end before."""
_LONGEST = 120
"""Characters of a value that a message tells."""


def shown(value: object) -> str:
    """A value as a message tells of it, on one line."""
    try:
        return shortened(repr(value), _LONGEST)
    except ValueError:  # Python doesn't write out numbers of thousands of digits
        return "a number of thousands of digits"


class Refused(Exception):
    """A value that a rule doesn't allow."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.fault = Fault(problem, hint)


class Rule(Protocol):
    """Turns what TOML holds into a field's value."""

    def read(self, key: str, value: Any) -> Any:
        """The checked value.

        Raises:
            Refused: naming the key, the value, what is allowed and the nearest allowed value.
        """


def nearest(value: str, allowed: Sequence[str]) -> str:
    """A hint that names the allowed words and the one most like `value`."""
    close = difflib.get_close_matches(value, allowed, n=1)
    listed = ", ".join(allowed)
    return f"Did you mean {close[0]!r}? Allowed: {listed}." if close else f"Allowed: {listed}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A whole (`whole`) or decimal number from `low` to `high`; "auto" and absence where said."""

    low: float
    high: float = math.inf
    whole: bool = True
    above: bool = False
    """Whether `low` itself is refused."""
    auto: bool = False

    def read(self, key: str, value: Any) -> int | float | str:
        """The number (or "auto")."""
        if self.auto and value == "auto":
            return "auto"
        wanted = "a whole number" if self.whole else "a number"
        wanted += ' or "auto"' if self.auto else ""
        right_type = isinstance(value, int) or (not self.whole and isinstance(value, float) and math.isfinite(value))
        if not right_type or isinstance(value, bool):
            raise Refused(f"{key} is {shown(value)}.", f"Write {wanted}, {self._range()}.")
        if isinstance(value, int) and abs(value) >= _TOO_LARGE:
            raise Refused(f"{key} is a whole number of more than 64 bits.", f"Write {wanted}, {self._range()}.")
        if value < self.low or value > self.high or (self.above and value == self.low):
            raise Refused(f"{key} is {value}.", f"Allowed: {self._range()}; nearest: {self._nearest(value)}.")
        return value if self.whole else float(value)

    def _range(self) -> str:
        low = f"above {_plain(self.low)}" if self.above else f"at least {_plain(self.low)}"
        return low if self.high == math.inf else f"{low} and at most {_plain(self.high)}"

    def _nearest(self, value: float) -> str:
        if value > self.high:
            return _plain(self.high)
        return f"a little above {_plain(self.low)}" if self.above else _plain(self.low)


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of a few."""

    allowed: tuple[str, ...]

    def read(self, key: str, value: Any) -> str:
        """The word."""
        if not isinstance(value, str) or value not in self.allowed:
            word = value if isinstance(value, str) else ""
            raise Refused(f"{key} is {shown(value)}.", nearest(word, self.allowed))
        return value


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is not blank."""

    def read(self, key: str, value: Any) -> str:
        """The text."""
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise Refused(f"{key} is {shown(value)}.", "Write a text in quotes.")
        return value


@dataclass(frozen=True, slots=True)
class Name:
    """A name that is also safe as a file's name."""

    def read(self, key: str, value: Any) -> str:
        """The name."""
        fine = isinstance(value, str) and value.strip(" .-") and len(value) <= 80
        if not fine or not all(
            unicodedata.category(letter)[0] in "LMN" or letter in " ._-\u200c\u200d" for letter in value
        ):
            raise Refused(
                f"{key} is {shown(value)}.", "Use up to 80 letters, digits, spaces, dots, dashes and underscores."
            )
        return str(value)


@dataclass(frozen=True, slots=True)
class Several:
    """A list of at least one value, without repeats."""

    rule: Rule

    def read(self, key: str, value: Any) -> tuple[Any, ...]:
        """The values."""
        if not isinstance(value, (list, tuple)) or not value:
            raise Refused(f"{key} is {shown(value)}.", "Write a list with at least one entry, such as [\u2026].")
        entries = tuple(self.rule.read(f"{key}[{index}]", entry) for index, entry in enumerate(value))
        if len(set(entries)) != len(entries):
            raise Refused(f"{key} names something twice: {shown(value)}.", "Name each only once.")
        return entries
