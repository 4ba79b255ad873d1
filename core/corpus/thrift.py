"""Thrift's compact form, as far as the notes in a Parquet file need it. No torch.

Whatever is not as it has to be is a ValueError or an IndexError: another reader might see something else in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DEEPEST = 16
_TRUE, _FALSE, _BYTE, _SHORT, _INTEGER, _LONG, _DOUBLE, _BINARY, _LIST, _STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12
_BITS = {_SHORT: 16, _INTEGER: 32, _LONG: 64}

Wanted = Mapping[int, Any]
"""The fields of a structure that are wanted, by their numbers, each with what is wanted of a structure in it."""


def read_struct(data: bytes, at: int, wanted: Wanted, depth: int = 0) -> tuple[dict[int, Any], int]:
    """The wanted fields of a structure (numbers, structures, and lists of these), and where it ends.

    Args:
        data: bytes that hold it.
        at: where it begins in them.
        wanted: what is looked for; all else is passed over.
        depth: of the structures around it.

    Raises:
        IndexError: it goes on after `data`.
        ValueError: it isn't sound.
    """
    found: dict[int, Any] = {}
    number = 0
    while data[at]:
        kind, step = data[at] & 15, data[at] >> 4
        at += 1
        if step:
            number += step
        else:
            number, at = _number(data, at, 16)
        if not 0 < number < 2**15:
            raise ValueError("no number of a field")
        if kind in (_TRUE, _FALSE):  # all of it
            continue
        value, at = _value(data, at, kind, wanted.get(number, {}), depth)
        if number in wanted:
            found[number] = value
    return found, at + 1


def _value(data: bytes, at: int, kind: int, wanted: Wanted, depth: int) -> tuple[Any, int]:
    if depth > _DEEPEST:
        raise ValueError("too deep")
    if kind in _BITS:
        return _number(data, at, _BITS[kind])
    if kind == _STRUCT:
        return read_struct(data, at, wanted, depth + 1)
    if kind == _BINARY:
        length, at = _varint(data, at)
        return None, at + length
    if kind == _LIST:
        return _list(data, at, wanted, depth + 1)
    if kind in (_TRUE, _FALSE, _BYTE):
        return None, at + 1
    if kind == _DOUBLE:
        return None, at + 8
    raise ValueError("no kind of a value")


def _list(data: bytes, at: int, wanted: Wanted, depth: int) -> tuple[list[Any], int]:
    """The structures of a list; of other things none is ever wanted."""
    length, kind = data[at] >> 4, data[at] & 15
    at += 1
    if length == 15:
        length, at = _varint(data, at)
    found = []
    for _ in range(length):
        value, at = _value(data, at, kind, wanted, depth)
        if at > len(data):
            raise IndexError("it goes on")
        if wanted:
            found.append(value)
    return found, at


def _number(data: bytes, at: int, bits: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    if value >= 1 << bits:
        raise ValueError("no number of so many bits")
    return value >> 1 ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        value |= (data[at + place] & 127) << 7 * place
        if data[at + place] < 128:
            return value, at + place + 1
    raise ValueError("no number")
