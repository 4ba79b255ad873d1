"""`monoglot trim`'s work: from a model folder to one of a single language."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_tokenizers import CYRILLIC, LATIN, model, unigram, wordpiece
from transformers import AutoModelForMaskedLM, AutoTokenizer

from core.context import Quiet
from core.errors import InputError, Stopped
from core.events import Event, Message
from core.models import load, save
from core.trim import trim_folder

SIZES = {"bert": 180, "xlm-roberta": 135}


class Log(Quiet):
    """A context that remembers its messages."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def texts(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Message))


def teacher(kind: str, folder: Path, *, weights: bool) -> Path:
    tokenizer = unigram() if kind == "xlm-roberta" else wordpiece()
    save(model(kind, tokenizer, tied=True), folder)
    if not weights:
        (folder / "model.safetensors").unlink()
    return folder


@pytest.mark.parametrize("weights", [True, False], ids=["weights", "no-weights"])
@pytest.mark.parametrize("kind", sorted(SIZES))
def test_a_folder_is_trimmed(kind: str, weights: bool, tmp_path: Path) -> None:
    source, out, log = teacher(kind, tmp_path / "teacher", weights=weights), tmp_path / "new" / "small", Log()
    result = trim_folder(source, iter(LATIN), SIZES[kind], out, log)
    old, new = (AutoTokenizer.from_pretrained(folder, local_files_only=True) for folder in (source, out))
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))

    assert result["vocabulary"] == {"before": len(old), "after": SIZES[kind], "wanted": SIZES[kind]}
    assert len(new) == config["vocab_size"] == SIZES[kind] == sum(result["kept"].values())
    assert result["kept"]["special"] == 5
    assert 0 < result["coverage"] < 1
    held_out = LATIN[9::10]
    words = sum(len(line.split()) for line in held_out)
    tokens = sum(len(old.tokenize(line)) for line in held_out)
    assert result["fertility"]["before"] == tokens / words < result["fertility"]["after"]
    assert result["unknown"] == {"before": 0, "after": 0}
    assert result["weights"] is weights
    dropped = len(old) - SIZES[kind]
    assert result["parameters"]["before"] - result["parameters"]["after"] == dropped * 17  # embedding rows and bias
    assert config["pad_token_id"] == new.pad_token_id
    files = {"config.json", "tokenizer.json", "tokenizer_config.json"}
    assert {path.name for path in out.iterdir()} == files | ({"model.safetensors"} if weights else set())
    assert [path.name for path in out.parent.iterdir()] == ["small"]
    assert log.events == []


def test_weights_go_with_their_tokens(tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=True)
    result = trim_folder(source, LATIN, 180, tmp_path / "out", Quiet())
    before, after = load(source)[0], load(tmp_path / "out")[0]
    token = after.tokenizer.convert_tokens_to_ids("a")
    old = before.tokenizer.convert_tokens_to_ids("a")
    assert torch.equal(after.decoder[0][token], before.decoder[0][old])
    assert result["parameters"]["after"] == sum(parameter.numel() for parameter in after.model.parameters())


def test_trimming_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    source = teacher("xlm-roberta", tmp_path / "teacher", weights=True)
    (tmp_path / "b").mkdir()  # empty is as good as absent
    results = [trim_folder(source, LATIN, 135, tmp_path / name, Quiet()) for name in ("a", "b")]
    assert results[0] == results[1]
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_a_vocabulary_larger_than_the_corpus_is_told_of(tmp_path: Path) -> None:
    source, log = teacher("bert", tmp_path / "teacher", weights=False), Log()
    result = trim_folder(source, LATIN, 400, tmp_path / "out", log)
    assert result["vocabulary"]["after"] < 400 and result["coverage"] == 1.0
    assert "different tokens" in log.texts() and "instead of 400" in log.texts()


def test_a_model_without_head_stays_without(tmp_path: Path) -> None:
    lm, log = model("bert", wordpiece(), tied=True), Log()
    lm.model.bert.save_pretrained(tmp_path / "teacher")
    lm.tokenizer.save_pretrained(tmp_path / "teacher")
    trim_folder(tmp_path / "teacher", LATIN, 180, tmp_path / "out", log)
    assert "no masked-LM head" in log.texts()
    _, info = AutoModelForMaskedLM.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert info["missing_keys"] and all(name.startswith("cls.") for name in info["missing_keys"])


def test_few_texts_are_measured_on_themselves(tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=False)
    result = trim_folder(source, LATIN[:5], 1000, tmp_path / "out", Quiet())
    assert result["fertility"]["before"] == result["fertility"]["after"] > 1


def test_a_script_that_only_nine_tenths_reach_does_not_stop_it(tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=False)
    texts = ["a" * 20] * 8 + ["a" * 38 + " яя", "b" * 90]
    alphabet = trim_folder(source, texts, 400, tmp_path / "a", Quiet())["kept"]["alphabet"]
    result = trim_folder(source, texts, 5 + alphabet, tmp_path / "b", Quiet())
    assert result["kept"] == {"special": 5, "alphabet": alphabet, "frequency": 0}


@pytest.mark.parametrize("kind", sorted(SIZES))
def test_without_weights_torch_is_not_imported(kind: str, tmp_path: Path) -> None:
    source = teacher(kind, tmp_path / "teacher", weights=False)
    code = (
        "import sys; from pathlib import Path; from core.trim import trim_folder; from core.context import Quiet\n"
        "lines = sys.argv[1].split('|')\n"
        "trim_folder(Path(sys.argv[2]), lines, 180, Path(sys.argv[3]), Quiet())\n"
        "assert 'torch' not in sys.modules"
    )
    arguments = [sys.executable, "-c", code, "|".join(LATIN), str(source), str(tmp_path / "out")]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("weights", [True, False], ids=["weights", "no-weights"])
def test_a_cased_tokenizer_without_its_settings_stays_cased(weights: bool, tmp_path: Path) -> None:
    source = teacher("bert", tmp_path / "teacher", weights=weights)
    (source / "tokenizer_config.json").unlink()
    trim_folder(source, LATIN, 180, tmp_path / "out", Quiet())
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out", local_files_only=True)
    assert tokenizer.tokenize("Most")[0].startswith("M")


def _refused(match: str, folder: Path, out: Path, texts: list[str] = LATIN, size: int = 180) -> None:
    with pytest.raises(InputError, match=match):
        trim_folder(folder, texts, size, out, Quiet())
    assert not any(path.name.startswith(".") for path in out.parent.iterdir())


def test_bad_input_is_refused(tmp_path: Path) -> None:
    source, out = teacher("bert", tmp_path / "teacher", weights=False), tmp_path / "out"
    _refused("holds no text", source, out, texts=[])
    _refused("holds no text", source, out, texts=["", "  "])
    _refused("too small", source, out, size=20)
    _refused("not an empty folder", source, source)
    _refused("not an empty folder", source, source / "config.json")
    _refused("no config.json", tmp_path, out)
    assert not out.exists()
    (source / "pytorch_model.bin").write_bytes(b"")
    _refused("only a pickled checkpoint", source, out)
    (source / "pytorch_model.bin").unlink()
    (source / "tokenizer.json").write_text("{", encoding="utf-8")
    _refused("can't be read", source, out)
    (source / "tokenizer.json").unlink()
    _refused("no tokenizer.json", source, out)


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
        trim_folder(source, LATIN, 180, tmp_path / "file" / "out", Quiet())


def test_stopping_leaves_nothing_behind(tmp_path: Path) -> None:
    class Impatient(Quiet):
        def check(self) -> None:
            raise Stopped

    source = teacher("bert", tmp_path / "teacher", weights=False)
    with pytest.raises(Stopped):
        trim_folder(source, LATIN + CYRILLIC, 200, tmp_path / "out", Impatient())
    assert [path.name for path in tmp_path.iterdir()] == ["teacher"]


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
    trim_folder(source, LATIN, 180, tmp_path / "out", Quiet())
    assert not (tmp_path / "out" / "vocab.txt").exists()
    assert "added_tokens_decoder" not in json.loads((tmp_path / "out" / path.name).read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out", local_files_only=True)
    assert len(tokenizer) == 180 and tokenizer.convert_ids_to_tokens(range(5))[1:3] == ["[UNK]", "[CLS]"]
