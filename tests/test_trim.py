"""`monoglot trim`'s work: from a model folder to one of a single language."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from tokenizers import Tokenizer, normalizers
from toy_tokenizers import CYRILLIC, LATIN, TOYS, model, wordpiece
from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer

from core.compression import vocabulary
from core.context import Quiet
from core.corpus.prepare import prepare
from core.errors import InputError, Stopped
from core.events import Event, Message
from core.models import load, save
from core.recipe import Corpus
from core.trim import REPORT, trim_folder, wanted
from core.vocabulary import trimming
from core.vocabulary.choosing import Wanted
from core.vocabulary.trimming import TABLE

SIZES = {"bert": 190, "xlm-roberta": 145, "roberta": 400}
_COMMON = ("rieku", "mesta", "mama", "lese", "slivky", "most", "Most", "cez", "deti")
TEXTS = [*LATIN, *(f"{one} {other} {one}" for one in _COMMON for other in _COMMON)]
"""Sentences, and texts of a few words, whose tokens are kept so that texts that are held out can be compared."""
_TOKENIZERS = {"bert": "wordpiece", "xlm-roberta": "unigram", "roberta": "byte_bpe"}


class Log(Quiet):
    """A context that remembers its messages."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def texts(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Message))


def teacher(kind: str, folder: Path, *, weights: bool) -> Path:
    save(model(kind, TOYS[_TOKENIZERS[kind]](), tied=True), folder)
    if not weights:
        (folder / "model.safetensors").unlink()
    return folder


def corpus(folder: Path, texts: Iterable[str] = TEXTS) -> Corpus:
    """A corpus in a file, a quarter of it held out."""
    path = folder / "texts.txt"
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return Corpus(sources=(str(path),), validation_fraction=0.25)


def trim(
    source: Path, out: Path, size: int = 190, texts: Iterable[str] = TEXTS, ctx: Quiet | None = None, **more: Any
) -> dict[str, Any]:
    """Trim a folder to a size by texts of a file beside it."""
    want = Wanted(**{"size": size} | {key: more.pop(key) for key in list(more) if key != "words"})
    return trim_folder(source, corpus(source.parent, texts), Path(), want, more.get("words"), out, ctx or Quiet())


@pytest.mark.parametrize("weights", [True, False], ids=["weights", "no-weights"])
@pytest.mark.parametrize("kind", sorted(SIZES))
def test_a_folder_is_trimmed(kind: str, weights: bool, tmp_path: Path) -> None:
    source, out, log = teacher(kind, tmp_path / "teacher", weights=weights), tmp_path / "new" / "small", Log()
    result = trim(source, out, SIZES[kind], ctx=log)
    old, new = (AutoTokenizer.from_pretrained(folder, local_files_only=True) for folder in (source, out))
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))

    assert result["vocabulary"] == {"before": len(old), "after": SIZES[kind], "wanted": SIZES[kind]}
    assert len(new) == config["vocab_size"] == SIZES[kind] == sum(result["kept"].values())
    assert result["kept"]["special"] == 5
    assert 0 < result["coverage"] < 1
    held_out = list(prepare(corpus(tmp_path), Path(), 0, tmp_path / "again", Quiet()).validation)
    words = sum(len(line.split()) for line in held_out)
    tokens = sum(len(old.tokenize(line)) for line in held_out)
    assert 1 < len(held_out) == result["held_out"] == result["proof"]["lines"] < len(TEXTS)
    assert result["fertility"]["before"] == tokens / words < result["fertility"]["after"]
    assert result["unknown"] == {"before": 0, "after": 0}
    assert result["proof"]["compared"] > 0 and result["worst"] and 0 < result["split"] < 1
    assert result["weights"] is weights and ("model_proof" in result) == weights
    if weights:
        assert result["model_proof"]["compared"] == result["held_out"]
        assert result["model_proof"]["tokens"] >= result["proof"]["tokens"]
    dropped = len(old) - SIZES[kind]
    assert result["parameters"]["before"] - result["parameters"]["after"] == dropped * 17  # embedding rows and bias
    assert config["pad_token_id"] == new.pad_token_id
    files = {"config.json", "tokenizer.json", "tokenizer_config.json", REPORT, TABLE}
    assert {path.name for path in out.iterdir()} == files | ({"model.safetensors"} if weights else set())
    assert [path.name for path in out.parent.iterdir()] == ["small"]
    assert [event.level for event in log.events if isinstance(event, Message)] == ["info"], "what the corpus holds"


@pytest.mark.parametrize("kind", sorted(SIZES))
def test_the_folder_says_what_was_kept(kind: str, tmp_path: Path) -> None:
    source, out = teacher(kind, tmp_path / "teacher", weights=False), tmp_path / "out"
    result = trim(source, out, SIZES[kind])
    assert json.loads((out / REPORT).read_text(encoding="utf-8")) == result
    lines = (out / TABLE).read_text(encoding="utf-8").splitlines()[1:]
    new = AutoTokenizer.from_pretrained(out, local_files_only=True)
    rows = [line.split("\t") for line in lines]
    assert [int(row[0]) for row in rows] == list(range(len(new)))
    shown = [row[2].encode("ascii").decode("unicode_escape") if "\\" in row[2] else row[2] for row in rows]
    assert shown == new.convert_ids_to_tokens(range(len(new)))
    old = AutoTokenizer.from_pretrained(source, local_files_only=True)
    assert [int(row[1]) for row in rows] == old.convert_tokens_to_ids(shown)
    assert {reason: sum(row[3] == reason for row in rows) for reason in result["kept"]} == result["kept"]


@pytest.mark.parametrize("kind", sorted(SIZES))
def test_trimmed_weights_give_what_the_originals_gave(kind: str, tmp_path: Path) -> None:
    source = teacher(kind, tmp_path / "teacher", weights=True)
    result = trim(source, tmp_path / "out", SIZES[kind])
    before = load(source)[0]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out", local_files_only=True)
    after, info = AutoModelForMaskedLM.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert result["parameters"]["after"] == sum(parameter.numel() for parameter in after.parameters())
    kept = before.tokenizer.convert_tokens_to_ids(tokenizer.convert_ids_to_tokens(range(len(tokenizer))))
    compared = 0
    for text in TEXTS:
        old, new = before.tokenizer(text, return_tensors="pt"), tokenizer(text, return_tensors="pt")
        if set(old["input_ids"][0].tolist()) <= set(kept):
            compared += 1
            with torch.no_grad():
                logits = before.model(**old).logits[..., kept], after.eval()(**new).logits
            torch.testing.assert_close(*logits)
    assert compared > 1


def test_trimming_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    source = teacher("xlm-roberta", tmp_path / "teacher", weights=True)
    (tmp_path / "b").mkdir()  # empty is as good as absent
    assert trim(source, tmp_path / "a", 145) == trim(source, tmp_path / "b", 145)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


# -- how many, and which ---------------------------------------------------------------------------------------------


def test_the_command_lines_numbers_are_checked_all_at_once() -> None:
    assert wanted(5, None, 8, "token") == Wanted(size=5, multiple=8, frequency="token")
    assert wanted(None, 1.0, 1, "document") == Wanted(coverage=1.0)
    for numbers, words in (
        ((None, None, 1), ["Neither --size nor --coverage"]),
        ((5, 0.9, 1), ["Both --size and --coverage"]),
        ((0, None, 0), ["--size is 0", "--multiple is 0"]),
        ((None, 0.0, 1), ["--coverage is 0"]),
        ((None, 99.9, -8), ["--coverage is 99.9", "--multiple is -8"]),
        ((-1, 2.0, 0), ["--size is -1", "--coverage is 2.0", "--multiple is 0", "Both --size and"]),
    ):
        with pytest.raises(InputError) as caught:
            wanted(*numbers, "document")
        problems = [fault.problem for fault in caught.value.faults]
        assert len(problems) == len(words) and all(map(str.startswith, problems, words))
        assert all(fault.hint for fault in caught.value.faults)


def test_a_coverage_and_a_multiple_decide_the_size(tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=False)
    least = trim(source, tmp_path / "a", None, coverage=0.9)
    rounded = trim(source, tmp_path / "b", None, coverage=0.9, multiple=8)
    assert 0.9 <= least["coverage"] < 0.95 and least["vocabulary"]["wanted"] is None
    assert rounded["vocabulary"]["after"] == -(-least["vocabulary"]["after"] // 8) * 8


def test_a_list_of_words_and_the_frequency_decide_which(tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=False)
    (tmp_path / "words.txt").write_text("medvede\nживут", encoding="utf-8")
    result = trim(source, tmp_path / "a", words=tmp_path / "words.txt")
    old, new = (AutoTokenizer.from_pretrained(path, local_files_only=True) for path in (source, tmp_path / "a"))
    assert new.tokenize("a medvede o живут") == old.tokenize("a medvede o живут") != ["a", "[UNK]", "o", "[UNK]"]
    assert result["kept"]["words"] > 1 and result["vocabulary"]["after"] == 190


def test_the_frequency_decides_which_go_first(tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=False)
    texts = [*LATIN, *("rieku " * count for count in range(30, 40))]  # in 10 texts; other tokens are in more
    least = trim(source, tmp_path / "least", None, texts, coverage=1e-9)["vocabulary"]["after"]
    tables = {}
    for frequency in ("document", "token"):
        trim(
            source,
            tmp_path / frequency,
            least + 1,
            [*texts, *(f"most most {n}" for n in range(20))],
            frequency=frequency,
        )
        tables[frequency] = (tmp_path / frequency / TABLE).read_text(encoding="utf-8")
    assert "\trieku\tcount\t" in tables["token"] and "\trieku\t" not in tables["document"]
    assert "\tmost\tcount\t" in tables["document"] and "\tmost\t" not in tables["token"]


def test_a_vocabulary_larger_than_the_corpus_is_told_of(tmp_path: Path) -> None:
    source, log = teacher("bert", tmp_path / "teacher", weights=False), Log()
    result = trim(source, tmp_path / "out", 400, ctx=log)
    assert result["vocabulary"]["after"] < 400 and result["coverage"] == 1.0
    assert "different tokens" in log.texts() and "instead of 400" in log.texts()


def test_a_model_without_head_stays_without(tmp_path: Path) -> None:
    lm, log = model("bert", wordpiece(), tied=True), Log()
    lm.model.bert.save_pretrained(tmp_path / "teacher")
    lm.tokenizer.save_pretrained(tmp_path / "teacher")
    trim(tmp_path / "teacher", tmp_path / "out", ctx=log)
    assert "no masked-LM head" in log.texts()
    _, info = AutoModelForMaskedLM.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert info["missing_keys"] and all(name.startswith("cls.") for name in info["missing_keys"])


def test_a_script_that_only_the_held_out_texts_are_in_does_not_stop_it(tmp_path: Path) -> None:
    """Characters are counted in all of the corpus, so that the proof on held-out text holds."""
    source = teacher("bert", tmp_path / "teacher", weights=False)
    for line in CYRILLIC[:6]:
        result = trim(source, tmp_path / "a" / line[:4], 400, [*TEXTS, line])
        assert result["unknown"]["after"] == 0 and result["proof"]["spelt"] == result["held_out"]


def test_without_weights_torch_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from core.context import Quiet; from core.recipe import Corpus; from core.trim import trim_folder, wanted\n"
        "corpus, want = Corpus(sources=(sys.argv[1],)), wanted(None, 0.9, 8, 'token')\n"
        "for folder in map(Path, sys.argv[2:]):\n"
        "    trim_folder(folder, corpus, Path(), want, None, folder / 'out', Quiet())\n"
        "assert 'torch' not in sys.modules"
    )
    folders = [teacher(kind, tmp_path / kind, weights=False) for kind in sorted(SIZES)]
    arguments = [sys.executable, "-c", code, *corpus(tmp_path).sources, *map(str, folders)]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    assert done.returncode == 0, done.stderr
    assert all((folder / "out" / REPORT).is_file() for folder in folders)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "xlm-roberta", "modernbert"])
def test_ids_that_a_configuration_leaves_out_are_those_of_the_library(kind: str, tmp_path: Path) -> None:
    """Its defaults move too: they would point at other tokens."""
    from core.trim import _with_ids

    defaults = AutoConfig.for_model(kind).to_dict()
    named = {key: value for key, value in defaults.items() if key.endswith("_token_id") and value is not None}
    assert _with_ids({"model_type": kind}) == {"model_type": kind, **named}
    assert _with_ids({"model_type": kind, "pad_token_id": 7})["pad_token_id"] == 7


def test_a_configuration_without_ids_gets_them(tmp_path: Path) -> None:
    source = teacher("xlm-roberta", tmp_path / "teacher", weights=False)
    path = source / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({key: value for key, value in config.items() if not key.endswith("_token_id")}))
    trim(source, tmp_path / "out", 145)
    loaded = AutoConfig.from_pretrained(tmp_path / "out")
    assert (loaded.bos_token_id, loaded.pad_token_id, loaded.eos_token_id, loaded.vocab_size) == (0, 1, 2, 145)


@pytest.mark.parametrize("weights", [True, False], ids=["weights", "no-weights"])
def test_a_cased_tokenizer_without_its_settings_stays_cased(weights: bool, tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=weights)
    (source / "tokenizer_config.json").unlink()
    trim(source, tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out", local_files_only=True)
    assert tokenizer.tokenize("Most")[0].startswith("M")


# -- what can't be done ----------------------------------------------------------------------------------------------


def _refused(match: str, folder: Path, out: Path, texts: list[str] = TEXTS, size: int = 190) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.parent.rglob("*") if path.name != "texts.txt"}
    with pytest.raises(InputError, match=match):
        trim_folder(folder, corpus(out.parent, texts), Path(), Wanted(size=size), None, out, Quiet())
    assert {path: path.stat().st_mtime_ns for path in out.parent.rglob("*") if path.name != "texts.txt"} == before


def test_bad_input_is_refused(tmp_path: Path) -> None:
    source, out = teacher("bert", tmp_path / "teacher", weights=False), tmp_path / "out"
    _refused("is empty: there is no text in it", source, out, texts=[])
    _refused("only 9 different texts", source, out, texts=[*LATIN[:9], *LATIN[:9], "  ", "8"])
    _refused("too small", source, out, size=20)
    _refused("no config.json", tmp_path, out)
    with pytest.raises(InputError, match="holds no words"):
        (tmp_path / "words.txt").write_text("\n", encoding="utf-8")
        trim(source, out, words=tmp_path / "words.txt")
    for full in (source, source / "config.json"):
        with pytest.raises(InputError, match="not an empty folder"):
            trim(source, full)
    assert not out.exists()
    (source / "pytorch_model.bin").write_bytes(b"")
    _refused("only a pickled checkpoint", source, out)
    (source / "pytorch_model.bin").unlink()
    (source / "tokenizer.json").write_text("{", encoding="utf-8")
    _refused("can't be read", source, out)
    (source / "tokenizer.json").unlink()
    _refused("no tokenizer.json", source, out)


def test_a_tokenizer_of_another_kind_is_refused(tmp_path: Path) -> None:
    from conftest import build

    save(build("bert", tied=True), tmp_path / "teacher")
    _refused("WordLevel tokenizer can't be trimmed", tmp_path / "teacher", tmp_path / "out")


@pytest.mark.parametrize("weights", [True, False], ids=["weights", "no-weights"])
def test_nothing_is_written_where_the_proof_of_the_segmentation_fails(
    weights: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=weights)
    proves = trimming.prove_segmentation

    def wrong(before: Tokenizer, after: Tokenizer, *rest: Any) -> Any:
        broken = Tokenizer.from_str(after.to_str())
        broken.normalizer = normalizers.Lowercase()
        return proves(before, broken, *rest)

    monkeypatch.setattr(trimming, "prove_segmentation", wrong)
    with pytest.raises(RuntimeError, match="changed the segmentation"):
        trim(source, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"teacher", "texts.txt"}


def test_nothing_is_written_where_the_proof_of_the_model_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=True)
    cut = vocabulary.cut_vocabulary

    def wrong(*given: Any, **more: Any) -> Any:
        made = cut(*given, **more)
        with torch.no_grad():
            made.module(made.family.embedding).weight[5:] += 0.01
        return made

    monkeypatch.setattr(vocabulary, "cut_vocabulary", wrong)
    with pytest.raises(RuntimeError, match="changed the hidden states"):
        trim(source, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"teacher", "texts.txt"}


def test_a_tokenizer_longer_than_the_configuration_says_is_refused(tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=False)
    path = source / "config.json"
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"vocab_size": 100}), encoding="utf-8")
    _refused("the model only 100", source, tmp_path / "out")


def test_a_file_in_the_way_of_the_folder_is_refused(tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=False)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="can't be written"):
        trim(source, tmp_path / "file" / "out")


def test_the_working_folder_can_be_the_one_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    trim(source, Path("."))
    assert (tmp_path / "here" / REPORT).is_file()


def test_stopping_leaves_nothing_behind(tmp_path: Path) -> None:
    class Impatient(Quiet):
        def check(self) -> None:
            raise Stopped

    source = teacher("bert", tmp_path / "teacher", weights=False)
    with pytest.raises(Stopped):
        trim(source, tmp_path / "out", 200, ctx=Impatient())
    assert {path.name for path in tmp_path.iterdir()} == {"teacher", "texts.txt"}


def test_old_files_of_the_teacher_do_not_come_along(tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=False)
    path = source / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    special = {str(wordpiece().convert_tokens_to_ids(token)): token for token in ("[PAD]", "[UNK]", "[CLS]", "[MASK]")}
    added = {number: {"content": token, "special": True} for number, token in special.items()}
    path.write_text(json.dumps(settings | {"added_tokens_decoder": added}), encoding="utf-8")
    vocabulary = wordpiece().get_vocab()
    (source / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=lambda token: vocabulary[token])), "utf-8")
    (source / "special_tokens_map.json").write_text(json.dumps({"mask_token": "[MASK]"}), encoding="utf-8")
    trim(source, tmp_path / "out")
    assert not (tmp_path / "out" / "vocab.txt").exists()
    assert "added_tokens_decoder" not in json.loads((tmp_path / "out" / path.name).read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out", local_files_only=True)
    assert len(tokenizer) == 190 and tokenizer.convert_ids_to_tokens(range(5))[1:3] == ["[UNK]", "[CLS]"]


def test_weights_stay_in_the_numbers_that_they_are_stored_in(tmp_path: Path) -> None:
    lm = model("bert", wordpiece(), tied=True)
    lm.model.to(torch.bfloat16)
    save(lm, tmp_path / "teacher")
    trim(tmp_path / "teacher", tmp_path / "out")
    with safe_open(tmp_path / "out" / "model.safetensors", framework="pt") as file:
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"BF16"}  # noqa: SIM118
    assert json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))["dtype"] == "bfloat16"


def test_a_missing_list_of_words_is_told_at_once(tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=False)
    with pytest.raises(InputError, match="no list of words"):
        trim(source, tmp_path / "out", words=tmp_path / "words.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_to_an_empty_folder_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    trim(teacher("bert", tmp_path / "teacher", weights=False), tmp_path / "out")
    assert (tmp_path / "real" / "tokenizer.json").is_file() and (tmp_path / "out").is_symlink()
