"""Readers of a corpus and of labelled data."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from pyarrow import parquet

from benchmarks.fuzz.damage import NASTY, damaged, packed
from benchmarks.fuzz.reader import Reader
from core.context import Quiet
from core.corpus.reading import read_texts
from core.corpus.survey import survey
from core.errors import InputError
from core.tasks.data import load_task

_WORDS = (
    "Il-kelb",
    "jiġri",
    "għax",
    "žltý",
    "kôň",
    "úpel",
    "mtoto",
    "anacheza",
    "нет",
    "日本語",
    "שלום",
    "a",
    "1,5",
    '"so"',
)
sentences = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=8).map(" ".join)
documents = st.lists(sentences, min_size=1, max_size=12)


@dataclass(frozen=True, slots=True)
class File:
    """A file's content, and the texts that are in it where it is sound."""

    content: bytes
    texts: list[str] | None = None


def _sound(write: Callable[[list[str]], bytes]) -> st.SearchStrategy[File]:
    return documents.map(lambda texts: File(write(texts), texts))


def _files(write: Callable[[list[str]], bytes]) -> st.SearchStrategy[File]:
    """Sound files, damaged ones, and what has nothing to do with them."""
    whole = documents.map(write)
    broken = st.one_of(damaged(whole), st.binary(max_size=200), st.sampled_from(NASTY))
    return st.one_of(_sound(write), broken.map(File))


def _packed_files(write: Callable[[list[str]], bytes]) -> st.SearchStrategy[File]:
    return packed(st.one_of(documents.map(write), damaged(documents.map(write)))).map(File)


def _corpus(name: str) -> Callable[[File, Path], object]:
    def read(file: File, folder: Path) -> object:
        (folder / name).write_bytes(file.content)
        faults = None
        try:
            survey([name], folder, Quiet())
        except InputError as error:
            faults = error
        texts = list(read_texts(name, folder, Quiet()))
        if file.texts is not None:
            assert [" ".join(text.split()) for text in texts] == file.texts, "other texts came out than went in"
            assert faults is None, "the look before a run refused a sound file"
        if faults is not None:
            raise faults
        return texts

    return read


# -- kinds of files --------------------------------------------------------------------------------------------------


def _txt(texts: list[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


def _jsonl(texts: list[str]) -> bytes:
    return "".join(json.dumps({"id": 1, "text": text}) + "\n" for text in texts).encode()


def _csv(texts: list[str]) -> bytes:
    rows = [
        "id,text\r\n",
        *(f'{number},"{text.replace(chr(34), chr(34) * 2)}"\r\n' for number, text in enumerate(texts)),
    ]
    return "".join(rows).encode()


def _tsv(texts: list[str]) -> bytes:
    return ("id\ttext\n" + "".join(f"{number}\t{text}\n" for number, text in enumerate(texts))).encode()


_UPOS = ("NOUN", "VERB")


def _conllu(texts: list[str]) -> bytes:
    def sentence(text: str) -> str:
        words = (f"{n}\t{word}\t_\t{_UPOS[n % 2]}" + 6 * "\t_" + "\n" for n, word in enumerate(text.split(), 1))
        return f"# text = {text}\n{''.join(words)}\n"

    return "".join(map(sentence, texts)).encode()


_ENDLESS = gzip.compress(b"".join(b"%d\t%s%s\n" % (n, b"a" * 99_990, b"\t_" * 8) for n in range(1, 200)), 1)
"""A sentence of twenty million characters, all of it CoNLL-U."""


def _table(texts: list[str]) -> dict[str, Any]:
    return {"text": texts, "n": list(range(len(texts)))}


def _parquet(texts: list[str], **columns: Any) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(pa.table(columns or _table(texts)), stream, compression="snappy" if columns else "none")
    return stream.getvalue()


_ODD_TABLES: tuple[Callable[[list[str]], dict[str, Any]], ...] = (
    lambda texts: {"text": [texts, None]},
    lambda texts: {"text": list(range(len(texts)))},
    lambda texts: {"text": [None] * len(texts)},
    lambda texts: {"text": pa.array(texts).dictionary_encode()},
    lambda texts: {"text": pa.array(texts, pa.large_string())},
    lambda texts: {"text": [{"text": text} for text in texts]},
    lambda texts: {"a": texts, "b": texts},
    lambda texts: {"text": [texts[0] * (1_000_000 // len(texts[0]))] * 60},  # in a few hundred bytes
    lambda texts: {"text": pa.array([text.encode("utf-16") for text in texts], pa.binary())},
)  # fmt: skip
_odd_parquet = st.builds(
    lambda table, texts: File(_parquet(texts, **table(texts))), st.sampled_from(_ODD_TABLES), documents
)


def _now_and_then(rare: File, usual: st.SearchStrategy[File]) -> st.SearchStrategy[File]:
    """Mostly the usual: the rare one takes a while to be read."""
    return st.integers(0, 199).flatmap(lambda number: st.just(rare) if number == 199 else usual)


# -- labelled data ---------------------------------------------------------------------------------------------------

_LABELS = ("sport", "news", "ħażin", "O", "B-PER")


def _labelled(texts: list[str]) -> bytes:
    return ("text\tlabel\n" + "".join(f"{text}\t{_LABELS[n % 2]}\n" for n, text in enumerate(texts))).encode()


def _bio(texts: list[str]) -> bytes:
    tags = ("B-PER", "I-PER", "O", "B-LOC")
    return "".join(
        "".join(f"{word}\t{tags[place % 4]}\n" for place, word in enumerate(text.split())) + "\n" for text in texts
    ).encode()


def _task(kind: str, suffix: str) -> Callable[[list[File], Path], object]:
    def read(files: list[File], folder: Path) -> object:
        for name, file in zip(("train", "validation", "test"), files, strict=True):
            (folder / f"{name}{suffix}").write_bytes(file.content)
        data = load_task(kind, ".", folder)
        for split, file in zip((data.train, data.validation, data.test), files, strict=True):
            assert file.texts is None or len(split) == len(file.texts), "as many examples must come out as went in"
        return data

    return read


def _splits(write: Callable[[list[str]], bytes]) -> st.SearchStrategy[list[File]]:
    return st.tuples(_files(write), _sound(write), st.one_of(_sound(write), _files(write))).map(list)


_SOUND = {".txt": _txt, ".jsonl": _jsonl, ".csv": _csv, ".tsv": _tsv, ".conllu": _conllu}

READERS: dict[str, Reader] = {
    **{f"corpus {suffix}": Reader(_files(write), _corpus(f"text{suffix}")) for suffix, write in _SOUND.items()},
    **{
        f"corpus {suffix}.gz": Reader(_packed_files(write), _corpus(f"text{suffix}.gz"))
        for suffix, write in list(_SOUND.items())[:2]
    },
    "corpus .conllu.gz": Reader(_now_and_then(File(_ENDLESS), _packed_files(_conllu)), _corpus("text.conllu.gz")),
    "corpus .parquet": Reader(st.one_of(_files(_parquet), _odd_parquet), _corpus("text.parquet")),
    "task .tsv": Reader(_splits(_labelled), _task("topic", ".tsv")),
    "task .bio": Reader(_splits(_bio), _task("ner", ".bio")),
    "task .conllu": Reader(_splits(_conllu), _task("pos", ".conllu")),
}
