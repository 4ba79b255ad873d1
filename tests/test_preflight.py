from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from core.errors import InputError
from core.preflight import check, recipe_faults, teacher_here
from core.recipe import parse
from resources import sample

GOOD = """
[teacher]
model = "sample"
[language]
code = "mlt"
[corpus]
sources = ["sample"]
[targets]
layers = 2
[[tasks]]
kind = "topic"
source = "sample"
"""


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's, and no way to the hub."""
    cache = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return cache


def keys(text: str, base: Path) -> list[str]:
    return [fault.key for fault in recipe_faults(text, base)]


def cached(hub: Path, name: str, *files: str) -> None:
    """Put files of the sample's teacher where those of a hub model would be."""
    folder = hub / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    for file in files:
        shutil.copyfile(sample.teacher_folder() / file, snapshot / file)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("1")


def test_a_recipe_that_may_run_has_no_faults(tmp_path: Path) -> None:
    assert recipe_faults(GOOD, tmp_path) == ()


def test_a_recipe_that_is_none_has_only_that_fault(tmp_path: Path) -> None:
    assert keys(GOOD.replace("layers = 2", "layers = 2.5").replace('"mlt"', '"xx"'), tmp_path) == ["targets.layers"]


def test_every_fault_says_which_key_it_is_about(tmp_path: Path) -> None:
    text = GOOD.replace('"mlt"', '"xyzzy"').replace("layers = 2", "layers = 9\nhidden_size = 127")
    text = text.replace('sources = ["sample"]', 'sources = ["a.txt", "sample", "hub:"]')
    text += '[[tasks]]\nkind = "pos"\nname = "tags"\nsource = "nowhere"\n'
    text += '[[tasks]]\nkind = "ner"\nsource = "hub:a:b:c"\n'
    wanted = ["language.code", "corpus.sources", "corpus.sources", "tasks.topic.source", "tasks.tags.source"]
    wanted += ["tasks.ner.source", "targets.layers", "targets.hidden_size"]
    assert keys(text, tmp_path) == wanted
    with pytest.raises(InputError) as caught:
        check(parse(text), tmp_path)
    assert caught.value.faults == recipe_faults(text, tmp_path)


@pytest.mark.parametrize("model", ["./nowhere", "a b", "broken"])
def test_a_teacher_that_cannot_be_is_told(model: str, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    assert keys(GOOD.replace('model = "sample"', f'model = "{model}"'), tmp_path) == ["teacher.model"]


def test_known_sizes_are_checked_without_the_hub(hub: Path, tmp_path: Path) -> None:
    text = GOOD.replace("layers = 2", "layers = 13")
    assert keys(text.replace('model = "sample"', 'model = "xlm-roberta-base"'), tmp_path) == ["targets.layers"]
    text = text.replace('model = "sample"', 'model = "some/model"')
    assert keys(text, tmp_path) == []
    cached(hub, "some/model", "config.json")
    assert keys(text, tmp_path) == ["targets.layers"]


def test_a_teacher_without_a_head_is_about_adapting(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    bare = tmp_path / "bare"
    shutil.copytree(sample.teacher_folder(), bare)
    weights = load_file(bare / "model.safetensors")
    encoder = {name: tensor for name, tensor in weights.items() if not name.startswith("cls.")}
    save_file(encoder, bare / "model.safetensors", {"format": "pt"})
    text = GOOD.replace('model = "sample"', 'model = "bare"')
    assert keys(text, tmp_path) == ["teacher.adapt_steps"]
    assert keys(text.replace('"bare"', '"bare"\nadapt_steps = 5'), tmp_path) == []


def test_a_list_of_words_that_is_not_there_is_told(tmp_path: Path) -> None:
    text = f'{GOOD}[method]\nvocabulary_words = "words.txt"\n'
    assert keys(text, tmp_path) == ["method.vocabulary_words"]
    (tmp_path / "words.txt").mkdir()
    assert keys(text, tmp_path) == ["method.vocabulary_words"]
    (tmp_path / "words.txt").rmdir()
    (tmp_path / "words.txt").write_text("kelb")
    assert keys(text, tmp_path) == []
    assert keys(text.replace("words.txt", str(tmp_path / "words.txt")), tmp_path / "elsewhere") == []


def test_a_size_or_a_coverage_of_the_vocabulary_may_run_but_not_both(tmp_path: Path) -> None:
    text = GOOD.replace("layers = 2", "layers = 2\nvocabulary_multiple = 8\nvocabulary_coverage = 0.999")
    assert keys(text, tmp_path) == []
    assert keys(text.replace("layers = 2", "layers = 2\nvocabulary_size = 2000"), tmp_path) == [
        "targets.vocabulary_coverage"
    ]


def test_what_is_known_of_a_teacher_here(hub: Path, tmp_path: Path) -> None:
    known = teacher_here("xlm-roberta-base", tmp_path)
    assert known is not None and (known.has_head, known.on_this_machine) == (True, False)
    assert known.sizes.vocabulary == 250_002
    assert teacher_here("some/model", tmp_path) is None
    cached(hub, "some/model", "config.json")
    half = teacher_here("some/model", tmp_path)
    assert half is not None and (half.has_head, half.on_this_machine) == (None, False)
    cached(hub, "other/model", "config.json", "model.safetensors")
    whole = teacher_here("other/model", tmp_path)
    assert whole is not None and (whole.has_head, whole.on_this_machine) == (True, True)
    assert whole == teacher_here("sample", tmp_path)
