"""Pickled weights become safetensors after consent; what isn't a tensor is refused and never run."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from conftest import FAMILY_TYPES, build
from safetensors.torch import load_file

from core import cli
from core.context import Quiet
from core.conversion import convert_folder, read_tensors
from core.errors import InputError
from core.models import LanguageModel, load, save, tensors_of
from core.sources import MODEL_FILES, check_model_folder, only_pickled


def pickled(folder: Path, lm: LanguageModel | None = None, *, shards: int = 1, **how: Any) -> Path:
    """A model folder with pickled weights, as older versions of transformers wrote it."""
    lm = lm or build("bert", tied=True)
    save(lm, folder)
    (folder / "model.safetensors").unlink()
    state = lm.model.state_dict()
    if shards == 1:
        torch.save(state, folder / "pytorch_model.bin", **how)
        return folder
    names = list(state)
    parts = {f"pytorch_model-{i + 1:05d}-of-{shards:05d}.bin": names[i::shards] for i in range(shards)}
    for part, own in parts.items():
        torch.save({name: state[name].clone() for name in own}, folder / part, **how)
    weight_map = {name: part for part, own in parts.items() for name in own}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def refused(what: str, source: Path, out: Path) -> str:
    with pytest.raises(InputError, match=what) as caught:
        convert_folder(source, out, Quiet())
    assert sorted(out.parent.glob("*out*")) == [] and sorted(out.parent.glob(".*")) == []
    return str(caught.value)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", FAMILY_TYPES)
def test_a_converted_model_is_the_same_model(kind: str, tied: bool, tmp_path: Path) -> None:
    lm = build(kind, tied=tied)
    out = tmp_path / "out"
    made = convert_folder(pickled(tmp_path / "old", lm), out, Quiet())
    again, has_head = load(out)
    before, after = tensors_of(lm), tensors_of(again)
    assert has_head and made["has_head"] and before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    stored = load_file(out / "model.safetensors")
    assert made["tensors"] == len(stored) and set(before) <= set(stored)
    assert not set(lm.family.tied) & set(stored) if tied else set(lm.family.tied) & set(stored)
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip


@pytest.mark.parametrize("how", [{"shards": 3}, {"_use_new_zipfile_serialization": False}], ids=["shards", "old form"])
def test_other_forms_of_pickles(how: dict[str, Any], tmp_path: Path) -> None:
    lm = build("bert", tied=True)
    convert_folder(pickled(tmp_path / "old", lm, **how), tmp_path / "out", Quiet())
    assert all(
        torch.equal(tensors_of(lm)[name], value) for name, value in tensors_of(load(tmp_path / "out")[0]).items()
    )


def test_numbers_keep_their_kind(tmp_path: Path) -> None:
    lm = build("bert", tied=True)
    lm.model.to(torch.bfloat16)
    convert_folder(pickled(tmp_path / "old", lm), tmp_path / "out", Quiet())
    assert {value.dtype for value in load_file(tmp_path / "out" / "model.safetensors").values()} == {torch.bfloat16}


class Malicious:
    """What a pickle that runs code looks like."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self._mark),)


def _in_new_form(content: object, path: Path) -> None:
    torch.save(content, path)


def _in_old_form(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def _plain_pickle(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


def _in_tar(content: object, path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = pickle.dumps(content)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize("write", [_in_new_form, _in_old_form, _plain_pickle, _in_tar])
def test_a_pickle_that_runs_code_is_refused_and_runs_none(
    write: Callable[[object, Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "mark"
    source = pickled(tmp_path / "old")
    content = {**torch.load(source / "pytorch_model.bin", weights_only=True), "more": Malicious(mark)}
    write(content, source / "pytorch_model.bin")
    told = refused("more than tensors|can't be read as weights", source, tmp_path / "out")
    assert "mkdir" in told or write in (_plain_pickle, _in_tar)
    assert cli.main(["convert", str(source), "--from-pickle", "--out", str(tmp_path / "out")]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not mark.exists()
    pickle.loads(pickle.dumps(Malicious(mark)))  # it would have
    assert mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        ["a list"],
        torch.zeros(2),
        {"state_dict": {"x": torch.zeros(1)}},
        {"step": 3},
        {1: torch.zeros(1)},
        {"x": torch.zeros(2, 2).to_sparse()},
        {"x": torch.zeros(1, dtype=torch.complex64)},
        {"x": torch.zeros(2, device="meta")},
        collections.Counter("abc"),
    ],
    ids=["list", "tensor", "nested", "number", "no name", "sparse", "complex", "meta", "counter"],
)
def test_what_is_no_plain_tensor_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.bin")
    with pytest.raises(InputError, match=r"x\.bin holds (no tensors by name|more than plain tensors)"):
        read_tensors(tmp_path / "x.bin")


def test_packed_archives_are_refused_before_they_grow(tmp_path: Path) -> None:
    source = pickled(tmp_path / "old")
    weights = source / "pytorch_model.bin"
    with zipfile.ZipFile(weights) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(weights, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        archive.writestr("archive/bomb", bytes(50_000_000))
    assert weights.stat().st_size < 1_000_000
    refused("packed in a way", source, tmp_path / "out")


def test_few_numbers_that_claim_to_be_many_are_refused(tmp_path: Path) -> None:
    source = pickled(tmp_path / "old")
    state = torch.load(source / "pytorch_model.bin", weights_only=True)
    state["bert.pooler.dense.weight"] = torch.zeros(1).expand(1 << 40)  # 4 TB as safetensors would write it
    torch.save(state, source / "pytorch_model.bin")
    refused("larger than their files", source, tmp_path / "out")


@pytest.mark.parametrize("kept", [0, 10, 400, -1])
def test_broken_weights_are_refused(kept: int, tmp_path: Path) -> None:
    source = pickled(tmp_path / "old")
    weights = source / "pytorch_model.bin"
    weights.write_bytes(weights.read_bytes()[:kept])
    refused("can't be read as weights|more than tensors", source, tmp_path / "out")


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    source = pickled(tmp_path / "old")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "hidden_size": 28, "num_hidden_layers": 5}))
    assert f"The weights in {source} " in refused("don't fit|can't be read", source, tmp_path / "out")


@pytest.mark.parametrize("part", ["../other.bin", "/etc/passwd", "model.safetensors", "x/pytorch_model-1.bin", 3, ""])
def test_an_index_names_files_of_its_folder_only(part: object, tmp_path: Path) -> None:
    source = pickled(tmp_path / "old")
    (source / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"x": part}}))
    refused("can't be read|names files that are no weights", source, tmp_path / "out")


def test_an_index_whose_files_lack_is_refused(tmp_path: Path) -> None:
    source = pickled(tmp_path / "old", shards=2)
    (source / "pytorch_model-00002-of-00002.bin").unlink()
    refused("lacks pytorch_model-00002-of-00002.bin", source, tmp_path / "out")


def test_a_link_out_of_the_folder_is_not_copied(tmp_path: Path) -> None:
    source = pickled(tmp_path / "old")
    (tmp_path / "secret").write_text("mine")
    (source / "vocab.txt").symlink_to(tmp_path / "secret")
    refused("a link that leads out of its folder", source, tmp_path / "out")


def test_what_needs_no_conversion_or_has_nothing_to_convert(tmp_path: Path) -> None:
    source = pickled(tmp_path / "old")
    convert_folder(source, tmp_path / "new", Quiet())
    with pytest.raises(InputError, match="safetensors already"):
        convert_folder(tmp_path / "new", tmp_path / "other", Quiet())
    with pytest.raises(InputError, match="is not an empty folder"):
        convert_folder(source, tmp_path / "new", Quiet())
    (source / "pytorch_model.bin").unlink()
    refused(r"holds no pytorch_model\.bin", source, tmp_path / "out")


# -- consent ---------------------------------------------------------------------------------------------------------


def test_a_pickle_is_refused_as_a_teacher_with_the_way_on(tmp_path: Path) -> None:
    source = pickled(tmp_path / "old")
    assert only_pickled(source)
    with pytest.raises(InputError, match=r"only a pickled checkpoint.*monoglot convert MODEL --out FOLDER"):
        check_model_folder(source)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y\n", True), ("YES\n", True), ("\n", False), ("no\n", False), ("", False)]
)
def test_the_terminal_asks(
    answer: str, agreed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", terminal)
    out = tmp_path / "out"
    status = cli.main(["convert", str(pickled(tmp_path / "old")), "--out", str(out), "--json"])
    assert (status, out.exists()) == ((0, True) if agreed else (2, False))
    assert "can carry code" in terminal.getvalue()
    if agreed:
        assert json.loads(capsys.readouterr().out)["folder"] == str(out)
    else:
        assert "--from-pickle" in terminal.getvalue()


def test_where_nobody_can_be_asked_the_flag_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = pickled(tmp_path / "old"), tmp_path / "out"
    assert cli.main(["convert", str(source), "--out", str(out)]) == 2
    assert "Add --from-pickle" in capsys.readouterr().err and not out.exists()
    assert cli.main(["convert", str(source), "--out", str(out), "--from-pickle"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out)


def test_the_hub_is_asked_for_pickles_only_after_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, asked = pickled(tmp_path / "snapshot"), list[tuple[str, ...]]()

    def snapshot_download(name: str, *, allow_patterns: list[str]) -> str:
        asked.append((name, *allow_patterns))
        return str(source)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    command = ["convert", "some/old-model", "--out", str(tmp_path / "out")]
    assert cli.main(command) == 2 and asked == []
    assert cli.main([*command, "--from-pickle"]) == 0
    assert asked[0][0] == "some/old-model" and "pytorch_model*.bin" in asked[0]
    assert not [pattern for pattern in asked[0] if pattern.endswith(".safetensors")]


@pytest.mark.parametrize("name", ["pytorch_model.bin", "tokenizer.py", "modeling_x.py", "chat_template.jinja", "x.pkl"])
def test_nothing_else_of_a_hub_repository_is_fetched(name: str) -> None:
    assert not list(huggingface_hub.utils.filter_repo_objects([name], allow_patterns=list(MODEL_FILES)))
