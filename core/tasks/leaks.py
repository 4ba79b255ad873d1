"""Test examples that a model gets to see before it is tested on them. No torch."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.tasks.examples import Example, TaskData, TextExample
from core.wording import shortened

_PASSAGE = 30
"""Characters, spaces not counted, from which on an example counts as a passage that may stand inside a longer text."""
_SHOWN, _SHOWN_CHARACTERS = 5, 120
_CHECK_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """How much of a task's test split stands elsewhere."""

    tests: int
    """Test examples."""
    train: int
    """Test examples that stand in the train split."""
    validation: int
    """Test examples that stand in the validation split."""
    corpus: int
    """Test examples that stand in the corpus."""
    examples: tuple[str, ...]
    """A few of them all, the longest, cut."""

    def to_json(self) -> dict[str, Any]:
        """As it stands in results.json."""
        return {
            "test_in_train": self.train,
            "test_in_validation": self.validation,
            "test_in_corpus": self.corpus,
            "examples": list(self.examples),
        }


def find_leaks(
    tasks: Mapping[str, TaskData], corpus: Iterable[str] = (), check: Callable[[], None] = lambda: None
) -> dict[str, Leaks]:
    """Look for each task's test examples in its other splits and in a corpus.

    Spaces and upper case make no difference, so that a sentence of tokens is found in running text; all else must be
    the same. In another split an example must be whole; in the corpus it must be a whole text or, with `_PASSAGE`
    characters or more, begin at a word of one. The corpus is read once and not kept.

    Args:
        tasks: by name.
        corpus: its texts.
        check: called again and again; may raise, to end the search.
    """
    tests = {name: [_key(_text(example)) for example in data.test] for name, data in tasks.items()}
    seen = _seen({key for keys in tests.values() for key in keys}, corpus, check)
    return {name: _of_task(data, tests[name], seen) for name, data in tasks.items()}


def leak_warning(name: str, leaks: Leaks) -> str | None:
    """What to tell of a task's leaks, and what to do; None where there are none."""
    places = {"its train split": leaks.train, "its validation split": leaks.validation, "the corpus": leaks.corpus}
    found = ", ".join(f"{count:,} in {place}" for place, count in places.items() if count)
    if not found:
        return None
    return (
        f"Task {name}: test examples that stand elsewhere too: {found} (of {leaks.tests:,}), such as "
        f"“{leaks.examples[0]}”. What was seen before flatters a score: take them out there, or out of the test split."
    )


def _of_task(data: TaskData, keys: list[str], seen: set[str]) -> Leaks:
    train, validation = ({_key(_text(example)) for example in split} for split in (data.train, data.validation))
    leaked = {
        _text(example): None
        for example, key in zip(data.test, keys, strict=True)
        if key in train or key in validation or key in seen
    }
    longest = sorted(leaked, key=len, reverse=True)[:_SHOWN]
    return Leaks(
        tests=len(keys),
        train=sum(key in train for key in keys),
        validation=sum(key in validation for key in keys),
        corpus=sum(key in seen for key in keys),
        examples=tuple(shortened(text, _SHOWN_CHARACTERS) for text in longest),
    )


def _seen(wanted: set[str], corpus: Iterable[str], check: Callable[[], None]) -> set[str]:
    """The keys that a corpus holds."""
    passages: defaultdict[str, list[str]] = defaultdict(list)
    for key in wanted:
        if len(key) >= _PASSAGE:
            passages[key[:_PASSAGE]].append(key)
    found: set[str] = set()
    since_check = 0
    for text in corpus if wanted else ():
        since_check += len(text)
        if since_check > _CHECK_CHARACTERS:
            check()
            since_check = 0
        words = _words(text)
        joined = "".join(words)
        if joined in wanted:
            found.add(joined)
        at = 0
        for word in words if len(joined) > _PASSAGE else ():
            for key in passages.get(joined[at : at + _PASSAGE], ()):
                if joined.startswith(key, at):
                    found.add(key)
            at += len(word)
    return found


def _key(text: str) -> str:
    return "".join(_words(text))


def _words(text: str) -> list[str]:
    return unicodedata.normalize("NFC", text).casefold().split()


def _text(example: Example) -> str:
    return example.text if isinstance(example, TextExample) else " ".join(example.tokens)
