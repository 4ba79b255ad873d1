"""Which encoding bytes are in that aren't UTF-8: the one whose reading is a language, or none. No torch.

Every 8-bit encoding turns nearly all bytes into letters, so a wrong reading raises no error. One is taken only where
its letters beyond ASCII are those of a language (`core.corpus.alphabets`), and every other reading's clearly less so.
East Asian encodings, of which most bytes can't be read in most, are left to charset-normalizer; it names the 8-bit ones
wrongly too often (Slovak in ISO-8859-2 as Windows-1250, Maltese in ISO-8859-3 as ISO-8859-10).
"""

from __future__ import annotations

import codecs
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import regex

from core.corpus.alphabets import ALPHABETS, Alphabet

# Of those that read a sample alike the first is named.
_ONE_BYTE = {
    "cp1252": "Windows-1252",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "cp1253": "Windows-1253",
    "cp1254": "Windows-1254",
    "cp1255": "Windows-1255",
    "cp1256": "Windows-1256",
    "cp1257": "Windows-1257",
    "cp874": "Windows-874",
    "iso8859-2": "ISO-8859-2",
    "iso8859-3": "ISO-8859-3",
    "iso8859-4": "ISO-8859-4",
    "iso8859-5": "ISO-8859-5",
    "iso8859-6": "ISO-8859-6",
    "iso8859-7": "ISO-8859-7",
    "iso8859-8": "ISO-8859-8",
    "iso8859-13": "ISO-8859-13",
    "iso8859-15": "ISO-8859-15",
    "iso8859-16": "ISO-8859-16",
    "koi8-r": "KOI8-R",
    "koi8-u": "KOI8-U",
    "cp866": "CP866",
    "cp852": "CP852",
    "cp850": "CP850",
}
_EAST_ASIAN = {"cp932": "Shift JIS", "euc_jp": "EUC-JP", "gb18030": "GB 18030", "big5": "Big5", "cp949": "EUC-KR"}
_UTF16 = {"utf-16-le": "UTF-16 (little-endian)", "utf-16-be": "UTF-16 (big-endian)"}
_NAMES = {**_ONE_BYTE, **_EAST_ASIAN, **_UTF16}
_SIGNS = frozenset("«»‹›„“”‟‚‘’–—―…•€£§°©®™\xa0\xad·¿¡´×²³½¼¾º№")
_INSIDE = frozenset("’‘´·\xad–—―…\xa0×")
"""Signs that stand between two letters."""

# Log-likelihoods in nats of what a character can be, where it isn't a letter of the language.
_FOREIGN = math.log(0.03 / 200)
_ODD = math.log(0.03 / 2000)
_SIGN = math.log(0.02)
_CAPITAL = math.log(0.1)
"""Of a capital after a letter, besides what the letter has."""

_LEAST_LEAD, _LEAST_LEAD_EACH = 6.0, 0.05
"""Nats by which a reading must be likelier than each other one, and more for each character that differs."""
_LEAST_MEAN = -4.2
"""Nats a letter that a reading must reach; those of right ones are -1 to -3.5."""
_HANDICAP = {"iso8859-16": -15.0}
"""Romanian in ISO-8859-16 was hardly ever written, and is nearly the same in ISO-8859-2."""


_LEAST_BYTES = 100
"""Bytes beyond ASCII that an East Asian encoding shows in."""
_MOST_MESS, _LEAST_MESS_LEAD = 0.1, 0.06
"""Of charset-normalizer's measure of mess, 0 to 1: what a reading may have, and by how much less than the next."""


def encoding_of(sample: bytes) -> str | None:
    """The encoding of bytes that aren't UTF-8, as Python names it; None where that isn't sure.

    Args:
        sample: whole lines that aren't in ASCII alone, and all bytes that occur; 64 KiB say what there is to say.
    """
    return _one_byte(sample) or _east_asian(sample)


def encoding_name(encoding: str) -> str:
    """How people name an encoding that is found here."""
    return _NAMES.get(encoding, encoding.upper())


def utf16_without_mark(head: bytes) -> str | None:
    """Which UTF-16 the beginning of a file is in; None where it is something else."""
    found = [encoding for encoding in _UTF16 if _is_text(head[: len(head) // 2 * 2], encoding)]
    return found[0] if len(found) == 1 else None


def _is_text(head: bytes, encoding: str) -> bool:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    # Read the wrong way round a space and a line end are other characters.
    return (
        regex.search(r"[ \r\n]", text) is not None
        and regex.search(r"[[\p{Cn}\p{Co}\p{Cc}]--\s]", text, regex.V1) is None
    )


def _east_asian(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    if len(sample) - len(sample.translate(None, bytes(range(0x80, 0x100)))) < _LEAST_BYTES:
        return None
    found = from_bytes(sample, cp_isolation=list(_EAST_ASIAN), steps=20, chunk_size=512, threshold=1.0)
    best, *others = sorted((match.chaos, match.encoding) for match in found) or [(1.0, "")]
    sure = best[0] <= _MOST_MESS and all(chaos - best[0] >= _LEAST_MESS_LEAD for chaos, _ in others)
    return best[1] if sure else None


# -- 8-bit encodings -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a sample is in one encoding."""

    encoding: str
    likelihood: float
    """In nats."""
    mean: float
    """In nats a letter; 0 where there are none."""


def _one_byte(sample: bytes) -> str | None:
    padded = b" " + sample + b" "
    # The bytes beside a letter are all that matters of the text around it.
    places = Counter(padded[match.start() - 1 : match.start() + 2] for match in re.finditer(rb"[\x80-\xff]", padded))
    readings = sorted(_readings(places), key=lambda reading: -reading.likelihood)
    if not readings or readings[0].mean < _LEAST_MEAN:
        return None
    best, *others = readings
    for other in others:
        mine, its = _table(best.encoding), _table(other.encoding)
        differing = sum(count for place, count in places.items() if mine[place[1]] != its[place[1]])
        if best.likelihood - other.likelihood < _LEAST_LEAD + _LEAST_LEAD_EACH * differing:
            return None
    return best.encoding


def _readings(places: Mapping[bytes, int]) -> list[_Reading]:
    """Every different way to read letters beyond ASCII, each between the bytes beside it, and so often."""
    used = sorted({place[1] for place in places})
    different: dict[tuple[str, ...], str] = {}
    for encoding in _ONE_BYTE:
        table = _table(encoding)
        reading = tuple(table[byte] for byte in used)
        if "" not in reading:
            different.setdefault(reading, encoding)
    return [_reading(encoding, places) for encoding in different.values()]


def _reading(encoding: str, places: Mapping[bytes, int]) -> _Reading:
    table = _table(encoding)
    letters: Counter[str] = Counter()
    signs = odd = 0.0
    for place, count in places.items():
        letter, likelihood = _kind(*(table[byte] or " " for byte in place))
        if likelihood == _SIGN:
            signs += count * likelihood
        else:
            letters[letter] += count
            odd += count * likelihood
    likelihood = odd + max(_likelihood(letters, alphabet) for alphabet in ALPHABETS.values())
    mean = likelihood / max(1, letters.total())
    return _Reading(encoding, likelihood + signs + _HANDICAP.get(encoding, 0.0), mean)


@cache
def _table(encoding: str) -> tuple[str, ...]:
    """The character of each byte; empty where it has none."""
    return tuple(bytes([byte]).decode(encoding, "ignore") for byte in range(256))


@cache
def _kind(before: str, character: str, after: str) -> tuple[str, float]:
    """The letter as an alphabet has it, empty where there is none, and the likelihood of all else in nats."""
    if character in _SIGNS:
        misplaced = before.isalpha() and after.isalpha() and character not in _INSIDE
        return "", _ODD if misplaced else _SIGN
    if not regex.match(r"[\p{L}\p{M}،؛؟]", character):
        return "", _ODD
    if not regex.match(r"\p{Latin}", character) and regex.search(r"[A-Za-z]", before + after):
        return "", _ODD  # two scripts in one word
    if character.isupper() and before.isalpha():
        if before.islower():
            return "", _ODD
        return character.lower(), _CAPITAL
    return (character if character == "İ" else character.lower()), _CAPITAL if before.isdigit() else 0.0


def _likelihood(letters: Mapping[str, int], alphabet: Alphabet) -> float:
    common = math.log(0.85 / len(alphabet.common))
    rare = math.log(0.12 / max(1, len(alphabet.rare)))
    return sum(
        count * (common if letter in alphabet.common else rare if letter in alphabet.rare else _FOREIGN)
        for letter, count in letters.items()
        if letter
    )
