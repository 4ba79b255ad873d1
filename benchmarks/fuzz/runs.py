"""Readers of a run's folder, which may be a stranger's, and of what Monoglot keeps for itself."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzz.damage import damaged
from benchmarks.fuzz.odd import contents, json_files, to_json, to_toml
from benchmarks.fuzz.reader import Reader
from core.analysis.compare import compare
from core.analysis.duration import Calibration, Speed
from core.analysis.lessons import Profile
from core.errors import InputError
from core.export.comparison_page import write_comparison
from core.export.comparison_text import comparison_text
from core.export.report import write_report
from core.known_speed import _calibration, _read
from core.pretraining import FOLDER_FILE, pretraining_volume
from core.recipe import parse
from core.recipe_text import to_toml as recipe_to_toml
from core.run import RunFolder
from core.sealing import MANIFEST, sealed, settle

_RECIPE: dict[str, Any] = {
    "name": "x",
    "teacher": {"model": "xlm-roberta-base"},
    "language": {"code": "slk"},
    "corpus": {"sources": ["hub:a/b"]},
    "tasks": [{"kind": "ner", "name": "names", "source": "data"}, {"kind": "pos", "source": "sample"}],
}
_SCORE = {"mean": 80.0, "sd": 0.5, "runs": [79.5, 80.5], "interval": [78.0, 82.0]}
_TASK = {
    **{"metric": "f1", "teacher": _SCORE, "student": _SCORE, "drop": 1.5, "folds": None},
    "paired": {"interval": [0.1, 2.0], "p": 0.01, "distinguishable": True, "examples": 100, "seeds": [0.2, 1.0]},
    "leaks": {"test_in_train": 3, "examples": ["a b"]},
}
_MODEL = {"parameters": 1000, "megabytes": 0.1, "mlm_loss": 2.5, "mlm_accuracy": 55.5, "pseudo_perplexity": 9.0}
_RESULTS: dict[str, Any] = {
    "teacher": _MODEL,
    "student": {**_MODEL, "compression": 0.5},
    "stages": [{"name": "layers", "parameters": 900, "validation_loss": 2.0, "seconds": 3.0}],
    "tasks": {"names": {"kind": "ner", **_TASK}, "pos": {"kind": "pos", **_TASK}},
    "throughput": {"real_tokens_per_second": 100.0, "peak_memory_megabytes": 500.0, "stages": {"layers": 100.0}},
}
_DETAILS: dict[str, Any] = {
    "names": {
        "labels": {"PER": {side: {"f1": 50.0, "precision": 40.0, "recall": 60.0} for side in ("teacher", "student")}},
        "confusion": {"labels": ["O", "PER"], "student": [[5, 1], [2, 3]]},
        "worst": [{"text": "a b", "gold": ["PER"], "teacher": "PER", "student": []}],
    }
}
_DETAILS["names"]["labels"]["PER"]["support"] = 5
_BESIDE: dict[str, Any] = {
    "status.json": {"state": "stopped", "pid": 1, "stage": "hidden", "done": 4, "total": 10, "eta_seconds": 5.0,
                    "error": "x", "hint": "y"},
    "origin.json": {"corpus": {"kept": 5, "read": 9, "dropped": {"empty": 1}, "scripts": ["Latin"]},
                    "tasks": {"names": {"train": 5, "validation": 1, "test": 2}}},
    "estimate.json": {key: {"low": 1.0, "mid": 2.0, "high": 3.0} for key in ("stages", "memory_megabytes")},
    "stages/01-layers/report.json": {"made_with": {"versions": {"torch": "2"}, "machine": "x", "ended": "now"},
                                     "mark": {"events_length": 10, "seconds": 1.0}},
    "stages/02-evaluate/tasks.json": _DETAILS,
}  # fmt: skip
_EVENTS: tuple[dict[str, Any], ...] = (
    {"t": 0.1, "type": "stage", "name": "layers", "state": "started"},
    {"t": 0.2, "type": "size", "stage": "teacher", "parameters": 10, "megabytes": 0.1, "parts": {"head": 10}},
    {"t": 0.3, "type": "progress", "stage": "layers", "done": 1, "total": 5, "eta_seconds": 2.0},
    *({"t": 0.4, "type": "loss", "stage": "layers", "step": step, "tokens": 9 * step, "mlm": 2.5, "kd": None,
       "total": 2.5, "split": split, "hidden": 0.5} for step in (1, 2) for split in ("train", "validation")),
    *({"t": 0.5, "type": "score", "stage": "layers", "step": 2, "task": "names", "metric": "f1", "value": 50.0,
       "split": "validation", "seed": None, "who": who, "how": how} for who in ("teacher", "student")
       for how in ("probe", "final")),
    {"t": 0.6, "type": "message", "level": "warning", "text": "x"},
    {"t": 0.7, "type": "done", "state": "finished"},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunCase:
    """A finished run of which a file is another."""

    name: str
    data: bytes


def _runs() -> st.SearchStrategy[RunCase]:
    files = {"results.json": json_files(_RESULTS), "recipe.toml": _recipes(), "events.jsonl": _logs()}
    files |= {name: json_files(content) for name, content in _BESIDE.items()}
    return st.sampled_from(sorted(files)).flatmap(lambda name: files[name].map(lambda data: RunCase(name, data)))


def _recipes() -> st.SearchStrategy[bytes]:
    whole = contents(_RECIPE).map(lambda content: to_toml(content).encode(errors="replace"))
    return st.one_of(whole, damaged(st.just(to_toml(_RECIPE).encode())))


def _logs() -> st.SearchStrategy[bytes]:
    odd = st.lists(st.one_of(*(contents(event) for event in _EVENTS)).map(to_json), min_size=1, max_size=4)
    log = b"".join(to_json(event) + b"\n" for event in _EVENTS)
    return st.one_of(odd.map(lambda lines: log + b"\n".join(lines) + b"\n" + log), damaged(st.just(log)))


def _laid_out(case: RunCase, path: Path) -> RunFolder:
    folder = RunFolder(path)
    files = {name: to_json(content) for name, content in _BESIDE.items()}
    files["results.json"] = to_json(_RESULTS)
    files["recipe.toml"] = files["recipe.original.toml"] = recipe_to_toml(parse(to_toml(_RECIPE))).encode()
    files["events.jsonl"] = b"".join(to_json(event) + b"\n" for event in _EVENTS)
    for name, data in {**files, case.name: case.data}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return folder


def _read_run(case: RunCase, folder: Path) -> None:
    """All that looks at runs without a window: alone, beside another one, and as a page."""
    run = _laid_out(case, folder / "runs" / "x")
    sound = _laid_out(RunCase("status.json", b"{}"), folder / "runs" / "sound")
    assert isinstance(run.read_status(), dict) and isinstance(run.running(), bool)
    refused: list[InputError] = []
    for look in (lambda: write_report(run), lambda: _compared(sound, run, folder / "page.html")):
        try:
            look()
        except InputError as error:
            refused.append(error)
    if case.name == "results.json" or case.name == "recipe.toml":
        for error in refused:
            raise error
    assert not refused, f"{case.name} keeps a run from being shown: {refused[0]}"


def _compared(sound: RunFolder, run: RunFolder, page: Path) -> None:
    found = compare([sound, run])
    json.dumps(found.to_json())
    comparison_text(found)
    write_comparison(found, page)


# -- the window ------------------------------------------------------------------------------------------------------


def _show_run(case: RunCase, folder: Path) -> None:
    """What the window makes of a run: the list of the start page, the page of the run, and its results."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from gui.log_reader import LogReader
    from gui.recent import RecentRuns
    from gui.run_model import RunModel
    from gui.widgets.failures import FailurePanel
    from gui.widgets.score_table import ScoreTable, StageTable

    application = QApplication.instance() or QApplication(["fuzz"])
    run = _laid_out(case, folder / "runs" / "x")
    (recent,) = RecentRuns().look(folder / "runs", ())
    assert len(recent.name) <= 100 and len(recent.language) <= 100
    model = RunModel()
    model.apply(LogReader().read(run.events, 1000)[1])
    for stage in model.stages:
        assert stage.fraction is None or 0 <= stage.fraction <= 1
    for task in model.tasks:
        model.student_scores(task), model.teacher_scores(task)
    list(model.final_scores())
    try:
        results = run.read_results()
        panel = FailurePanel()
        panel.show_run(results["tasks"], run.read_details)
        for table in (ScoreTable(), StageTable()):
            table.fill(results)
        panel.button.setChecked(True)
    except (InputError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        # What the page of results catches, to say that they can't be read.
        if case.name != "results.json":
            raise
        raise InputError("The results can't be shown.", hint="They are another version's.") from error
    finally:
        application.processEvents()


# -- sealed folders, and what Monoglot keeps -------------------------------------------------------------------------

_PATHS = ("../outside", "/etc/passwd", "a/../../outside", "a.txt", "", ".", "a\0b", "none", 1, None)


def _read_sealed(data: bytes, folder: Path) -> None:
    """A checkpoint with another manifest is whole only where that says what is there; nothing beside it is touched."""
    inside, outside = folder / "checkpoint", folder / "outside"
    inside.mkdir()
    (inside / "a.txt").write_text("a", encoding="utf-8")
    outside.write_text("b", encoding="utf-8")
    (inside / MANIFEST).write_bytes(data)
    whole = sealed(inside)
    settle(inside)
    assert outside.read_text(encoding="utf-8") == "b"
    if not whole:
        raise InputError("The checkpoint is not whole.", hint="The run begins its stage anew.")
    assert json.loads(data).keys() == {"a.txt"}


_HASH = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
"""Of "a"."""


def _manifests() -> st.SearchStrategy[bytes]:
    names = st.lists(st.sampled_from(_PATHS), min_size=1, max_size=2).map(
        lambda names: to_json({str(name): _HASH for name in names})
    )
    return st.one_of(names, json_files({"a.txt": _HASH}), st.just(to_json({"a.txt": _HASH})))


_CALIBRATION: dict[str, Any] = {
    "version": 1,
    "schedule": {"device": "cpu", "precision": "float32", "threads": 1},
    "auto": {"device": "cpu", "precision": "float32", "threads": 1},
    "calibration": {
        **{"origin": "steps", "settings": {"x": 1}, "recipe": "", "update": 0.1, "read": 1e-9, "tokenise": 1e-8},
        "speeds": {"layers": {name: 0.5 for name in Speed.__dataclass_fields__}},
        "profile": {name: 5.0 for name in Profile.__dataclass_fields__},
        "memory": 1e8,
        "ratios": {"layers": 1.0},
    },
}


def _read_calibration(data: bytes, folder: Path) -> None:
    path = folder / "x.json"
    path.write_bytes(data)
    found = _read(path, parse(to_toml(_RECIPE)))
    if found is None:
        raise InputError("This is no calibration.", hint="It is measured anew.")
    assert isinstance(found, Calibration) and _calibration(json.loads(data)["calibration"]) == found


_SETTINGS: dict[str, Any] = {
    **{"version": 1, "theme": "dark", "geometry": "AAAA", "runs": ["/a", "/b"], "teachers": ["/c"]},
    **{"draft": 'name = "x"\n[teacher]\nmodel = "y"\n', "draft_base": "/d", "vocabulary_shown": False, "later": 1},
}


def _read_settings(data: bytes, folder: Path) -> None:
    from PySide6.QtCore import QObject

    from gui.draft_keeper import DraftKeeper
    from gui.settings import SettingsFile

    path = folder / "settings.json"
    path.write_bytes(data)
    settings = SettingsFile(path)
    keeper = DraftKeeper(settings, QObject())
    content, base = keeper.take_up()
    keeper.keep(content, base)
    settings.remember_run(folder)
    assert SettingsFile(path).value.runs[0] == str(folder)
    if any(folder.glob("*.broken*")):
        raise InputError("The settings were set aside.", hint="They are in a file beside them.")


def _read_pretraining(data: bytes, folder: Path) -> None:
    (folder / "teacher").mkdir()
    (folder / "teacher" / FOLDER_FILE).write_bytes(data)
    if pretraining_volume("./teacher", "slk", folder) is None:
        raise InputError("Nothing is known of what it read.", hint="The teacher is used all the same.")


READERS = {
    "runs": Reader(_runs(), _read_run),
    "runs in the window": Reader(_runs(), _show_run),
    "manifests": Reader(_manifests(), _read_sealed),
    "calibrations": Reader(json_files(_CALIBRATION), _read_calibration),
    "settings": Reader(json_files(_SETTINGS), _read_settings),
    "pretraining.json": Reader(json_files({"tokens": {"slk": 1e9, "ces": 5}}), _read_pretraining),
}
