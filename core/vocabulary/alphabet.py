"""Which single characters a language's vocabulary must be able to spell. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import regex

LEAST_SHARE = 0.01
"""A corpus is written in a script that at least this share of its letters belongs to."""

# Scripts of living languages: Unicode Standard Annex 31, tables 5 (recommended) and 7 (limited use), and three that
# teachers know besides. A character of any other script is kept where it occurs in the corpus.
SCRIPTS = (
    *("Latin", "Cyrillic", "Greek", "Arabic", "Armenian", "Bengali", "Bopomofo", "Devanagari", "Ethiopic", "Georgian"),
    *("Gujarati", "Gurmukhi", "Hangul", "Han", "Hebrew", "Hiragana", "Kannada", "Katakana", "Khmer", "Lao"),
    *("Malayalam", "Myanmar", "Oriya", "Sinhala", "Tamil", "Telugu", "Thaana", "Thai", "Tibetan"),
    *("Adlam", "Balinese", "Bamum", "Batak", "Canadian_Aboriginal", "Chakma", "Cham", "Cherokee", "Hanifi_Rohingya"),
    *("Javanese", "Kayah_Li", "Lepcha", "Limbu", "Lisu", "Mandaic", "Meetei_Mayek", "Miao", "New_Tai_Lue", "Newa"),
    *("Nko", "Nyiakeng_Puachue_Hmong", "Ol_Chiki", "Osage", "Saurashtra", "Sundanese", "Syloti_Nagri", "Syriac"),
    *("Tai_Le", "Tai_Tham", "Tai_Viet", "Tifinagh", "Vai", "Wancho", "Yi"),
    *("Coptic", "Gothic", "Mongolian"),
)

# Written in every script: ASCII and Latin-1 signs, and all shared digits, punctuation, currencies and mathematics. No
# pictures: a teacher may know a thousand.
_GENERAL = r"(?=[\p{Common}\p{Inherited}])[\x00-\xFF\p{P}\p{N}\p{Sc}\p{Sm}]"


def scripts_of(characters: Mapping[str, int]) -> tuple[str, ...]:
    """The scripts that a corpus is written in, in the order of `SCRIPTS`.

    Args:
        characters: how often each character occurs in the corpus.
    """
    letters = {character: count for character, count in characters.items() if regex.match(r"\p{L}", character)}
    total = sum(letters.values())
    written = []
    for script in SCRIPTS:
        member = regex.compile(rf"\p{{Script={script}}}")
        count = sum(count for character, count in letters.items() if member.match(character))
        if count and count >= LEAST_SHARE * total:
            written.append(script)
    return tuple(written)


def needed_characters(known: Iterable[str], characters: Mapping[str, int]) -> set[str]:
    """The characters that text of the corpus' language is spelt with, whether or not the corpus happens to hold them.

    That is every known character that occurs in the corpus, or belongs to a script that the corpus is written in
    (signs shared by a few scripts included, by Unicode's script extensions), or is general punctuation, an ASCII or
    Latin-1 sign, or a digit, currency or mathematical sign that scripts share.

    Args:
        known: the characters to choose from, those that the teacher can spell.
        characters: how often each character occurs in the corpus, normalised as the tokenizer does.
    """
    classes = [_GENERAL, *(rf"\p{{Script_Extensions={script}}}" for script in scripts_of(characters))]
    needed = regex.compile("|".join(classes))
    return {character for character in known if character in characters or needed.match(character)}
