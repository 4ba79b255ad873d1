"""The commands, in this process with the work stubbed, and as processes of their own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import build
from finished_run import RESULTS, events, finished_run, started_run
from safetensors.torch import load_file, save_file
from toy_tokenizers import LATIN, kind, model, wordpiece

from core import cli, session
from core import recipe as recipes
from core.compression.vocabulary import cut_vocabulary
from core.context import Quiet
from core.corpus.prepare import prepare
from core.errors import Fault, InputError, Stopped
from core.events import Event, Message, Progress, Stage
from core.export.huggingface import export_student
from core.export.versions import monoglot_version
from core.models import LanguageModel, load, save
from core.run import RunFolder
from core.terminal import TerminalContext, follower, summary
from core.vocabulary.choosing import Wanted, choose_tokens
from core.vocabulary.trimming import count_corpus

ROOT = Path(__file__).parent.parent
RECIPE = """
name = "small"
[teacher]
model = "xlm-roberta-base"
[language]
code = "mlt"
[corpus]
sources = ["texts/*.txt"]
[targets]
layers = 6
intermediate_size = 2048
hidden_size = 312
attention_heads = 12
vocabulary_size = 40000
"""


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written where the user keeps things."""
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


class Stub:
    """In place of `session.execute`: notes what it was asked, then does what it was told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.does: Callable[[], dict[str, Any]] = lambda: RESULTS

    def __call__(self, folder: RunFolder, **asked: Any) -> dict[str, Any]:
        listen = asked.pop("listen")
        self.asked.append({"folder": folder, **asked})
        for event in events():
            listen(event)
        return self.does()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub()
    monkeypatch.setattr(session, "execute", stub)
    return stub


def fail(error: BaseException) -> Callable[[], dict[str, Any]]:
    def does() -> dict[str, Any]:
        raise error

    return does


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def told(captured: pytest.CaptureFixture[str]) -> list[str]:
    """The faults on stderr: pairs of lines, and nothing of a traceback."""
    err = captured.readouterr().err
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith(("error: ", "hint: "))]
    assert lines and [line.partition(":")[0] for line in lines] == ["error", "hint"] * (len(lines) // 2)
    return lines


# -- run and sample --------------------------------------------------------------------------------------------------


def test_run_hands_over_the_recipe_and_ends_with_the_folder(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 0
    (asked,) = stub.asked
    assert asked == {"folder": RunFolder(tmp_path / "run"), "original": RECIPE, "base": tmp_path, "resume": False}
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == str(tmp_path / "run")
    assert "80.2 ± 0.6" in out and "22.8 M" in out and "-87.2 %" in out
    assert "The corpus is small." in err


def test_run_tells_json_and_nothing_else_on_stdout(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ġdid"
    assert cli.main(["run", str(recipe), "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == {**RESULTS, "run": str(out)}
    assert printed.isascii()


def test_a_run_without_a_folder_gets_one_of_its_own(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", str(recipe)]) == 0
    folder = stub.asked[0]["folder"].path
    assert folder.parent.name == "runs" and folder.name.startswith("small-20")
    assert tmp_path / "home" in folder.parents


def test_resume_takes_the_runs_own_recipe_or_the_one_given(recipe: Path, tmp_path: Path, stub: Stub) -> None:
    run = started_run(tmp_path / "run")
    assert cli.main(["run", "--resume", "--out", str(run.path)]) == 0
    assert cli.main(["run", str(recipe), "--resume", "--out", str(run.path)]) == 0
    own, given = stub.asked
    assert (own["original"], own["resume"]) == (run.given_recipe(), True)
    assert (given["original"], given["resume"], given["base"]) == (RECIPE, True, tmp_path)


@pytest.mark.parametrize(("flags", "name"), [([], "recipe.toml"), (["--tiny"], "recipe-tiny.toml")])
def test_sample_runs_the_built_in_recipe(tmp_path: Path, stub: Stub, flags: list[str], name: str) -> None:
    assert cli.main(["sample", "--out", str(tmp_path / "run"), *flags]) == 0
    base = ROOT / "resources" / "sample"
    assert stub.asked[0]["base"] == base
    assert stub.asked[0]["original"] == (base / name).read_text(encoding="utf-8")


def test_a_stopped_run_says_how_to_go_on(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.does = fail(Stopped())
    out = tmp_path / "my run"
    assert cli.main(["run", str(recipe), "--out", str(out), "--json"]) == 130
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"monoglot run --resume --out '{out}'" in captured.err
    stub.does = fail(KeyboardInterrupt())
    assert cli.main(["run", str(recipe), "--out", str(out)]) == 130


def test_every_fault_of_the_input_is_told(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.does = fail(InputError.of([Fault("The corpus\nis \x1b[31mred.", "Paint it."), Fault("B.", "C.")]))
    assert cli.main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 2
    assert told(capsys) == ["error: The corpus is [31mred.", "hint: Paint it.", "error: B.", "hint: C."]


def test_a_fault_of_ours_goes_to_a_log(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.does = fail(RuntimeError("a secret \x1b[31m detail"))
    run = RunFolder(tmp_path / "run")
    run.create("x", needed_bytes=1)
    assert cli.main(["run", str(recipe), "--out", str(run.path)]) == 1
    error, hint = told(capsys)
    assert "secret" not in error + hint and str(run.path / "error.log") in hint
    assert "RuntimeError: a secret" in (run.path / "error.log").read_text(encoding="utf-8")

    assert cli.main(["run", str(recipe)]) == 1
    log = Path(told(capsys)[1].removeprefix("hint: The details are in ").removesuffix("."))
    assert tmp_path / "home" in log.parents and "Traceback" in log.read_text(encoding="utf-8")


def test_a_reader_that_goes_away_is_no_fault(
    recipe: Path, tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            raise OSError

    monkeypatch.setattr(sys, "stderr", Gone())
    monkeypatch.setattr(sys, "stdout", Gone())
    assert cli.main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 0
    assert len(stub.asked) == 1


# -- usage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "no recipe"),
        (["run", "--resume"], "which run"),
        (["run", "no-such.toml"], "There is no recipe"),
        (["run", "--resume", "--out", "no-such-run"], "There is no run in"),
        (["estimate"], "RECIPE"),
        (["estimate", "."], "can't be read"),
        (["dance"], "dance"),
        (["run", "x", "--fast"], "--fast"),
        (["export", "x", "--format", "onnx", "--out", "y"], "onnx"),
        (["export", "no-such-run", "--format", "hf", "--out", "y"], "There is no run"),
        (["report", "no-such-run"], "There is no run"),
        (["compare"], "RUN"),
        (["compare", "no-such-run"], "no recipe"),
        (["trim", "x", "--corpus", "c.txt", "--size", "many", "--out", "y"], "many"),
        (["trim", "x", "--corpus", "c.txt", "--size", "0", "--out", "y"], "--size is 0"),
        (["trim", "x", "--corpus", "c.txt", "--out", "y"], "Neither --size nor --coverage"),
        (["trim", "x", "--corpus", "c.txt", "--size", "9", "--coverage", "0.9", "--out", "y"], "Both --size and"),
        (["trim", "x", "--corpus", "c.txt", "--coverage", "99.9", "--out", "y"], "--coverage is 99.9"),
        (["trim", "x", "--corpus", "c.txt", "--coverage", "nan", "--out", "y"], "--coverage is nan"),
        (["trim", "x", "--corpus", "c.txt", "--size", "9", "--multiple", "0", "--out", "y"], "--multiple is 0"),
        (["trim", "x", "--corpus", "c.txt", "--size", "9", "--frequency", "line", "--out", "y"], "line"),
        (["trim", "./no-such-model", "--corpus", "c.txt", "--size", "9", "--out", "y"], "no model folder"),
    ],
)
def test_what_cannot_be_used_is_told_in_two_lines(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    assert words in told(capsys)[0]
    assert not any(path.name != "home" for path in tmp_path.iterdir())


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"monoglot {monoglot_version()}\n"


def test_no_word_opens_the_window_or_prints_the_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[bool] = []

    def window(sample: bool) -> int:
        opened.append(sample)
        return 7

    assert [cli.main(words, window) for words in ([], ["--sample"])] == [7, 7]
    assert opened == [False, True]
    assert cli.main([]) == 0
    printed = capsys.readouterr().out
    words = ("run", "estimate", "evaluate", "trim", "export", "report", "compare", "teachers", "sample")
    assert all(word in printed for word in words)


# -- estimate --------------------------------------------------------------------------------------------------------


def test_estimate_gives_the_sizes_of_results(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["estimate", str(recipe), "--json"]) == 0
    sizes = json.loads(capsys.readouterr().out)
    assert sizes["teacher"] == {"parameters": 278_295_186, "megabytes": 1113.180744}
    assert sizes["student"]["parameters"] == 22_812_688
    assert sizes["student"]["compression"] == 1 - 22_812_688 / 278_295_186
    assert [stage["name"] for stage in sizes["stages"]] == [
        "vocabulary",
        "layers",
        "feed_forward",
        "hidden",
        "evaluate",
    ]
    assert sizes["stages"][-1]["parameters"] == 22_812_688


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("bert-base-multilingual-cased", 177_974_523),
        ("google-bert/bert-base-multilingual-cased", 177_974_523),
        ("FacebookAI/xlm-roberta-base", 278_295_186),
        ("xlm-roberta-large", 560_142_482),
        ("distilbert-base-multilingual-cased", 135_445_755),
    ],
)
def test_known_teachers_need_no_download(
    model: str, parameters: int, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(RECIPE[: RECIPE.index("[targets]")].replace("xlm-roberta-base", model))
    assert cli.main(["estimate", str(recipe), "--json"]) == 0
    sizes = json.loads(capsys.readouterr().out)
    assert (sizes["teacher"]["parameters"], sizes["student"]["compression"]) == (parameters, 0.0)


def test_estimate_reads_a_local_folders_configuration(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lm = build("distilbert", tied=True)
    lm.model.config.save_pretrained(tmp_path / "teacher")
    recipe.write_text(RECIPE[: RECIPE.index("[targets]")].replace("xlm-roberta-base", "./teacher"))
    assert cli.main(["estimate", str(recipe), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["teacher"]["parameters"] == sum(lm.parameters.values())


def test_estimate_refuses_what_cannot_be_all_at_once(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = RECIPE.replace("layers = 6", "layers = 13").replace("40000", "250003").replace('"mlt"', '"mt"')
    recipe.write_text(text)
    assert cli.main(["estimate", str(recipe)]) == 2
    errors = "\n".join(told(capsys))
    assert all(
        words in errors for words in ("targets.layers is 13", "targets.vocabulary_size is 250003", "'mt'", '"mlt"')
    )


def test_estimate_imports_nothing_heavy(recipe: Path) -> None:
    heavy = {
        "torch",
        "transformers",
        "tokenizers",
        "datasets",
        "numpy",
        "sklearn",
        "huggingface_hub",
        "PySide6",
        "iso639",
    }
    code = (
        "import sys; from core.cli import main; status = main(['estimate', sys.argv[1]]);"
        f"sys.exit(status or ' '.join({heavy!r} & set(sys.modules)) or 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(recipe)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "22.8 M" in ended.stdout


@pytest.fixture
def counted(recipe: Path, tmp_path: Path) -> tuple[Path, LanguageModel]:
    """A recipe for a toy teacher whose corpus can't fill the vocabulary that is asked for."""
    lm = model("bert", wordpiece(), tied=True)
    save(lm, tmp_path / "teacher")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("\n".join(LATIN), encoding="utf-8")
    base = RECIPE[: RECIPE.index("[targets]")].replace("xlm-roberta-base", "teacher")
    recipe.write_text(base + f"[targets]\nvocabulary_size = {lm.sizes.vocabulary - 1}\n", encoding="utf-8")
    return recipe, lm


def test_counting_gives_the_vocabulary_that_the_run_will_have(
    counted: tuple[Path, LanguageModel], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, lm = counted
    assert cli.main(["estimate", str(path), "--json"]) == 0
    as_asked = json.loads(capsys.readouterr().out)["student"]["parameters"]
    assert cli.main(["estimate", str(path), "--json", "--count"]) == 0
    as_built = json.loads(capsys.readouterr().out)["student"]["parameters"]

    assert as_built == parameters_of_the_run(path, lm, tmp_path) < as_asked


def parameters_of_the_run(path: Path, lm: LanguageModel, folder: Path) -> int:
    """How large the model is once the vocabulary is cut as the recipe says."""
    recipe = recipes.load(path)
    corpus = prepare(recipe.corpus, folder, recipe.seed, folder / "corpus", Quiet())
    counts = count_corpus(corpus, lm.tokenizer.backend_tokenizer, folder, Quiet())
    targets = recipe.targets
    wanted = Wanted(
        size=targets.vocabulary_size, coverage=targets.vocabulary_coverage, multiple=targets.vocabulary_multiple
    )
    kept = choose_tokens(kind(lm.tokenizer), counts, wanted).kept
    return sum(cut_vocabulary(lm, kept).parameters.values())


@pytest.mark.parametrize("multiple", [1, 8])
def test_a_coverages_size_is_an_upper_bound_until_it_is_counted(
    multiple: int, counted: tuple[Path, LanguageModel], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, lm = counted
    text = path.read_text(encoding="utf-8").replace(f"vocabulary_size = {lm.sizes.vocabulary - 1}", "")
    path.write_text(f"{text}vocabulary_coverage = 0.9\nvocabulary_multiple = {multiple}\n", encoding="utf-8")
    assert cli.main(["estimate", str(path), "--json"]) == 0
    told, complained = capsys.readouterr()
    bound = json.loads(told)
    assert bound["student"]["parameters"] == bound["teacher"]["parameters"] == sum(lm.parameters.values())
    assert [stage["name"] for stage in bound["stages"]] == ["vocabulary", "evaluate"]
    assert cli.main(["estimate", str(path), "--json", "--count"]) == 0
    exact = json.loads(capsys.readouterr().out)
    assert exact["student"]["parameters"] == parameters_of_the_run(path, lm, tmp_path)
    assert exact["student"]["parameters"] < bound["student"]["parameters"]
    assert [stage["name"] for stage in exact["stages"]] == ["vocabulary", "evaluate"]
    assert "--count" in complained, "that the sizes are upper bounds is told"


def test_counting_refuses_a_vocabulary_without_room_for_the_alphabet(
    counted: tuple[Path, LanguageModel], capsys: pytest.CaptureFixture[str]
) -> None:
    path, lm = counted
    path.write_text(path.read_text(encoding="utf-8").replace(str(lm.sizes.vocabulary - 1), "12"), encoding="utf-8")
    assert cli.main(["estimate", str(path), "--count"]) == 2
    assert "A vocabulary of 12 is too small" in told(capsys)[0]


# -- trim ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def trimmable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a teacher without weights and a text."""
    monkeypatch.chdir(tmp_path)
    save(model("bert", wordpiece(), tied=True), tmp_path / "teacher")
    (tmp_path / "teacher" / "model.safetensors").unlink()
    (tmp_path / "a.txt").write_text("\n".join(LATIN), encoding="utf-8")
    return tmp_path


def test_trim_tells_what_it_kept_and_proved(trimmable: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["trim", "./teacher", "--corpus", "a.txt", "--size", "170", "--out", "small"]
    assert cli.main(command) == 0
    out, err = capsys.readouterr()
    report = json.loads((trimmable / "small" / "vocabulary.json").read_text(encoding="utf-8"))
    assert out.splitlines()[-1] == str(trimmable / "small")
    assert f"{report['kept']['alphabet']} alphabet" in out and f"{100 * report['coverage']:.2f} %" in out
    assert "Proved on 1 held-out texts" in out and "holds no weights" in out
    assert "20 kept" in err, "what the corpus holds is told on the other stream"


def test_trim_takes_a_coverage_a_multiple_a_frequency_and_words(
    trimmable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (trimmable / "words.txt").write_text("medvede", encoding="utf-8")
    command = ["trim", "./teacher", "--corpus", "a.txt", "--coverage", "0.9", "--multiple", "8"]
    command += ["--frequency", "token", "--words", "words.txt", "--out", "small", "--json"]
    assert cli.main(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["vocabulary"]["after"] % 8 == 0 and report["vocabulary"]["wanted"] is None
    assert report["coverage"] >= 0.9 and report["kept"]["words"] > 0
    assert report == json.loads((trimmable / "small" / "vocabulary.json").read_text(encoding="utf-8"))


def test_trim_refuses_words_that_are_not_there(trimmable: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["trim", "./teacher", "--corpus", "a.txt", "--size", "170", "--words", "no.txt", "--out", "small"]
    assert cli.main(command) == 2
    assert "no.txt" in told(capsys)[0] and not (trimmable / "small").exists()


# -- export, report, compare -----------------------------------------------------------------------------------------


@pytest.fixture
def done(tmp_path: Path) -> RunFolder:
    """A finished run with a student."""
    lm = build("bert", tied=True)
    results = json.loads(json.dumps(RESULTS))
    results["student"]["parameters"] = sum(lm.parameters.values())
    run = finished_run(tmp_path / "done", results=results)
    save(lm, run.student)
    (run.student / "README.md").write_text("# Card", encoding="utf-8")
    return run


def test_export_is_a_whole_copy(done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "student"
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in done.student.iterdir()
    }
    assert load(out)[1]
    assert [path.name for path in out.parent.iterdir()] == ["student"]


def test_export_shows_its_progress(
    done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.terminal._LINE_SECONDS", 0)
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(tmp_path / "out")]) == 0
    size = sum(path.stat().st_size for path in done.student.iterdir())
    assert f"  {size:,} of {size:,}" in capsys.readouterr().err


def test_a_student_that_was_kept_can_be_exported(
    done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done.status.write_text('{"state": "stopped"}')
    done.results.unlink()
    out = tmp_path / "out"
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out)]) == 0
    assert load(out)[1]

    weights = load_file(done.student / "model.safetensors")
    del weights["cls.predictions.transform.dense.weight"]
    save_file(weights, done.student / "model.safetensors", {"format": "pt"})
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(tmp_path / "other")]) == 2
    assert "is not whole" in told(capsys)[0]
    assert not (tmp_path / "other").exists()


def test_export_can_be_stopped_and_leaves_nothing(done: RunFolder, tmp_path: Path) -> None:
    class Impatient(Quiet):
        def progress(self, done: int, total: int) -> None:
            raise Stopped

    before = set(tmp_path.iterdir())
    with pytest.raises(Stopped):
        export_student(done, tmp_path / "out", Impatient())
    assert set(tmp_path.iterdir()) == before


def test_export_goes_into_an_empty_folder_only(
    done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out)]) == 0
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out)]) == 2
    assert "not an empty folder" in told(capsys)[0]
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out / "config.json" / "x")]) == 2
    assert "can't be written" in told(capsys)[0]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: run.status.write_text('{"state": "stopped"}'), "not finished"),
        (lambda run: (run.status.write_text('{"state": "running"}'), run.results.unlink()), "not finished"),
        (lambda run: (run.student / "README.md").unlink(), "lacks README.md"),
        (lambda run: (run.student / "model.safetensors").write_bytes(b"x" * 100), "not a safetensors file"),
        (lambda run: run.results.write_text('{"student": {"parameters": 7}}'), "instead of 7"),
        (lambda run: run.results.unlink(), "no results"),
    ],
)
def test_export_refuses_what_is_not_whole(
    done: RunFolder, tmp_path: Path, spoil: Callable[[RunFolder], Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(done)
    before = set(tmp_path.iterdir())
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(tmp_path / "out")]) == 2
    assert words in told(capsys)[0]
    assert set(tmp_path.iterdir()) - {tmp_path / "home"} == before - {tmp_path / "home"}


def test_report_names_its_page(done: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(done.path)]) == 0
    page = Path(capsys.readouterr().out.rstrip("\n"))
    assert page == done.report and page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_compare_tells_text_or_json(done: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(done.path), str(done.path)]) == 0
    assert "names (F1)" in capsys.readouterr().out
    assert cli.main(["compare", str(done.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == {}


def test_compare_writes_a_page(done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert cli.main(["compare", str(done.path), "--out", str(page)]) == 0
    assert "names (F1)" in capsys.readouterr().out
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert cli.main(["compare", str(done.path), "--out", str(tmp_path / "no" / "page.html")]) == 2
    assert "can't be written" in told(capsys)[0]


# -- processes -------------------------------------------------------------------------------------------------------


def test_help_ends_well() -> None:
    ended = process("run", "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "--resume" in ended.stdout


def test_an_unknown_teacher_without_a_network_is_bad_input(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace("xlm-roberta-base", "nobody/has-this-żgħir"))
    ended = process("estimate", str(recipe), HF_HOME=str(tmp_path / "hf"), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ") and "\nhint: " in ended.stderr and "Traceback" not in ended.stderr
    assert "\\u017cg\\u0127ir" in ended.stderr


# -- progress --------------------------------------------------------------------------------------------------------


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_lines_tell_stages_sizes_losses_and_scores() -> None:
    stream = io.StringIO()
    listen = follower(stream)
    for event in events():
        listen(event)
    listen.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "  teacher: 177 M parameters, 711.9 MB"
    assert "Stage: Drop layers, distil" in lines
    assert "  step 20: validation loss 2.8887 (masked-language 4.3094)" in lines
    assert "  names, teacher: F1 80.0 (quick probe)" in lines
    assert lines[-1] == "  warning: The corpus is small."
    assert sum("training loss" in line for line in lines) == 0  # none of five seconds


def test_lines_tell_progress_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("core.terminal.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    listen = follower(stream)
    for done in range(100):
        now[0] += 1
        listen(Progress(stage="layers", done=done, total=100, eta_seconds=100.0 - done))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 20
    assert lines[0] == "  4 of 100, 1 min 36 s left"


def test_a_terminal_gets_a_bar() -> None:
    screen = Screen()
    listen = follower(screen)
    listen(Stage(name="layers", state="started"))
    for event in events()[4:80]:
        listen(event)
    listen(Progress(stage="layers", done=50, total=100, eta_seconds=61.0))
    listen(Message(level="info", text="a\x1b[2Jb"))
    listen(Stage(name="layers", state="finished"))
    listen.close()
    shown = screen.getvalue()
    assert "50 %" in shown and "50/100" in shown and "1 min 01 s left" in shown
    assert "validation loss" in shown and "names 65.0" in shown
    assert "a[2Jb\n" in shown and "\x1b[2J" not in shown


@pytest.mark.parametrize("kind", [io.StringIO, Screen])
def test_progress_that_nobody_reads_does_not_stop_the_work(kind: type[io.StringIO]) -> None:
    stream = kind()
    listen = follower(stream)
    stream.close()
    for event in [*events(), Progress(stage="hidden", done=1, total=2, eta_seconds=None)]:
        listen(event)
    listen.close()


def test_commands_without_a_run_show_their_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("core.terminal.time.monotonic", lambda: now[0])
    heard: list[Event] = []
    ctx = TerminalContext(heard.append, "trim")
    for done in (0, 10):
        ctx.progress(done, 30)
        now[0] += 5
    assert heard == [
        Progress(stage="trim", done=0, total=30, eta_seconds=None),
        Progress(stage="trim", done=10, total=30, eta_seconds=10.0),
    ]


def test_the_summary_has_a_line_a_score() -> None:
    lines = {line.split("  ")[0]: line.split() for line in summary(RESULTS).splitlines()}
    assert lines["parameters"][-2:] == ["-87.2", "%"]
    assert lines["masked-language loss"][-3:] == ["2.346", "3.457", "+1.111"]
    assert " ".join(lines["names (F1)"]).endswith("83.6 ± 0.5 (3 seeds) 80.2 ± 0.6 (3 seeds) -3.4")
    assert " ".join(lines["pos (accuracy)"]).endswith("95.0 (1 seed) 94.0 (1 seed) -1.0")
