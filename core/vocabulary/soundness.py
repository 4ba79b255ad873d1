"""Whether a tokenizer can be relied on: a file of anybody's may make the library hang, panic or fill the memory.

No torch.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InputError, is_panic
from core.vocabulary.kinds import processors
from core.wording import shortened

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_MOST_STEPS = 100
"""Of a normalizer, a pre-tokenizer or a post-processor; every text goes through all of them."""
_MOST_GROWTH = 1024
"""Times that a normalizer may make a text longer."""
_MOST_ADDED = 64
"""Tokens that a template may put around a text; models in use have two or three."""
_SECONDS = 20.0
"""For what takes a hundredth of a second."""
_LENGTH = 2000
_TEXTS = (
    "The quick brown fox – ‘jumps’ 3,141 times; Žluťoučký kůň, Быстрая лиса, ഒരു कुत्ता 素早い狐 🦊\u0301 \U0010fffd.",
    *(mark * _LENGTH + end for mark in ("a", "Ж", "7", " ", ".", "\n") for end in ("", "!")),
    "word " * (_LENGTH // 5),
    "",
)
"""Of many scripts, with characters that no vocabulary has, and long runs, which patterns that look back and forth get
lost in."""
_SHOWN = 100
"""Characters of a text that can't be cut."""
_ANOTHER = "Choose another teacher, or take its tokenizer from where the model was published."


def check_steps(written: Mapping[str, Any], path: Path) -> None:
    """Refuse a tokenizer.json that would make texts grow without bound.

    Args:
        written: its content; what the library refuses by itself may be in it.
        path: where it is.

    Raises:
        InputError: it has too many steps, steps that make texts too long, or steps that it can't have.
    """
    for name in ("normalizer", "pre_tokenizer", "post_processor"):
        try:
            steps = list(processors(written.get(name) or {}))
            grown = _growth(steps)
            added = sum(map(_added, steps))
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
            # The library may still take it: it passes over entries that it doesn't know.
            raise InputError(f"The {name} in {path} is not as it should be.", hint=_ANOTHER) from None
        if len(steps) > _MOST_STEPS:
            raise InputError(f"The {name} in {path} has {len(steps):,} steps.", hint=_ANOTHER)
        if grown > _MOST_GROWTH:
            raise InputError(f"The {name} in {path} may make a text {grown:.0e} times as long.", hint=_ANOTHER)
        if added > _MOST_ADDED:
            raise InputError(f"The {name} in {path} adds {added:,} tokens to a text.", hint=_ANOTHER)


def check_merges(written: Mapping[str, Any], path: Path) -> None:
    """Refuse a tokenizer.json whose merges would end the process.

    The library cuts a prefix for what continues a word off every merge's second half, unseen: where another text stands
    there, what is left may be no text at all, and the message that should tell of it aborts (tokenizers 0.23).

    Args:
        written: its content; what the library refuses by itself may be in it.
        path: where it is.

    Raises:
        InputError: the second half of a merge lacks the prefix.
    """
    model = written.get("model")
    prefix = model.get("continuing_subword_prefix") if isinstance(model, dict) else None
    merges = model.get("merges") if isinstance(model, dict) else None
    if not (isinstance(prefix, str) and prefix and isinstance(merges, list)):
        return
    for merge in merges:
        halves = merge.split(" ") if isinstance(merge, str) and not merge.startswith("#version") else merge
        second = halves[-1] if isinstance(halves, list) and halves else None
        if isinstance(second, str) and not second.startswith(prefix):
            problem = f"A merge in {path} ends in {second[:50]!r}, which lacks the prefix {prefix[:50]!r} of the model."
            raise InputError(problem, hint=_ANOTHER)


def _added(step: Mapping[str, Any]) -> int:
    """How many tokens a step of a post-processor adds to a text, or to two; a text that it repeats counts as one."""
    ids = {name: len(token["ids"]) for name, token in (step.get("special_tokens") or {}).items()}
    # Without a type, too: the library takes what has a template's entries for one.
    templates = [step.get(name) or [] for name in ("single", "pair")]
    return max(
        sum(ids[piece["SpecialToken"]["id"]] if "SpecialToken" in piece else 1 for piece in template)
        for template in templates
    )


def _growth(steps: list[Mapping[str, Any]]) -> float:
    """How many times longer a text can become, at most."""
    grown = 1.0
    for step in steps:
        content = len(str(step.get("content") or step.get("prepend") or ""))
        if step.get("type") == "Replace":
            pattern = step.get("pattern") or {}
            # A regular expression may match nothing, between all characters.
            sought = len(pattern["String"]) if isinstance(pattern.get("String"), str) else 0
            grown *= max(1.0, content / sought if sought else 1 + content)
        elif step.get("type") == "Prepend":
            grown *= 1 + content
    return grown


def end_of_ids(tokenizer: Tokenizer) -> int:
    """One more than a tokenizer's largest id."""
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    # As many tokens as ids below their number: there are no others. Listing them all takes much longer.
    if all(tokenizer.id_to_token(token) is not None for token in range(size)):
        return size
    return max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1


def try_out(tokenizer: Tokenizer, folder: Path) -> None:
    """See that a tokenizer cuts texts, and in reasonable time.

    Args:
        tokenizer: without truncation and padding.
        folder: where it is from.

    Raises:
        InputError: it doesn't.
    """
    failed: list[BaseException] = []

    def encode() -> None:
        try:
            tokenizer.encode_batch_fast(list(_TEXTS))
        except BaseException as error:
            failed.append(error)

    # A thread that is left alone where it hangs: the library can't be interrupted, but lets others go on.
    thread = threading.Thread(target=encode, name="tokenizer", daemon=True)
    thread.start()
    thread.join(_SECONDS)
    if thread.is_alive():
        raise InputError(f"The tokenizer in {folder} gets lost in a short text.", hint=_ANOTHER)
    if failed:
        raise InputError(f"The tokenizer in {folder} can't cut a text: {failed[0]}.", hint=_ANOTHER) from failed[0]


@contextlib.contextmanager
def cutting(texts: Sequence[str], tokenizer: Tokenizer) -> Iterator[None]:
    """Where a tokenizer, inside, gives up on one of the texts, say so: no trial finds every text that it gets lost in.

    Args:
        texts: what is cut inside.
        tokenizer: what cuts them.

    Raises:
        InputError: it can't cut one of them.
    """
    try:
        yield
    except BaseException as error:
        lost = _first_lost(texts, tokenizer) if isinstance(error, Exception) or is_panic(error) else None
        if lost is None:
            raise
        text, reason = lost
        # Often it is a single word of it, which then tells more than how a long text begins.
        text, reason = _first_lost(text.split(), tokenizer) or lost
        raise InputError(
            f"The teacher's tokenizer can't cut the text {shortened(text, _SHOWN)!r}: {reason}.",
            hint="Take that text out, or choose another teacher: a pattern in this one's tokenizer gets lost in it.",
            key="teacher.model",
            kind="input",
        ) from error


def _first_lost(texts: Iterable[str], tokenizer: Tokenizer) -> tuple[str, BaseException] | None:
    """The first text that a tokenizer can't cut, and what it says of it; None where it can cut them all."""
    for text in texts:
        try:
            tokenizer.encode(text, add_special_tokens=False)
        except BaseException as error:
            if not (isinstance(error, Exception) or is_panic(error)):
                raise
            return text, error
    return None
