"""Files that are right but for something: bytes cut, changed, put in, or put into another encoding."""

from __future__ import annotations

import gzip
from collections.abc import Callable

from hypothesis import strategies as st

NASTY = (
    b"\x00", b"\xff", b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n\n", b"\t", b",", b";", b'"',
    b'""', b"'", b"\\", b"{", b"}", b"[", b"]", b"#", b"\x1a", b"\x1b[31m", b"\xe2\x80\xa8", b"\xc2\x85",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xe2\x80\xae", b"1e400", b"NaN", b"-Infinity",
    b"99999999999999999999", b"-1", b"null", b"true", b"../", b"/etc/passwd", b"\\ud800", b"\\u0000", b"A" * 3000,
    b"\n" * 300, b"[" * 3000, b'{"a":' * 600,
)  # fmt: skip
"""What trips readers up."""
_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "cp1250", "cp1251", "latin-1", "utf-8-sig", "cp932")

Edit = Callable[[bytes], bytes]


def _place(share: float, data: bytes) -> int:
    return round(share * len(data))


def _cut(share: float) -> Edit:
    return lambda data: data[: _place(share, data)]


def _put(share: float, piece: bytes) -> Edit:
    return lambda data: data[: _place(share, data)] + piece + data[_place(share, data) :]


def _overwrite(share: float, piece: bytes) -> Edit:
    return lambda data: data[: _place(share, data)] + piece + data[_place(share, data) + len(piece) :]


def _again(first: float, last: float) -> Edit:
    return lambda data: data + data[_place(min(first, last), data) : _place(max(first, last), data)]


def _recode(encoding: str) -> Edit:
    return lambda data: data.decode(errors="replace").encode(encoding, errors="replace")


def _half_recoded(encoding: str) -> Edit:
    return lambda data: data[: len(data) // 2] + _recode(encoding)(data[len(data) // 2 :])


_SHARES = st.floats(0, 1)
edits = st.one_of(
    st.builds(_cut, _SHARES),
    st.builds(_put, _SHARES, st.sampled_from(NASTY)),
    st.builds(_put, _SHARES, st.binary(min_size=1, max_size=8)),
    st.builds(_overwrite, _SHARES, st.sampled_from(NASTY)),
    st.builds(_overwrite, _SHARES, st.binary(min_size=1, max_size=2)),
    st.builds(_again, _SHARES, _SHARES),
    st.builds(_recode, st.sampled_from(_ENCODINGS)),
    st.builds(_half_recoded, st.sampled_from(_ENCODINGS)),
)


def damaged(whole: st.SearchStrategy[bytes], *, least: int = 1) -> st.SearchStrategy[bytes]:
    """Bytes with one to four things done to them."""

    def apply(data: bytes, done: list[Edit]) -> bytes:
        for edit in done:
            data = edit(data)
        return data

    return st.builds(apply, whole, st.lists(edits, min_size=least, max_size=4))


def packed(data: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """The same, compressed with gzip: whole, in several members, or damaged."""
    whole = data.map(lambda content: gzip.compress(content, mtime=0))
    return st.one_of(whole, st.lists(whole, max_size=3).map(b"".join), damaged(whole))
