"""How many attention heads a student may have.

transformers' configurations know one number of heads, and it divides the hidden size. So a narrower student either
has as many heads as its teacher, each narrower, or fewer heads, each whole.
"""

from __future__ import annotations

from core.errors import InputError
from core.families.table import Sizes

KEEP_NUMBER = ("truncate", "svd")
"""The hidden reductions that keep the teacher's number of heads unless told otherwise, as the paper does."""


def resolve_heads(teacher: Sizes, hidden: int, heads: int | None, method: str) -> int:
    """The student's number of heads.

    Args:
        teacher: the teacher's sizes.
        hidden: the student's hidden size, 1 to the teacher's.
        heads: `targets.attention_heads`; None where the recipe doesn't say.
        method: the hidden reduction, by its name in the recipe.

    Raises:
        InputError: the hidden size can't be split into heads, or not into this number of them.
    """
    chosen = _choose(teacher, hidden, heads, method)
    if chosen is not None:
        return chosen
    shape = f"the teacher has {teacher.heads} heads of {teacher.head_width} units"
    allowed = _allowed(teacher, hidden)
    if heads is not None and allowed:
        raise InputError(
            f"targets.attention_heads is {heads}, but with a hidden size of {hidden} "
            f"it can only be {' or '.join(str(number) for number in allowed)} ({shape}).",
            hint=f"Set targets.attention_heads to {min(allowed, key=lambda number: abs(number - heads))}.",
            key="targets.attention_heads",
        )
    fits = allowed_hidden_sizes(teacher, heads, method)
    if heads is not None and not fits:
        raise InputError(
            f"targets.attention_heads is {heads}, but it must be from 1 to {teacher.heads}, the teacher's.",
            hint=f"Set targets.attention_heads to {min(max(heads, 1), teacher.heads)}.",
            key="targets.attention_heads",
        )
    if heads not in (None, teacher.heads):
        rule = f"{heads} whole heads make {fits[0]}"
    elif heads is not None or method in KEEP_NUMBER:
        rule = f"it must be a multiple of {teacher.heads}, the number of heads"
    else:
        rule = f"it must be a multiple of {teacher.heads} (as many heads) or of {teacher.head_width} (whole heads)"
    below, above = [size for size in fits if size < hidden][-1:], [size for size in fits if size > hidden][:1]
    raise InputError(
        f"targets.hidden_size is {hidden}, but {rule} ({shape}).",
        hint=f"Set targets.hidden_size to {' or '.join(str(size) for size in below + above)}.",
        key="targets.hidden_size",
    )


def allowed_hidden_sizes(teacher: Sizes, heads: int | None, method: str) -> list[int]:
    """The hidden sizes that can be had and for which there is a number of heads, ascending; see `resolve_heads`."""
    least = teacher.hidden if "hidden" in teacher.fixed else 1
    return [size for size in range(least, teacher.hidden + 1) if _choose(teacher, size, heads, method) is not None]


def _allowed(teacher: Sizes, hidden: int) -> list[int]:
    """The numbers of heads that a hidden size allows, ascending."""
    whole = [hidden // teacher.head_width] if hidden % teacher.head_width == 0 else []
    same = [teacher.heads] if hidden % teacher.heads == 0 else []
    return sorted({*whole, *same})


def _choose(teacher: Sizes, hidden: int, heads: int | None, method: str) -> int | None:
    """The number of heads; None where there is none."""
    allowed = _allowed(teacher, hidden)
    if heads is not None:
        return heads if heads in allowed else None
    if method in KEEP_NUMBER:
        return teacher.heads if teacher.heads in allowed else None
    return allowed[0] if allowed else None  # whole heads are never more than the teacher's
