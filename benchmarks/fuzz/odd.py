"""Odd values, and well-formed content with something odd in it: what structured readers are fed with."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzz.damage import damaged

_DEEP: Any = 1
for _ in range(300):
    _DEEP = [_DEEP]
_TABLE: Any = 1
for _ in range(60):
    _TABLE = {"a": _TABLE}

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 7, 0.5, -0.0, 1e-320, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
    *(2**31, 2**32 - 1, 2**53 + 1, 2**62, 2**63, -(2**63) - 1, 10**40, 10**400),
    *(
        "",
        " ",
        "x",
        "auto",
        "null",
        "1e400",
        "0",
        "-1",
        "\0",
        "a\0b",
        "\n",
        "\x1b[2J",
        "\x7f",
        "\u202eevil",
        "é",
        "e\u0301",
    ),
    *(
        "../../x",
        "/etc/passwd",
        "C:\\x",
        "\\\\host\\x",
        "~",
        "~nobody/x",
        "~/x",
        ".",
        "..",
        "./",
        "a/../../b",
        "file:///x",
    ),
    *("hub:", "hub:../x", "hub:a/b:c:d:e", "http://localhost/x", "**/**/*", "a" * 300, "a/" * 3000, "x" * 200_000),
    *("<b>&amp;</b>", "=1+1", "{0}", "%s", "😀\ufffe\ufdd0", "\U0010ffff"),
    *([], {}, [[]], [None], {"": None}, {"a": {"b": []}}, ["x", "x"], [1] * 1000, {"x": 1}, _DEEP, _TABLE),
)
"""Values of every kind that JSON and TOML know, none of which belongs where it is put."""


def contents(base: Any) -> st.SearchStrategy[Any]:
    """Content like `base` with one to three things changed somewhere in it."""
    return _changed(base)


@st.composite
def _changed(draw: st.DrawFn, base: Any) -> Any:
    content = copy.deepcopy(base)
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        content = _change(draw, content)
    return content


def _change(draw: st.DrawFn, content: Any) -> Any:
    """Walk down to some place, and do something there."""
    holder, key = None, None
    value = content
    while isinstance(value, dict | list) and value:
        if holder is not None and not draw(st.integers(0, 3)):
            break
        places = list(value) if isinstance(value, dict) else range(len(value))
        holder, key = value, places[draw(st.integers(0, len(places) - 1))]
        value = holder[key]
    what = draw(st.integers(0, 7))
    odd = copy.copy(VALUES[draw(st.integers(0, len(VALUES) - 1))])
    if holder is None:
        return odd
    if what == 0:
        del holder[key]
    elif what == 1 and isinstance(holder, dict):
        holder[odd if isinstance(odd, str) else "unknown"] = value
    elif what == 2 and isinstance(holder, list):
        holder.append(value)
    elif what == 3:
        holder[key] = [value]
    elif what == 4 and isinstance(value, int | float) and not isinstance(value, bool):
        holder[key] = value + draw(st.sampled_from((-1, 1, -1000, 1000, 0.5)))
    elif what == 5 and isinstance(value, str):
        holder[key] = value[: len(value) // 2] + str(draw(st.sampled_from(("", "\0", "/../", "\n", "x", "é"))))
    else:
        holder[key] = odd
    return content


def json_files(base: Any) -> st.SearchStrategy[bytes]:
    """Files like the JSON of `base`: most are JSON with something odd in it, some are none."""
    text = to_json(base)
    return st.one_of(contents(base).map(to_json), contents(base).map(to_json), damaged(st.just(text)))


def to_json(content: Any) -> bytes:
    """JSON, as far as Python writes it: with NaN, and with 1e400 for what has hundreds of digits."""
    return json.dumps(content).replace(str(10**400), "1e400").encode()


def to_toml(content: Any) -> str:
    """TOML of a mapping, tables written inline; nothing there is "nothing" here."""
    if not isinstance(content, dict):
        return f"x = {_toml(content)}\n"
    return "".join(f"{json.dumps(str(key))} = {_toml(value)}\n" for key, value in content.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
