from __future__ import annotations

import subprocess
import sys
import unicodedata
from pathlib import Path

import iso639
import pytest

import resources
from core.errors import InputError
from core.languages import all_languages, check_language, find_languages, macrolanguages

BY_CODE = {entry.code: entry for entry in all_languages()}


def codes(text: str, limit: int = 50) -> list[str]:
    return [entry.code for entry in find_languages(text, limit)]


def test_there_is_every_language_of_the_standard_and_nothing_else() -> None:
    standard = {
        language.part3: language.name
        for language in iso639.ALL_LANGUAGES
        if language.status == "A" and language.part3 not in (None, "", "und", "mul", "mis", "zxx")
    }
    assert {entry.code: entry.name for entry in all_languages()} == standard
    assert len(all_languages()) == len(BY_CODE) > 7900


def test_an_entry_has_its_names() -> None:
    assert (BY_CODE["mlt"].name, BY_CODE["mlt"].own_name, BY_CODE["mlt"].other_names) == ("Maltese", "Malti", ())
    assert BY_CODE["swh"].own_name == "Kiswahili"
    assert BY_CODE["spa"].other_names == ("Castilian",)
    assert "Farsi" in BY_CODE["pes"].other_names
    assert all(entry.name not in entry.other_names for entry in all_languages())


@pytest.mark.parametrize(
    ("text", "code"),
    [("mlt", "mlt"), ("mt", "mlt"), ("MT", "mlt"), (" Maltese ", "mlt"), ("malti", "mlt"), ("maltés", "mlt"),
     ("de", "deu"), ("ger", "deu"), ("Deutsch", "deu"), ("türkçe", "tur"), ("TURKCE", "tur"), ("islenska", "isl"),
     ("castilian", "spa"), ("farsi", "fas"), ("kurmanji", "kur"), ("greek", "ell"), ("sorbian, upper", "hsb"),
     ("polski", "pol"), ("slonsko godka", "szl"), ("olelo", "haw"), ("ʻōlelo", "haw"),
     ("o'zbek", "uzb"), ("o‘zbek", "uzb"), ("oʻzbek", "uzb"), ("avane'e", "grn"), ("xóõ", "nmn"), ("gikuyu", "kik")],
)  # fmt: skip
def test_a_language_is_found_by_code_and_by_any_name(text: str, code: str) -> None:
    assert code in codes(text)[:2]


@pytest.mark.parametrize(
    ("text", "code"),
    [("РУССКИЙ", "rus"), ("русск", "rus"), ("ελληνικα", "ell"), ("हिन्दी", "hin"), ("हि", "hin"), ("العربية", "ara"),
     ("فارسى", "fas"), ("עברית", "heb"), ("한국", "kor"), ("日本語", "jpn"), ("አማርኛ", "amh"), ("ქართ", "kat"),
     ("தமிழ்", "tam"), ("မြန်မာ", "mya"), ("ᏣᎳᎩ", "chr"), ("ⵜⴰⵎⴰⵣⵉⵖⵜ", "tzm")],
)  # fmt: skip
def test_other_scripts_are_searched_too(text: str, code: str) -> None:
    assert codes(text)[0] == code


def test_vowel_signs_are_not_mere_accents() -> None:
    assert "hin" not in codes("हन्दा")


def test_the_likeliest_come_first() -> None:
    assert codes("swa")[0] == "swa"  # a code before all names
    assert codes("swahili")[:2] == codes("swahil")[:2] == ["swh", "swa"]  # before the macrolanguage of its name
    assert codes("malay")[:3] == ["zlm", "msa", "mal"]  # whole names, then one that begins so
    assert codes("malay").index("mal") < codes("malay").index("zsm")  # whose second word begins so
    assert codes("iles") == ["mkj", "szl", "sli"]  # all of them inside a word, the shortest first
    assert codes("norwegian")[:3] == ["nor", "nob", "nno"]
    assert codes("slov")[:2] == ["slk", "slv"]
    assert codes("e")[:2] == ["eee", "ewe"]  # the language E itself, then those with a code of two letters


def test_there_are_no_more_than_asked_for() -> None:
    assert len(find_languages("a")) == 50
    assert find_languages("a", 3) == find_languages("a")[:3]


@pytest.mark.parametrize("text", ["", "   ", "'", "no such language", "…"])
def test_nothing_is_found_by_nothing(text: str) -> None:
    assert find_languages(text) == []


def test_macrolanguages() -> None:
    macro = macrolanguages()
    assert (macro["swh"], macro["nob"], macro["ekk"], macro.get("mlt")) == ("swa", "nor", "est", None)
    assert set(macro) | set(macro.values()) <= set(BY_CODE)


def test_own_names_are_sound() -> None:
    text = (Path(resources.__file__).parent / "languages.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    assert [row[0] for row in rows] == sorted({row[0] for row in rows} & set(BY_CODE))
    for row in rows:
        assert len(row) in (2, 3)
        assert any(row[1:])
        assert all(part == part.strip() == unicodedata.normalize("NFC", part) for part in row)


def test_the_package_of_codes_is_not_imported() -> None:
    code = "import sys; from core.languages import find_languages; find_languages('mt'); print('iso639' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("code", "name"), [("mlt", "Maltese"), ("slk", "Slovak"), ("swh", "Swahili (individual language)")]
)
def test_a_language_has_a_name(code: str, name: str) -> None:
    assert check_language(code) == name


@pytest.mark.parametrize(
    ("code", "hint"),
    [("mt", '"mlt" (Maltese)'), ("Maltese", '"mlt" (Maltese)'), ("MLT", '"mlt"'), ("ger", '"deu" (German)'),
     ("maltees", '"mlt" (Maltese)'), ("mol", '"ron"'), ("xyzzy", "three letters"), ("", "three letters"),
     ("mlt\n", '"mlt"')],
)  # fmt: skip
def test_another_code_gets_the_right_one_as_a_hint(code: str, hint: str) -> None:
    with pytest.raises(InputError, match=r"language\.code is") as caught:
        check_language(code)
    assert hint in caught.value.faults[0].hint


def test_the_quick_look_agrees_with_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from core import languages

    quick = {code: check_language(code) for code in ("mlt", "slk", "swh", "eng", "deu")}
    monkeypatch.setattr(languages, "_quick_name", lambda code: None)
    assert {code: check_language(code) for code in quick} == quick
