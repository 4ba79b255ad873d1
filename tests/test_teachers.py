from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from core.teachers import known_teacher, known_teachers, on_this_machine

NAME = "FacebookAI/xlm-roberta-base"


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model in a hub cache of its own, with its configuration."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--FacebookAI--xlm-roberta-base"
    folder = repository / "snapshots" / "0123abc"
    folder.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abc")
    (folder / "config.json").write_text("{}")
    return folder


def test_a_model_is_here_with_configuration_and_weights(snapshot: Path) -> None:
    assert not on_this_machine(NAME)
    (snapshot / "model.safetensors").write_bytes(b"")
    assert on_this_machine(NAME)
    assert not on_this_machine("xlm-roberta-base")
    (snapshot / "config.json").unlink()
    assert not on_this_machine(NAME)


def test_weights_in_parts_are_here_when_all_parts_are(snapshot: Path) -> None:
    parts = {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    (snapshot / "model-1.safetensors").write_bytes(b"")
    assert not on_this_machine(NAME)
    (snapshot / "model-2.safetensors").write_bytes(b"")
    assert on_this_machine(NAME)


@pytest.mark.parametrize("index", ["", "{}", "[]", '{"weight_map": []}'])
def test_a_broken_index_is_no_weights(snapshot: Path, index: str) -> None:
    (snapshot / "model.safetensors.index.json").write_text(index)
    assert not on_this_machine(NAME)


def test_pickled_weights_and_other_versions_do_not_count(snapshot: Path) -> None:
    (snapshot / "pytorch_model.bin").write_bytes(b"")
    other = snapshot.parent / "4567def"
    other.mkdir()
    (other / "model.safetensors").write_bytes(b"")
    assert not on_this_machine(NAME)


@pytest.mark.parametrize("name", ["", "sample", "./teacher", "/", "a/b/c", "..", "no\0name"])
def test_what_is_no_name_of_the_hub_is_not_in_its_cache(snapshot: Path, name: str) -> None:
    assert not on_this_machine(name)


def test_the_look_is_cheap_and_heeds_the_environment(snapshot: Path) -> None:
    (snapshot / "model.safetensors").write_bytes(b"")
    code = (
        f"import sys; from core.teachers import on_this_machine; print(on_this_machine({NAME!r}), "
        "*(name for name in ('torch', 'transformers', 'huggingface_hub.file_download') if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"HF_HUB_CACHE": constants.HF_HUB_CACHE, "PATH": "", "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.stdout.split() == ["True"]


def test_what_a_download_takes() -> None:
    sizes = {teacher.names[0]: teacher.download_megabytes for teacher in known_teachers()}
    assert sizes["xlm-roberta-base"] == 1113.180744
    assert sizes["bert-base-multilingual-cased"] == 177_974_523 * 4 / 1e6
    large = known_teacher("FacebookAI/xlm-roberta-large")
    assert large is not None
    assert large.download_megabytes == pytest.approx(2240.6, abs=0.1)
