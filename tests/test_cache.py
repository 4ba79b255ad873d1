"""Tokenising once: windows, reuse, and what is on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from core.context import Quiet
from core.corpus import cache as cache_module
from core.corpus.cache import TokenCache, tokenise
from core.corpus.prepare import TextFile
from core.distillation.data import Steps, TextData
from core.errors import InputError, Stopped
from core.events import Event, Message

CLS, SEP, UNK = 0, 1, 2


@pytest.fixture(autouse=True)
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's cache, empty."""
    monkeypatch.setattr(cache_module, "shared_folder", lambda: tmp_path / "shared")
    return tmp_path / "shared"


def entries(shared: Path) -> list[Path]:
    return [path for path in (shared / "tokens").iterdir() if not path.name.startswith(".")]


class Notes(Quiet):
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.done: list[tuple[int, int]] = []

    def emit(self, event: Event) -> None:
        assert isinstance(event, Message)
        self.texts.append(event.text)

    def progress(self, done: int, total: int) -> None:
        self.done.append((done, total))


class Stop(Quiet):
    def check(self) -> None:
        raise Stopped


def tokenizer(words: int = 100) -> Tokenizer:
    """Knows the word n as the token n + 3."""
    vocabulary = {"[CLS]": CLS, "[SEP]": SEP, "[UNK]": UNK} | {str(word): word + 3 for word in range(words)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    return made


def text_file(tmp_path: Path, *texts: str) -> TextFile:
    path = tmp_path / "texts.txt"
    path.write_bytes("".join(f"{text}\n" for text in texts).encode())
    return TextFile(path, len(texts), hashlib.sha256(path.read_bytes()).hexdigest())


def words(count: int) -> str:
    return " ".join(map(str, range(count)))


def test_texts_become_tokens_with_special_ones(tmp_path: Path) -> None:
    cache = tokenise(text_file(tmp_path, "0 1 2", "7", "x 3"), tokenizer(), 8, tmp_path / "cache", Quiet())
    assert [cache[i].tolist() for i in range(len(cache))] == [[0, 3, 4, 5, 1], [0, 10, 1], [0, UNK, 6, 1]]
    assert cache.lengths.tolist() == [5, 3, 4]
    assert cache.tokens == 12
    assert cache[0].dtype == np.uint16
    assert cache.counts(103).tolist() == np.bincount([0, 3, 4, 5, 1, 0, 10, 1, 0, UNK, 6, 1], minlength=103).tolist()


@pytest.mark.parametrize("max_length", [3, 4, 7, 22, 23])
def test_a_long_text_becomes_windows_that_lose_and_repeat_nothing(tmp_path: Path, max_length: int) -> None:
    cache = tokenise(text_file(tmp_path, words(20), words(3)), tokenizer(), max_length, tmp_path / "cache", Quiet())
    rows = [cache[i].tolist() for i in range(len(cache))]
    assert all(row[0] == CLS and row[-1] == SEP and 3 <= len(row) <= max_length for row in rows)
    assert [token for row in rows for token in row[1:-1]] == [*range(3, 23), *range(3, 6)]
    assert len(rows) == -(-20 // (max_length - 2)) + -(-3 // (max_length - 2))


def test_texts_without_tokens_are_left_out_and_told(tmp_path: Path) -> None:
    notes = Notes()
    cache = tokenise(text_file(tmp_path, "1", "\u3000", "2"), tokenizer(), 8, tmp_path / "cache", notes)
    assert [cache[i].tolist() for i in range(len(cache))] == [[0, 4, 1], [0, 5, 1]]
    assert notes.texts == ["Tokenised 3 texts into 2 sequences with 6 tokens; 1 without any token left out."]
    assert notes.done[-1] == (3, 3)


def test_no_tokens_at_all_are_refused(tmp_path: Path, shared: Path) -> None:
    with pytest.raises(InputError, match=r"finds no tokens in the 2 texts of .*texts.txt"):
        tokenise(text_file(tmp_path, "\u3000", "\u3000"), tokenizer(), 8, tmp_path / "cache", Quiet())
    assert entries(shared) == []


def test_a_length_without_place_for_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 tokens leaves no place for text beside 2 special tokens"):
        tokenise(text_file(tmp_path, "1"), tokenizer(), 2, tmp_path / "cache", Quiet())


def test_a_large_vocabulary_takes_wider_numbers(tmp_path: Path) -> None:
    cache = tokenise(text_file(tmp_path, "69999 1"), tokenizer(70_000), 8, tmp_path / "cache", Quiet())
    assert cache[0].tolist() == [0, 70_002, 4, 1]
    assert cache[0].dtype == np.uint32


def test_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = text_file(tmp_path, *(words(i % 20 + 1) for i in range(200)))
    notes = Notes()
    whole = tokenise(file, tokenizer(), 8, tmp_path / "one", notes)
    monkeypatch.setattr(cache_module, "shared_folder", lambda: tmp_path / "another")
    monkeypatch.setattr(cache_module, "_CHUNK_TEXTS", 7)
    monkeypatch.setattr(cache_module, "_CHUNK_CHARACTERS", 100)
    parts = tokenise(file, tokenizer(), 8, tmp_path / "two", notes)
    assert [whole[i].tolist() for i in range(len(whole))] == [parts[i].tolist() for i in range(len(parts))]
    assert len(notes.done) > 10


def test_the_callers_tokenizer_is_neither_changed_nor_heeded_in_padding_and_truncation(tmp_path: Path) -> None:
    mine = tokenizer()
    mine.enable_truncation(3)
    mine.enable_padding(length=50)
    before = mine.to_str()
    cache = tokenise(text_file(tmp_path, words(5)), mine, 8, tmp_path / "cache", Quiet())
    assert mine.to_str() == before
    assert cache.lengths.tolist() == [7]
    assert len(tokenise(text_file(tmp_path, words(5)), tokenizer(), 8, tmp_path / "cache", Stop())) == 1


def test_a_finished_cache_is_reused_without_the_texts(tmp_path: Path) -> None:
    file = text_file(tmp_path, "1 2 3", "4")
    first = tokenise(file, tokenizer(), 8, tmp_path / "cache", Quiet())
    file.path.unlink()
    second = tokenise(file, tokenizer(), 8, tmp_path / "cache", Stop())
    assert second[0].tolist() == first[0].tolist()


def test_every_input_has_a_cache_of_its_own(tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    file = text_file(tmp_path, words(9))
    tokenise(file, tokenizer(), 8, folder, Quiet())
    tokenise(file, tokenizer(), 9, folder, Quiet())
    tokenise(file, tokenizer(50), 8, folder, Quiet())
    tokenise(text_file(tmp_path, words(8)), tokenizer(), 8, folder, Quiet())
    assert len(entries(shared)) == 4
    monkeypatch.setattr("tokenizers.__version__", "another")
    tokenise(text_file(tmp_path, words(8)), tokenizer(), 8, folder, Quiet())
    assert len(entries(shared)) == 5


@pytest.mark.parametrize("name", ["ids.uint16", "offsets.npy", "counts.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, shared: Path, name: str, damage: str) -> None:
    file = text_file(tmp_path, "1 2 3", "4")
    tokenise(file, tokenizer(), 8, tmp_path / "cache", Quiet())
    (path,) = shared.glob(f"tokens/*/{name}")
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[:-3])
    cache = tokenise(file, tokenizer(), 8, tmp_path / "cache", Quiet())
    assert [cache[i].tolist() for i in range(2)] == [[0, 4, 5, 6, 1], [0, 7, 1]]
    assert path.read_bytes() == content


def test_a_stopped_one_is_made_anew(tmp_path: Path, shared: Path) -> None:
    file = text_file(tmp_path, "1 2 3")
    with pytest.raises(Stopped):
        tokenise(file, tokenizer(), 8, tmp_path / "cache", Stop())
    assert len(tokenise(file, tokenizer(), 8, tmp_path / "cache", Quiet())) == 1
    assert len(entries(shared)) == 1


def test_a_cache_opens_by_its_folder(tmp_path: Path, shared: Path) -> None:
    made = tokenise(text_file(tmp_path, "1 2 3", "4"), tokenizer(), 8, tmp_path / "cache", Quiet())
    (folder,) = entries(shared)
    opened = TokenCache(folder)
    assert opened.lengths.tolist() == made.lengths.tolist()
    assert opened[1].tolist() == made[1].tolist()


def test_every_run_is_told_once_whoever_tokenised(tmp_path: Path) -> None:
    file = text_file(tmp_path, "1 2 3", "\u3000")
    told = []
    for run in ("one", "one", "two", "two"):
        notes = Notes()
        tokenise(file, tokenizer(), 8, tmp_path / run, notes)
        told.append(notes.texts)
    once = ["Tokenised 2 texts into 1 sequences with 5 tokens; 1 without any token left out."]
    assert told == [once, [], once, []]


def test_found_and_made_tokens_give_the_same_batches(tmp_path: Path) -> None:
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer(), unk_token="[UNK]", pad_token="[UNK]", mask_token="[SEP]"
    )
    file = text_file(tmp_path, *(words(i % 20 + 1) for i in range(200)))

    def batches(run: str, ctx: Quiet) -> list[list[list[int]]]:
        cache = tokenise(file, tokenizer(), 8, tmp_path / run, ctx)
        steps = Steps(TextData(cache, cache, fast, seed=3, micro_tokens=64), "layers", 200)
        found = [batch for step in range(5) for batch in steps[step]]
        return [[batch.input_ids.tolist(), batch.labels.tolist()] for batch in found]

    cold = batches("cold", Quiet())
    assert len(cold) > 10
    assert batches("warm", Stop()) == cold


def test_without_the_machines_cache_the_runs_own_folder_does(tmp_path: Path, shared: Path) -> None:
    shared.write_text("a file")
    file, notes = text_file(tmp_path, "1 2 3", "4"), Notes()
    for ctx in (notes, Stop()):
        cache = tokenise(file, tokenizer(), 8, tmp_path / "cache", ctx)
        assert [cache[i].tolist() for i in range(2)] == [[0, 4, 5, 6, 1], [0, 7, 1]]
    assert notes.texts == [
        f"The cache in {shared} can't be used: this run makes its own tokens.",
        "Why the cache can't be used: Not a directory.",
        "Tokenised 2 texts into 2 sequences with 8 tokens.",
    ]
