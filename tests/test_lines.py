"""Text files in encodings other than UTF-8: read rightly and told, or refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.context import Quiet
from core.corpus import lines as lines_module
from core.corpus.encoding import encoding_of
from core.corpus.lines import read_lines
from core.errors import InputError
from core.events import Event, Message

SLOVAK = """\
Veľká časť obyvateľov žije v mestách, ktoré ležia pri riekach.
Ľudia sa tešia na jar, keď začnú kvitnúť čerešne a jablone.
Škola stojí uprostred dediny a deti do nej chodia pešo.
Včera večer pršalo, ale dnes ráno už svietilo slnko.
Ťažko povedať, čo prinesie budúci týždeň.""".splitlines()
MALTESE = """\
Il-ħobż Malti jittiekel maż-żejt, mat-tadam u mal-ġobon.
Għada filgħodu mmorru ħdejn il-baħar jekk jagħmel ix-xemx.
Iż-żgħażagħ ħadu sehem fil-kompetizzjoni u rebħu l-ewwel premju.
Ċikku u Ġorġ joqogħdu fl-istess triq, ħdejn il-knisja.
Il-gżejjer għandhom storja twila ħafna.""".splitlines()
FRENCH = """\
L'été dernier, nous avons traversé la forêt à pied jusqu'à la rivière.
Le garçon a reçu une lettre où sa mère lui répète de rentrer bientôt.
Après le dîner, les élèves préparent leurs leçons de géographie.
Ça ne paraît pas très compliqué, même pour des débutants.""".splitlines()
RUSSIAN = """\
Сегодня на улице хорошая погода, и дети пошли гулять в парк.
Река разлилась весной и затопила луга возле деревни.
Учёные рассказали о новых наблюдениях за звёздами.""".splitlines()
JAPANESE = """\
今日は天気がよいので、公園まで散歩に行きました。
子供たちは学校の庭で新しい歌を練習しています。
この町には古い図書館があり、多くの人が本を借りに来ます。""".splitlines()
CHINESE = """\
今天天气很好，孩子们都到公园里去玩了。
这座城市有一个很大的图书馆，很多人在那里看书。
老师告诉我们，明天早上八点在学校门口集合。""".splitlines()

TOLD = [
    (SLOVAK, "cp1250", "Windows-1250"),
    (SLOVAK, "iso8859-2", "ISO-8859-2"),
    (MALTESE, "iso8859-3", "ISO-8859-3"),
    (FRENCH, "latin-1", "Windows-1252"),
    (RUSSIAN, "cp1251", "Windows-1251"),
    (RUSSIAN, "koi8-r", "KOI8-R"),
    (RUSSIAN, "cp866", "CP866"),
    (JAPANESE, "cp932", "Shift JIS"),
    (CHINESE, "gb18030", "GB 18030"),
    (MALTESE, "utf-16-le", "UTF-16 (little-endian)"),
    (RUSSIAN, "utf-16-be", "UTF-16 (big-endian)"),
    (CHINESE, "utf-16-le", "UTF-16 (little-endian)"),
]


class Notes(Quiet):
    def __init__(self) -> None:
        self.told: list[str] = []

    def emit(self, event: Event) -> None:
        assert isinstance(event, Message) and event.level == "warning"
        self.told.append(event.text)


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def read(path: Path) -> tuple[list[str], list[str]]:
    notes = Notes()
    return list(read_lines(path, notes)), notes.told


@pytest.mark.parametrize(("lines", "encoding", "name"), TOLD)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_another_encoding_is_found_and_told_once(
    tmp_path: Path, lines: list[str], encoding: str, name: str, end: str
) -> None:
    path = put(tmp_path / "a.txt", end.join([*lines, ""]).encode(encoding))
    told = [f"{path} is not UTF-8; it was read as {name}. Check the first lines."]
    assert read(path) == (lines, told)
    assert read(path) == (lines, told)


def test_what_is_beyond_ascii_may_come_late(tmp_path: Path) -> None:
    ascii_lines = [f"line {number} of many that say nothing" for number in range(60_000)]
    content = "\n".join([*ascii_lines, *SLOVAK]).encode("cp1250")
    for path, packed in ((tmp_path / "a.txt", content), (tmp_path / "a.txt.gz", gzip.compress(content))):
        lines, told = read(put(path, packed))
        assert lines == [*ascii_lines, *SLOVAK]
        assert len(told) == 1 and "Windows-1250" in told[0]


def test_a_byte_that_comes_late_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "_SAMPLE_BYTES", 2000)
    # 0x81 stands for nothing in Windows-1250, so the file is not in it; nor in another that fits the rest.
    path = put(tmp_path / "a.txt", b"\n".join(["\n".join(SLOVAK * 200).encode("cp1250"), b"x\x81y"]))
    with pytest.raises(InputError, match=r"is not UTF-8: line 1 has the byte 0xBE \(byte 3 of the file\)"):
        read(path)


def test_a_cut_gz_in_another_encoding_is_refused(tmp_path: Path) -> None:
    content = gzip.compress("\n".join(SLOVAK * 100 + [str(number**9) for number in range(20_000)]).encode("cp1250"))
    path = put(tmp_path / "a.txt.gz", content[: len(content) // 2])
    with pytest.raises(InputError, match="ends in the middle of its compressed data"):
        read(path)


def test_memory_of_a_sample_is_bounded(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "\n".join(RUSSIAN * 10_000).encode("cp1251"))
    assert len(lines_module._sample(path, Quiet())) < 2 * lines_module._SAMPLE_BYTES


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"one\ntwo\r\nna\xe8o\n", r"line 3 has the byte 0xE8 \(byte 12 of the file\)"),  # načo or naèo
        (b"one\rtwo\rna\xe8o\r", r"line 3 has the byte 0xE8 \(byte 11 of the file\)"),
        ("\n".join([*SLOVAK, *MALTESE]).encode() + b"\n\xff broken\n", r"line 11 has the byte 0xFF"),
        (bytes(range(0x80, 0x100)) * 20, r"line 1 has the byte 0x80 \(byte 1 of the file\)"),
        (b"x" * 1_100_000 + b"\r\n" + b"\xe9", r"line 2 has the byte 0xE9 \(byte 1100003 of the file\)"),
    ],
)
def test_what_is_not_sure_is_refused(tmp_path: Path, content: bytes, place: str) -> None:
    path = put(tmp_path / "a.txt", content)
    with pytest.raises(InputError, match=place + r".*No other encoding fits for certain\. \(Save it as plain text"):
        read(path)


def test_damaged_utf8_is_not_taken_for_another_encoding(tmp_path: Path) -> None:
    damaged = "\n".join(SLOVAK).encode().replace("á".encode(), b"\xe1", 1)  # within the first line
    path = put(tmp_path / "a.txt", damaged)
    with pytest.raises(InputError, match="is not UTF-8: line 1"):
        read(path)


def test_an_east_asian_file_that_breaks_later_is_refused_there(tmp_path: Path) -> None:
    good = "\n".join(JAPANESE * 1000).encode("cp932")
    path = put(tmp_path / "a.txt", good + b"\n" + b"\x81\x20")
    with pytest.raises(InputError, match=r"neither UTF-8 nor all Shift JIS: line 3001 has the byte 0x81"):
        read(path)


def test_a_line_end_between_two_blocks_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a\r\nb\rc\n\nd\xff"
    for block in range(1, len(content) + 1):
        monkeypatch.setattr(lines_module, "_BLOCK", block)
        assert lines_module._first_undecodable(put(tmp_path / "a.txt", content), "utf-8", Quiet()) == (5, 9, 0xFF)


def test_a_broken_character_between_two_blocks_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = "čí\n".encode() + b"x\xe2\x82y\n"
    for block in range(1, len(content) + 1):
        monkeypatch.setattr(lines_module, "_BLOCK", block)
        assert lines_module._first_undecodable(put(tmp_path / "a.txt", content), "utf-8", Quiet()) == (2, 6, 0xE2)


def test_a_cut_character_at_the_end_has_its_place(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "ab\nč".encode()[:-1])
    assert lines_module._first_undecodable(path, "utf-8", Quiet()) == (2, 3, 0xC4)


def test_a_line_of_20_mb_is_refused_without_reading_it_whole(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", b"one\n" + b"word " * 4_000_000)
    with pytest.raises(InputError, match=r"line 2, has 10,000,000 characters or more"):
        read(path)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(SLOVAK), min_size=1, max_size=5), st.sampled_from(["cp1250", "iso8859-2", "cp852"]))
def test_no_slovak_is_read_as_other_letters(lines: list[str], encoding: str) -> None:
    sample = "\n".join(lines).encode(encoding)
    found = encoding_of(sample)
    assert found is None or sample.decode(found) == "\n".join(lines)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(MALTESE), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_no_maltese_is_read_as_other_letters(lines: list[str], random: object) -> None:
    words = " ".join(lines).split()
    random.shuffle(words)  # type: ignore[attr-defined]
    text = " ".join(words)
    found = encoding_of(text.encode("iso8859-3"))
    assert found is None or text.encode("iso8859-3").decode(found) == text


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=1).filter(lambda text: not text.isascii()))
def test_utf8_is_always_read_as_utf8(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    content = text.encode("utf-8", "ignore").replace(b"\0", b"")
    if content.startswith((b"\xef\xbb\xbf", b"\x1f", b"%PDF", b"PK")) or len(
        content.translate(None, bytes(range(32)))
    ) < len(content):
        return
    path = put(tmp_path_factory.mktemp("utf8") / "a.txt", content)
    assert read(path) == ([content.decode()] if content else [], [])
