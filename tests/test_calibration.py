"""Calibrations: measured, kept, found again; and what commands, jobs and reports make of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished_run import RESULTS, finished_run

from core import cli, jobs, known_speed, session
from core import recipe as recipes
from core.analysis.duration import Calibration, Prediction, Speed, fingerprint, step_settings
from core.analysis.lessons import Profile
from core.analysis.preview import preview
from core.analysis.size import Estimate
from core.calibration import calibrate
from core.context import Quiet
from core.errors import InputError, Stopped
from core.export.report import write_report
from core.families import Family, family_of
from core.glance import glance
from core.known_speed import find, keep, known_prediction, learn_from_run, speed_folder, write_estimate
from core.recipe import Recipe
from core.resolve import on_this_machine, resolve, settled
from core.run import RunFolder
from core.teachers import teacher_config
from resources import sample

ROOT = Path(__file__).parent.parent
RECIPE = """
[teacher]
model = "sample"
[language]
code = "mlt"
[corpus]
sources = ["sample"]
max_length = 32
[targets]
layers = 2
hidden_size = 64
vocabulary_size = 900
[schedule]
distil_steps = 4
batch_tokens = 512
device = "cpu"
precision = "float32"
threads = 1
"""
AUTO = {"device": "cpu", "precision": "float32", "threads": 2}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds what another one measured, nor do the processes that it starts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if sys.platform in ("win32", "darwin"):
        monkeypatch.setattr("appdirs.user_cache_dir", lambda name, author: str(tmp_path / "cache" / name))


def case(text: str = RECIPE) -> tuple[Recipe, Family, Estimate, dict[str, Any]]:
    config = teacher_config("sample", Path())
    family = family_of(config)
    recipe = settled(recipes.parse(text), family)
    return recipe, family, preview(recipe, Path(), Quiet()), config


def calibration(text: str = RECIPE, **others: Any) -> Calibration:
    recipe, _, sizes, _ = case(text)
    one = Calibration(
        origin="steps", settings=step_settings(recipe, sizes), recipe="", speeds={"hidden": Speed(1e-11, 2e-11, 0.1)},
        update=1e-9, read=1e-7, tokenise=1e-7, profile=Profile(4.0, 100.0, 20.0), memory=5e8, ratios={"hidden": 1.5},
    )  # fmt: skip
    return replace(one, **others)


def kept(text: str = RECIPE, **others: Any) -> Calibration:
    """Keep a calibration that nobody measured."""
    recipe, family, sizes, _ = case(text)
    one = calibration(text, **others)
    keep(one, recipe, sizes.teacher.sizes, family, AUTO)
    return one


def files() -> list[Path]:
    return sorted(speed_folder().rglob("*.json"))


def known(text: str = RECIPE) -> Prediction | None:
    recipe, _, sizes, config = case(text)
    return known_prediction(recipe, Path(), config, sizes)


def found(text: str = RECIPE) -> Calibration | None:
    recipe, family, sizes, _ = case(text)
    return find(recipe, family, sizes)


# -- keeping ---------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_found() -> None:
    assert found() is None and known() is None
    one = kept()
    assert found() == one
    prediction = known()
    assert prediction is not None and prediction.exact


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 1}',
        b'{"version": 1, "schedule": 3, "auto": {}, "calibration": {}}',
    ],
)
def test_a_broken_file_is_no_calibration(content: bytes) -> None:
    kept()
    files()[0].write_bytes(content)
    assert found() is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("speeds", {}),
        ("speeds", {"hidden": {"teacher": "fast", "student": 1.0, "spread": 0.0}}),
        ("speeds", {"hidden": {"teacher": -1.0, "student": 1.0, "spread": 0.0}}),
        ("speeds", 7),
        ("update", float("nan")),
        ("update", None),
        ("update", True),
        ("memory", float("inf")),
        ("memory", "much"),
        ("profile", {"token_bytes": 0, "text_bytes": 1, "attended": 1}),
        ("profile", {}),
        ("origin", "heaven"),
        ("settings", []),
        ("ratios", {"hidden": -1}),
    ],
)
def test_numbers_that_cannot_be_are_no_calibration(key: str, value: Any) -> None:
    kept()
    content = json.loads(files()[0].read_text())
    content["calibration"][key] = value
    files()[0].write_text(json.dumps(content))
    assert found() is None


def test_another_version_or_machine_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    kept()
    with monkeypatch.context() as patch:
        patch.setattr(known_speed, "_VERSION", 2)
        assert found() is None
    assert found() is not None
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    assert found() is None


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("threads = 2", False),
        ('threads = "auto"', False),  # which would be 2
        ("threads = 1", True),
    ],
)
def test_threads_count(line: str, counts: bool) -> None:
    kept()
    assert (found(RECIPE.replace("threads = 1", line)) is not None) == counts


def test_what_the_recipe_leaves_open_is_what_the_machine_would_take() -> None:
    kept()
    assert found(RECIPE.replace('device = "cpu"', 'device = "cuda"')) is None
    assert found(RECIPE.replace('device = "cpu"\nprecision = "float32"\n', "")) is not None


def test_what_was_measured_for_other_targets_serves_with_more_doubt() -> None:
    kept()
    same, other = known(), known(RECIPE.replace("hidden_size = 64", "hidden_size = 96"))
    assert same is not None and other is not None
    assert same.exact and not other.exact
    assert other.seconds.high / other.seconds.low > same.seconds.high / same.seconds.low


def test_the_very_same_run_says_most_and_the_newest_next() -> None:
    recipe, _, sizes, _ = case()
    run = kept(origin="run", recipe=fingerprint(recipe, sizes))
    kept(RECIPE.replace("layers = 2", "layers = 3"))
    kept(origin="run", recipe="another")
    assert found() == run
    assert len(files()) == 3
    path = next(path for path in files() if json.loads(path.read_text())["calibration"] == _json(run))
    path.unlink()
    newest = found()
    assert newest is not None and newest.recipe == "another"


def _json(one: Calibration) -> Any:
    from dataclasses import asdict

    return json.loads(json.dumps(asdict(one)))


def test_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_speed, "_MOST", 2)
    for number, width in enumerate((32, 64, 96)):
        kept(RECIPE.replace("hidden_size = 64", f"hidden_size = {width}"))
        for path in files():
            if path.stat().st_mtime > time.time() - 1000:
                os.utime(path, (10_000 * number + 1, 10_000 * number + 1))
    assert len(files()) == 2
    smallest = found(RECIPE.replace("hidden_size = 64", "hidden_size = 32"))
    assert smallest is not None and smallest.settings["lessons"]["hidden"][0][1] != 32


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    kept()
    assert found() is None


def test_nothing_is_foretold_where_nothing_is_distilled() -> None:
    kept()
    assert known(RECIPE.replace("layers = 2\nhidden_size = 64\n", "")) is None


# -- measuring -------------------------------------------------------------------------------------------------------


class Told(Quiet):
    """Keeps what is told of progress; ends the work after so many questions."""

    def __init__(self, patience: int = 10**9) -> None:
        self.told: list[tuple[int, int]] = []
        self._left = patience

    def progress(self, done: int, total: int) -> None:
        self.told.append((done, total))

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Stopped


def test_a_few_steps_are_measured_and_kept() -> None:
    recipe, _, sizes, _ = case(RECIPE.replace("[schedule]", '[method]\ndistil_after = "each"\n[schedule]'))
    told = Told()
    one = calibrate(recipe, Path(), sizes, told)
    assert set(one.speeds) == {"layers", "hidden"}
    assert all(min(speed.teacher, speed.student) > 0 for speed in one.speeds.values())
    assert min(one.update, one.read, one.tokenise) > 0
    assert 2 < one.profile.token_bytes < 8 and one.profile.attended <= 32
    assert told.told[0][0] == 0 and told.told[-1][0] == told.told[-1][1]
    assert [done for done, _ in told.told] == sorted(done for done, _ in told.told)

    found = known_prediction(recipe, Path(), teacher_config("sample", Path()), sizes)
    assert found is not None and found.exact
    assert 0 < found.seconds.low < found.seconds.mid < found.seconds.high
    assert found.memory.mid > 1e8


@pytest.mark.parametrize("loss", ["mse", "kl"])
def test_every_distance_and_an_unknown_tokenizer_can_be_measured(loss: str, tmp_path: Path) -> None:
    """A teacher of which only the configuration is here."""
    folder = tmp_path / "teacher"
    folder.mkdir()
    (folder / "config.json").write_bytes((sample.teacher_folder() / "config.json").read_bytes())
    method = f'[method]\nkd_loss = "{loss}"\nhidden_weight = 0.0\n[schedule]'
    text = RECIPE.replace('"sample"\n[lang', '"./teacher"\n[lang').replace("[schedule]", method)
    recipe = recipes.parse(text)
    sizes = preview(recipe, tmp_path, Quiet())
    one = calibrate(recipe, tmp_path, sizes, Quiet())
    assert list(one.speeds) == ["hidden"] and one.speeds["hidden"].student > 0


def test_a_measurement_that_is_ended_leaves_nothing() -> None:
    recipe, _, sizes, _ = case(RECIPE.replace('"sample"]', '"hub:some/set"]'))
    with pytest.raises(Stopped):
        calibrate(recipe, Path(), sizes, Told(patience=2))
    assert files() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("layers = 2\nhidden_size = 64\n", ""), "Nothing is distilled"),
        (('sources = ["sample"]', 'sources = ["no-such.txt"]'), "no file or folder"),
        (('device = "cpu"', 'device = "mps"'), "lacks"),
        (("vocabulary_size = 900", "vocabulary_size = 5"), "none that isn't special"),
    ],
)
def test_what_cannot_be_measured_is_refused(change: tuple[str, str], words: str, tmp_path: Path) -> None:
    recipe, _, sizes, _ = case(RECIPE.replace(*change))
    with pytest.raises(InputError, match=words):
        calibrate(recipe, tmp_path, sizes, Quiet())


def test_text_that_is_not_here_is_assumed() -> None:
    recipe = recipes.parse(RECIPE.replace('"sample"]', '"hub:some/set"]'))
    seen = glance(recipe, Path(), Quiet())
    assert seen.profile.attended == 32 and max(seen.lengths) <= 32


def test_what_auto_means_does_not_hang_on_the_recipe() -> None:
    recipe, *_ = case()
    open_one = replace(recipe.schedule, device="auto", precision="auto", threads="auto")
    assert on_this_machine(recipe.schedule) == on_this_machine(open_one)
    assert settled(recipes.parse(RECIPE), case()[1]).method == resolve(*_args()).method


def _args() -> tuple[Recipe, Family, Any]:
    recipe, family, sizes, _ = case()
    return recipe, family, sizes.teacher.sizes


# -- runs ------------------------------------------------------------------------------------------------------------


def test_a_run_leaves_what_it_showed() -> None:
    recipe, _, sizes, config = case()
    reports: dict[str, Any] = {stage.name: {"seconds": 5.0, "peak_memory": 7e8} for stage in sizes.stages}
    reports["hidden"] |= {"timed_tokens": 1536, "timed_seconds": 3.0}
    learn_from_run(recipe, config, sizes, reports, AUTO)
    prediction = known()
    assert prediction is not None and prediction.exact
    assert prediction.memory.mid == pytest.approx(7e8)
    assert prediction.work.holds(5.0 * len(reports))


def test_the_estimate_is_written_down_only_where_there_is_one(tmp_path: Path) -> None:
    recipe, _, sizes, config = case()
    write_estimate(tmp_path / "estimate.json", recipe, Path(), config, sizes)
    assert not (tmp_path / "estimate.json").exists()
    kept()
    write_estimate(tmp_path / "estimate.json", recipe, Path(), config, sizes)
    content = json.loads((tmp_path / "estimate.json").read_text())
    assert content["exact"] and content["stages"]["low"] < content["stages"]["mid"] < content["stages"]["high"]


def test_a_run_begins_with_writing_down_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_run", lambda *_, **options: {})
    session.execute(RunFolder(tmp_path / "one"), original=RECIPE, base=Path(), resume=False)
    assert not RunFolder(tmp_path / "one").estimate.exists()
    kept()
    session.execute(RunFolder(tmp_path / "two"), original=RECIPE, base=Path(), resume=False)
    assert RunFolder(tmp_path / "two").read_estimate()["exact"]
    before = RunFolder(tmp_path / "two").estimate.read_bytes()
    kept(speeds={"hidden": Speed(1e-9, 1e-9, 0.1)})
    session.execute(RunFolder(tmp_path / "two"), original=RECIPE, base=Path(), resume=True)
    assert RunFolder(tmp_path / "two").estimate.read_bytes() == before


@pytest.mark.parametrize(("middle", "verdict"), [(3786.0, "yes"), (9000.0, "no, less"), (100.0, "no, more")])
def test_the_report_holds_the_estimate_against_the_truth(tmp_path: Path, middle: float, verdict: str) -> None:
    run = finished_run(tmp_path / "run")
    assert sum(stage["seconds"] for stage in RESULTS["stages"]) == 3786.0
    time = {"low": middle / 2, "mid": middle, "high": middle * 2}
    memory = {"low": 1000.0, "mid": 2000.0, "high": 3000.0}
    run.estimate.write_text(json.dumps({"stages": time, "seconds": time, "memory_megabytes": memory, "exact": True}))
    page = write_report(run).read_text()
    assert "Estimated before the run" in page
    row = page[page.index("Time of the stages") :]
    assert verdict in row[: row.index("</tr>")] and "1 h 03 min" in row[: row.index("</tr>")]


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"stages": 3, "memory_megabytes": {}}'])
def test_a_report_without_an_estimate_says_nothing_of_one(tmp_path: Path, content: str | None) -> None:
    run = finished_run(tmp_path / "run")
    if content is not None:
        run.estimate.write_text(content)
    assert "Estimated" not in write_report(run).read_text()


# -- commands and jobs -----------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_estimate_says_how_to_know_the_time(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["estimate", str(path)]) == 0
    assert "--measure" in capsys.readouterr().out
    assert cli.main(["estimate", str(path), "--json"]) == 0
    assert "seconds" not in json.loads(capsys.readouterr().out)


def test_estimate_tells_what_is_known_without_torch(path: Path, tmp_path: Path) -> None:
    kept()
    code = "import sys; from core.cli import main; status = main(['estimate', sys.argv[1], *sys.argv[2:]]);"
    code += "heavy = {'torch', 'transformers', 'numpy', 'tokenizers', 'datasets'} & set(sys.modules);"
    code += "sys.exit(status or ' '.join(heavy) or 0)"
    command = [sys.executable, "-c", code, str(path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "About" in ended.stdout and "of memory on this machine." in ended.stdout
    assert "--measure" not in ended.stdout
    ended = subprocess.run([*command, "--json"], cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(ended.stdout)
    assert set(told) == {"teacher", "student", "stages", "seconds", "memory_megabytes"}
    assert set(told["seconds"]) == set(told["memory_megabytes"]) == {"low", "mid", "high"}


def test_estimate_says_where_other_settings_were_measured(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(RECIPE.replace("layers = 2", "layers = 3"))
    assert cli.main(["estimate", str(path)]) == 0
    assert "Measured with other settings: --measure tries these." in capsys.readouterr().out


def test_estimate_measures_when_it_is_asked_to(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["estimate", str(path), "--measure", "--json"]) == 0
    assert "seconds" in json.loads(capsys.readouterr().out)
    assert len(files()) == 1


def test_the_windows_job_measures_and_keeps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)  # a job sets up its own process
    asked = {"job": "measure", "recipe": RECIPE, "base": "."}
    assert jobs.main([json.dumps(asked)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == {"done": {}} and "progress" in lines[0]
    assert len(files()) == 1

    asked["recipe"] = RECIPE.replace("layers = 2\nhidden_size = 64\n", "")
    assert jobs.main([json.dumps(asked)]) == 2
    assert "Nothing is distilled" in capsys.readouterr().out
