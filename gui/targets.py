"""Which sizes a student may have, as steps of a slider, and which to begin with. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from core.families import Sizes
from core.families.heads import KEEP_NUMBER, allowed_hidden_sizes, resolve_heads

AXES = {
    "layers": "layers",
    "intermediate_size": "feed_forward",
    "hidden_size": "hidden",
    "vocabulary_size": "vocabulary",
}
"""A key of the recipe's targets → the teacher's size that it makes smaller."""
_FEED_FORWARD_STEPS = 24
_FEWEST_WORDS = 100
_MANTISSAS = (10, 12, 15, 18, 20, 22, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90)
_SUGGESTED_WORDS = 40_000
_HEAD_SHARES = (1 / 2, 5 / 12, 1 / 3)
"""Of the teacher's heads: 6, 5 and 4 of 12, which are 384, 320 and 256 of 768 units."""
_PAPER_TEACHER, _PAPER_WIDTHS = 768, (564, 456, 312)


@lru_cache(maxsize=64)
def steps(key: str, teacher: Sizes, heads: int | None, reduction: str) -> tuple[int, ...]:
    """The steps of a target's slider, ascending; the last is the teacher's own size, unless `heads` forbids it.

    Args:
        key: one of `AXES`.
        teacher: the teacher's sizes.
        heads: `targets.attention_heads`; None where the recipe doesn't say.
        reduction: the hidden reduction; with `heads` it decides which hidden sizes there are.
    """
    own: int = getattr(teacher, AXES[key])
    if AXES[key] in teacher.fixed:
        return (own,)
    if key == "hidden_size":
        return tuple(allowed_hidden_sizes(teacher, heads, reduction)) or (own,)
    if key == "layers":
        return tuple(range(1, own + 1))
    if key == "intermediate_size":
        step = 1 << max(0, (own // _FEED_FORWARD_STEPS).bit_length() - 1)
        return (*range(step, own, step), own)
    return (*_round_numbers(own), own)


def nearest(value: int, allowed: Sequence[int]) -> int:
    """The allowed value that is nearest, the smaller of two."""
    return min(allowed, key=lambda size: (abs(size - value), size))


def whole_head_widths(teacher: Sizes, heads: int | None, reduction: str) -> tuple[int, ...]:
    """Hidden sizes worth trying that keep some of the teacher's heads as they are, descending."""
    allowed = steps("hidden_size", teacher, heads, reduction)
    numbers = dict.fromkeys(round(teacher.heads * share) for share in _HEAD_SHARES)
    return tuple(
        number * teacher.head_width
        for number in numbers
        if 0 < number < teacher.heads
        and number * teacher.head_width in allowed
        and resolve_heads(teacher, number * teacher.head_width, heads, reduction) == number
    )


def paper_widths(teacher: Sizes, heads: int | None, reduction: str) -> tuple[int, ...]:
    """The paper's hidden sizes, descending, where its teachers' width and number of heads are this one's."""
    if teacher.hidden != _PAPER_TEACHER:
        return ()
    allowed = steps("hidden_size", teacher, heads, reduction)
    return tuple(width for width in _PAPER_WIDTHS if width in allowed)


def suggest(teacher: Sizes, reduction: str) -> dict[str, int]:
    """Targets to begin with: about half the depth and width, two thirds of the units, 40,000 words at most.

    Where all heads stay, as in the paper, each of them narrower, it is 0.6 of the width, the paper's middle.
    """
    widths = steps("hidden_size", teacher, None, reduction)
    width = nearest(teacher.hidden * 6 // 10, widths)
    if reduction not in KEEP_NUMBER:
        # Whole heads lose less than narrowed ones.
        width = next(iter(whole_head_widths(teacher, None, reduction)), teacher.hidden)
    words = min(_SUGGESTED_WORDS, max(_FEWEST_WORDS, teacher.vocabulary // 2))
    wanted = {
        "layers": max(1, teacher.layers // 2),
        "intermediate_size": nearest(
            teacher.feed_forward * 2 // 3, steps("intermediate_size", teacher, None, reduction)
        ),
        "hidden_size": width,
        "vocabulary_size": nearest(words, steps("vocabulary_size", teacher, None, reduction)),
    }
    return {key: size for key, size in wanted.items() if size < getattr(teacher, AXES[key])}


def _round_numbers(end: int) -> tuple[int, ...]:
    """Round numbers below `end`, at about the same ratio to each other."""
    found, scale = [], _FEWEST_WORDS // 10
    while scale * 10 < end:
        found += [mantissa * scale for mantissa in _MANTISSAS if mantissa * scale < end]
        scale *= 10
    return tuple(found)
