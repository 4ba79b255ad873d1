from __future__ import annotations

import shutil
from pathlib import Path
from typing import cast

import pytest
from pytestqt.qtbot import QtBot

from core.analysis.preview import preview
from core.context import Context
from core.corpus.reading import files_of
from core.errors import Fault
from core.recipe import parse
from gui.draft import Draft
from gui.settings import SettingsFile
from resources import sample

XLM_R = "xlm-roberta-base"


@pytest.fixture
def file(tmp_path: Path) -> SettingsFile:
    return SettingsFile(tmp_path / "settings.json")


@pytest.fixture
def draft(qapp: object, file: SettingsFile) -> Draft:
    return Draft(file)


def test_only_what_is_set_is_written_and_read_back(draft: Draft, tmp_path: Path) -> None:
    draft.set("language.code", "swh")
    draft.set("corpus.sources", ('a "b".txt', "hub:x/y"))
    draft.set("schedule.learning_rate", 1e-4)
    draft.add_tasks({"kind": "ner", "source": "n"}, {"kind": "ner", "source": "m"})
    text = draft.to_toml()
    other = Draft()
    assert other.load_text(text, tmp_path) == ()
    assert other.to_toml() == text
    assert other.value("corpus.sources") == ['a "b".txt', "hub:x/y"]
    assert [task.get("name") for task in other.tasks] == [None, "ner-2"]
    assert "distil_steps" not in text and "[targets]" not in text


def test_a_complete_draft_is_a_recipe(draft: Draft) -> None:
    assert draft.recipe() is None and draft.missing == ("teacher.model", "language.code", "corpus.sources")
    draft.choose_teacher(XLM_R)
    draft.set("language.code", "swh")
    draft.set("corpus.sources", ["a.txt"])
    draft.set("method.preset", "paper")
    recipe = draft.recipe()
    assert recipe == parse(draft.to_toml()) and recipe is not None
    assert (recipe.method.hidden_reduction, recipe.method.vocabulary_order) == ("truncate", "last")
    decided = draft.decided("schedule.learning_rate")
    assert draft.default("schedule.learning_rate") == "auto" and decided is not None and decided.value == 5e-5
    assert draft.missing == () and draft.faults == ()


def test_what_is_left_open_is_known_as_soon_as_the_teacher_is(draft: Draft) -> None:
    assert draft.decided("method.kd_loss") is None
    draft.choose_teacher(XLM_R)
    ours = draft.decided("method.kd_loss")
    draft.set("method.preset", "paper")
    papers = draft.decided("method.kd_loss")
    assert ours is not None and papers is not None and (ours.value, papers.value) == ("kl", "mse")
    assert ours.reason != papers.reason
    assert draft.decided("seed") is None
    draft.set("method.rounds", 99)
    assert draft.decided("method.kd_loss") is None, "nothing follows from what is no recipe"


def test_changes_of_one_key_are_undone_as_one(draft: Draft) -> None:
    draft.choose_teacher(XLM_R)
    suggested = draft.to_toml()
    for layers in (5, 4, 3):
        draft.set("targets.layers", layers)
    draft.set("targets.hidden_size", 320)
    draft.undo()
    assert draft.value("targets.layers") == 3
    draft.undo()
    assert draft.to_toml() == suggested
    draft.redo()
    draft.redo()
    assert (draft.value("targets.layers"), draft.value("targets.hidden_size")) == (3, 320)
    assert not draft.can_redo
    draft.seal()
    draft.set("targets.hidden_size", 320)
    draft.undo()
    assert draft.value("targets.hidden_size") == 384
    draft.set("seed", 1)
    assert not draft.can_redo
    while draft.can_undo:
        draft.undo()
    assert draft.is_empty


def test_setting_what_is_set_already_is_no_change(draft: Draft) -> None:
    draft.set("corpus.sources", ["a"])
    draft.set("corpus.sources", ("a",))
    draft.set("seed", None)
    draft.undo()
    assert not draft.can_undo


def test_nothing_given_out_can_change_the_draft(draft: Draft) -> None:
    draft.set("corpus.sources", ["a"])
    draft.value("corpus.sources").append("b")
    draft.add_tasks({"kind": "pos", "source": "p"})
    draft.tasks[0]["kind"] = "ner"
    assert draft.value("corpus.sources") == ["a"] and draft.tasks[0]["kind"] == "pos"


def test_a_teacher_brings_targets_that_suit_it(draft: Draft, qtbot: QtBot) -> None:
    draft.choose_teacher(XLM_R)
    assert (
        draft.is_suggested and draft.value("targets.layers") == 6 and draft.value("targets.vocabulary_size") == 40_000
    )
    draft.choose_teacher("sample")
    draft.set("language.code", "mlt")  # before the sizes are there
    qtbot.waitUntil(lambda: draft.sizes is not None)
    assert draft.is_suggested and draft.value("targets.layers") == 2 and draft.faults == ()
    draft.set("targets.layers", 3)
    draft.choose_teacher(XLM_R)  # what was chosen by hand and fits stays
    assert draft.value("targets.layers") == 3 and draft.value("targets.hidden_size") == 64
    draft.choose_teacher("bert-base-multilingual-cased")
    draft.set("targets.layers", 11)
    draft.choose_teacher("distilbert-base-multilingual-cased")  # 6 layers
    assert draft.is_suggested and draft.estimate is not None


def test_the_estimate_is_the_cores(draft: Draft, tmp_path: Path) -> None:
    draft.choose_teacher(XLM_R)
    draft.set("language.code", "swh")
    draft.set("corpus.sources", ["a"])
    for key, size in {"layers": 6, "intermediate_size": 2048, "hidden_size": 312, "vocabulary_size": 40_000}.items():
        draft.set(f"targets.{key}", size)
        expected = preview(parse(draft.to_toml()), tmp_path, cast(Context, None))
        assert draft.estimate == expected
    assert draft.estimate.student.parameters == 22_812_688


def test_impossible_targets_are_faults_of_their_keys(draft: Draft) -> None:
    draft.choose_teacher(XLM_R)
    draft.set("targets.hidden_size", 313)
    draft.set("targets.layers", 13)
    assert draft.estimate is None
    assert {fault.key for fault in draft.faults} == {"targets.hidden_size", "targets.layers"}


def test_a_folder_that_is_no_model_is_a_fault_of_the_teacher(draft: Draft, qtbot: QtBot, tmp_path: Path) -> None:
    draft.choose_teacher(str(tmp_path))
    qtbot.waitUntil(lambda: bool(draft.teacher_faults))
    assert [fault.key for fault in draft.faults] == ["teacher.model"] and draft.sizes is None


def test_a_late_answer_about_a_former_teacher_is_let_go(draft: Draft, qtbot: QtBot) -> None:
    draft.choose_teacher("sample")
    draft.choose_teacher(XLM_R)
    qtbot.wait(100)
    assert draft.sizes is not None and draft.sizes.layers == 12


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("[teacher]\nmodell = 'x'\n[targets]\nlayers = 'a'", {"teacher.modell", "targets.layers"}),
        ("[[tasks]]\nkind = 'ner'", {"tasks[0].source"}),
        ("this is no TOML", {""}),
        ("teacher = 3", {"teacher"}),
    ],
)
def test_a_broken_recipe_tells_every_fault_and_changes_nothing(
    draft: Draft, tmp_path: Path, text: str, keys: set[str]
) -> None:
    draft.set("seed", 7)
    before = draft.to_toml()
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    faults = draft.load(path)
    assert {fault.key for fault in faults} == keys and all(fault.hint for fault in faults)
    assert draft.to_toml() == before


def test_no_such_recipe(draft: Draft, tmp_path: Path) -> None:
    assert isinstance(draft.load(tmp_path / "none.toml")[0], Fault)


def test_the_samples_recipe_opens_and_can_be_undone(draft: Draft) -> None:
    draft.set("seed", 3)
    path = Path(sample.__file__).parent / "recipe.toml"
    assert draft.load(path) == ()
    assert draft.base == path.parent
    assert draft.recipe() == parse(path.read_text(encoding="utf-8"))
    draft.undo()
    assert draft.value("seed") == 3 and draft.value("teacher.model") is None


def test_a_recipe_saved_elsewhere_means_the_same_files(draft: Draft, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    draft.load_text(
        "[teacher]\nmodel = 'xlm-roberta-base'\n[language]\ncode = 'swh'\n"
        "[corpus]\nsources = ['a.txt', 'hub:x', 'sample']\n[[tasks]]\nkind = 'ner'\nsource = 'n'",
        here,
    )
    draft.save(here / "r.toml")
    assert parse((here / "r.toml").read_text(encoding="utf-8")).corpus.sources[0] == "a.txt"
    draft.save(there / "r.toml")
    saved = parse((there / "r.toml").read_text(encoding="utf-8"))
    assert saved.corpus.sources == (str(here / "a.txt"), "hub:x", "sample")
    assert saved.tasks[0].source == str(here / "n") and saved.teacher.model == XLM_R
    assert draft.base == there


def test_a_recipe_saved_out_of_a_folder_with_brackets_means_the_same_files(draft: Draft, tmp_path: Path) -> None:
    (tmp_path / "[old]").mkdir()
    (tmp_path / "[old]" / "a.txt").write_text("one")
    text = "[teacher]\nmodel = 'sample'\n[language]\ncode = 'swh'\n[corpus]\nsources = ['*.txt']\n"
    assert not draft.load_text(text, tmp_path / "[old]")
    draft.save(tmp_path / "r.toml")
    (source,) = parse((tmp_path / "r.toml").read_text(encoding="utf-8")).corpus.sources
    assert files_of(source, tmp_path) == [tmp_path / "[old]" / "a.txt"]


def test_it_is_kept_and_taken_up_again(draft: Draft, file: SettingsFile, qtbot: QtBot, tmp_path: Path) -> None:
    draft.load_text("[teacher]\nmodel = 'sample'", tmp_path)
    draft.set("targets.layers", 1)
    assert file.value.draft == ""  # not at every step
    qtbot.waitUntil(lambda: bool(file.value.draft), timeout=2000)
    again = Draft(SettingsFile(file.path))
    assert again.to_toml() == draft.to_toml() and again.base == tmp_path and not again.can_undo
    qtbot.waitUntil(lambda: again.estimate is not None)
    assert again.value("targets.layers") == 1 and again.value("targets.hidden_size") is None
    again.clear()
    again.keep()
    assert Draft(SettingsFile(file.path)).is_empty


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("[nothing]\nof = 'this'", {}),
        ("no TOML", {}),
        ("teacher = 3\ntasks = 'x'\nseed = true", {}),
        (
            "seed = 4\n[targets]\nlayers = '6'\nhidden_size = 96\n[method]\npreset = 'other'\n"
            "[corpus]\nsources = ['a', 1]\n[[tasks]]\nkind = 'ner'\n[[tasks]]\nkind = 'pos'\nsource = 'p'",
            {"seed": 4, "targets": {"hidden_size": 96}, "tasks": [{"kind": "pos", "source": "p"}]},
        ),
    ],
)
def test_what_cant_be_taken_up_is_set_aside(
    file: SettingsFile, qapp: object, text: str, taken: dict[str, object]
) -> None:
    file.change(draft=text, draft_base="/")
    aside = file.path.with_name("draft.broken.toml")
    draft = Draft(SettingsFile(file.path))
    assert draft._state.content == taken and str(aside) in draft.left_out[0].hint
    assert aside.read_text(encoding="utf-8") == text
    again = Draft(SettingsFile(file.path))
    assert again.to_toml() == draft.to_toml() and again.left_out == ()
    assert len(list(file.path.parent.glob("draft*"))) == 1
    file.change(draft=text)
    Draft(SettingsFile(file.path))
    assert len(list(file.path.parent.glob("draft*"))) == 2


def test_a_draft_with_faults_is_taken_up_and_can_be_mended(draft: Draft, file: SettingsFile) -> None:
    draft.choose_teacher(XLM_R)
    draft.add_tasks({"kind": "ner", "source": "a"}, {"kind": "ner", "source": "b"})
    draft.set_task(1, "name", "ner")
    draft.keep()
    again = Draft(SettingsFile(file.path))
    assert again.to_toml() == draft.to_toml() and again.left_out == ()
    assert [fault.key for fault in again.faults] == ["tasks[1].name"]
    again.set("method.preset", "paper")  # which looks at the method alone
    again.set_task(1, "name", None)
    again.set_task(1, "kind", "pos")
    assert again.faults == () and again.value("targets.hidden_size") == 456


def test_only_a_changed_draft_is_kept(file: SettingsFile, qapp: object) -> None:
    first, second = Draft(SettingsFile(file.path)), Draft(SettingsFile(file.path))
    second.set("seed", 5)
    second.keep()
    first.keep()
    assert SettingsFile(file.path).value.draft == "seed = 5\n"
    first.set("seed", 6)
    first.keep()
    second.keep()
    assert SettingsFile(file.path).value.draft == "seed = 6\n"


def test_a_teacher_mended_on_disk_is_looked_at_again(draft: Draft, qtbot: QtBot, tmp_path: Path) -> None:
    draft.choose_teacher(str(tmp_path / "model"))
    qtbot.waitUntil(lambda: bool(draft.teacher_faults))
    shutil.copytree(sample.teacher_folder(), tmp_path / "model")
    draft.look_again()
    qtbot.waitUntil(lambda: draft.sizes is not None)
    assert draft.faults == ()


def test_another_method_keeps_the_width_possible(draft: Draft) -> None:
    draft.choose_teacher(XLM_R)
    assert draft.value("targets.hidden_size") == 384  # six whole heads
    draft.set("method.preset", "paper")  # which keeps twelve
    assert draft.value("targets.hidden_size") == 456 and draft.is_suggested and draft.estimate is not None
    draft.undo()
    draft.set("targets.layers", 5)
    draft.set("targets.hidden_size", 448)  # seven
    draft.set("method.hidden_reduction", "svd")
    assert draft.value("targets.hidden_size") == 444 and draft.value("targets.layers") == 5
    draft.undo()
    assert draft.value("targets.hidden_size") == 448


def test_the_students_cost_is_a_line_over_its_vocabulary(draft: Draft) -> None:
    assert draft.cost is None
    draft.choose_teacher(XLM_R)
    for targets in ({"layers": 6}, {"hidden_size": 384}, {"hidden_size": None, "vocabulary_multiple": 8}):
        for key, value in targets.items():
            draft.set(f"targets.{key}", value)
        fixed, each = draft.cost
        for size in (104, 6000, 250_002):
            draft.set("targets.vocabulary_size", size)
            assert fixed + each * draft.estimate.student.sizes.vocabulary == pytest.approx(
                draft.estimate.student.megabytes
            )
    draft.set("targets.attention_heads", 5)
    assert draft.estimate is None and draft.cost is None


def test_a_size_and_a_coverage_are_never_set_together(draft: Draft) -> None:
    draft.choose_teacher(XLM_R)
    draft.set("targets.vocabulary_coverage", 0.99)
    assert draft.value("targets.vocabulary_size") is None and draft.faults == () and draft.is_at_most
    assert draft.estimate.student.sizes.vocabulary == 250_002
    draft.know_covering(7000)
    assert draft.estimate.student.sizes.vocabulary == draft.covering == 7000 and not draft.is_at_most
    draft.set("targets.layers", 3)
    assert draft.covering == 7000
    draft.set("targets.vocabulary_size", 5000)
    assert draft.value("targets.vocabulary_coverage") is None and draft.covering is None
    draft.undo()
    assert draft.value("targets.vocabulary_size") is None and draft.covering == 7000
    draft.use_suggestion()
    assert draft.value("targets.vocabulary_coverage") is None and draft.is_suggested


def test_a_list_of_words_means_the_same_file_elsewhere(draft: Draft, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert draft.load_text('[method]\nvocabulary_words = "words.txt"', tmp_path) == ()
    draft.save(tmp_path / "there" / "recipe.toml")
    assert draft.value("method.vocabulary_words") == str(tmp_path / "words.txt")
