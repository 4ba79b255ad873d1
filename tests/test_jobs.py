"""The window's short jobs: their answers in this process, their ends in one of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import build
from finished_run import finished_run
from toy_tokenizers import CYRILLIC, LATIN, byte_bpe
from toy_tokenizers import model as toy_model

from core import jobs
from core.errors import Fault
from core.models import load, save
from core.run import RunFolder

ROOT = Path(__file__).parent.parent
RECIPE = '[teacher]\nmodel = "sample"\n[language]\ncode = "mlt"\n[corpus]\nsources = ["sample"]\n'


@pytest.fixture(autouse=True)
def own_handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Nothing stays of what a job sets up for its own process, or is written where the user keeps things."""
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run that was stopped with a student kept."""
    folder = finished_run(tmp_path / "run")
    save(build("bert", tied=True), folder.student)
    (folder.student / "README.md").write_text("# Card", encoding="utf-8")
    folder.results.unlink()
    folder.status.write_text('{"state": "stopped"}')
    return folder


def lines(capsys: pytest.CaptureFixture[str], job: str, **arguments: Any) -> tuple[int, list[dict[str, Any]]]:
    status = jobs.main([json.dumps({"job": job, **arguments})])
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out.isascii()
    return status, [json.loads(line) for line in captured.out.splitlines()]


def done(capsys: pytest.CaptureFixture[str], job: str, **arguments: Any) -> dict[str, Any]:
    status, said = lines(capsys, job, **arguments)
    assert status == 0 and [list(line) for line in said] == [["progress"]] * (len(said) - 1) + [["done"]]
    return dict(said[-1]["done"])


def faults(capsys: pytest.CaptureFixture[str], job: str, **arguments: Any) -> list[Fault]:
    status, said = lines(capsys, job, **arguments)
    assert status == 2
    found = [Fault(**fault) for fault in said[-1]["faults"]]
    assert found and all(fault.problem and fault.hint for fault in found)
    return found


def asked_on_stdin(text: bytes) -> tuple[int, dict[str, Any]]:
    ended = subprocess.run([sys.executable, "-m", "core.jobs"], cwd=ROOT, input=text, capture_output=True)
    assert ended.stderr == b""
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1])


def start(job: str, stdout: int = subprocess.PIPE, **arguments: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "core.jobs", json.dumps({"job": job, **arguments})]
    return subprocess.Popen(command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True)


# -- answers ---------------------------------------------------------------------------------------------------------


def test_corpus_tells_what_the_sources_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("".join(f"Sentenza {n}\n" for n in range(30)), encoding="utf-8")
    size = (tmp_path / "a.txt").stat().st_size
    found = done(capsys, "corpus", sources=["a.txt", "hub:a/b"], base=str(tmp_path))
    assert found == {
        "files": 1,
        "bytes": size,
        "texts": 30,
        "first": [f"Sentenza {n}" for n in range(20)],
        "warnings": ["Read when the run starts: hub:a/b."],
        "kept": 30,
        "dropped": {"empty": 0, "repeated": 0, "short": 0, "other_script": 0},
        "scripts": {"Latin": 1.0},
        "complaints": [],
        "complaint_count": 0,
    }


def test_corpus_tells_complaints_with_their_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("Sentenza\n\nSentenza\nab\n", encoding="utf-8")
    found = done(capsys, "corpus", sources=["a.txt"], base=str(tmp_path))
    assert (found["kept"], found["complaint_count"]) == (1, 2)
    assert found["complaints"] == [
        {"file": str(tmp_path / "a.txt"), "line": 3, "problem": f"repeats line 1 of {tmp_path / 'a.txt'}"},
        {"file": str(tmp_path / "a.txt"), "line": 4, "problem": "has fewer than 5 letters: “ab”"},
    ]


def test_corpus_faults_are_about_the_sources(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = faults(capsys, "corpus", sources=["a.txt", "b.txt"], base=str(tmp_path))
    assert [fault.key for fault in found] == ["corpus.sources"] * 2


def test_task_tells_splits_labels_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    topic = done(capsys, "task", kind="topic", source="sample", base="", language="mlt")
    assert list(topic["splits"]) == ["train", "validation", "test"]
    assert sum(topic["labels"].values()) == topic["splits"]["train"]
    assert len(topic["first"]) == 5 and all(text.partition(": ")[0] in topic["labels"] for text in topic["first"])
    entities = done(capsys, "task", kind="ner", source="sample", base="", language="mlt")
    assert "/O" in entities["first"][0] and entities["labels"]["B-PER"] > 0


def test_a_task_on_the_hub_is_left_to_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    found = done(capsys, "task", kind="topic", source="hub:a/b:c", base="", language="mlt")
    assert found == {"splits": {}, "labels": {}, "first": [], "notes": [], "leaks": {}}
    assert faults(capsys, "task", kind="topic", source="hub:", base="", language="mlt")[0].key == "tasks"
    (fault,) = faults(capsys, "task", kind="ner", source="hub:masakhane/masakhaner2", base="", language="mlt")
    assert "no data in Maltese" in fault.problem and "hub:unimelb-nlp/wikiann:mt" in fault.hint


def test_task_tells_what_is_odd_about_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split, content in {"train": "Ana I-PER\n\nIva O\n", "validation": "Iva O\n", "test": "iva\tO\n"}.items():
        (tmp_path / f"{split}.bio").write_text(content, encoding="utf-8")
    found = done(capsys, "task", kind="ner", source=".", base=str(tmp_path), language="mlt")
    assert found["leaks"] == {"test_in_train": 1, "test_in_validation": 1, "examples": ["iva"]}
    assert len(found["notes"]) == 1 and "IOB1" in found["notes"][0]


def test_task_faults_are_about_the_tasks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = faults(capsys, "task", kind="pos", source=".", base=str(tmp_path), language="mlt")
    assert [fault.key for fault in found] == ["tasks"] * 3


def test_teacher_tells_sizes_without_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lm = build("distilbert", tied=True)
    save(lm, tmp_path / "teacher")
    parameters = sum(lm.parameters.values())
    assert done(capsys, "teacher", model="./teacher", base=str(tmp_path)) == {
        "sizes": {"layers": 4, "hidden": 24, "heads": 4, "feed_forward": 20, "vocabulary": 50},
        "parameters": parameters,
        "megabytes": parameters * 4 / 1e6,
        "has_head": True,
        "licence": None,
        "on_this_machine": True,
    }
    known = done(capsys, "teacher", model="xlm-roberta-base", base=str(tmp_path))
    assert (known["parameters"], known["licence"], known["has_head"]) == (278_295_186, "mit", True)


def test_a_teacher_that_nothing_is_known_of_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for model in ("nobody/has-this", "a b", "./nowhere"):
        assert [fault.key for fault in faults(capsys, "teacher", model=model, base=str(tmp_path))] == ["teacher.model"]


def test_teachers_are_tried_on_a_text(vocabulary: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"sources": ["text.txt"], "base": str(tmp_path), "language": "slk"}
    found = done(capsys, "teachers", models=["./teacher"], **asked)
    assert [one["model"] for one in found["teachers"]] == ["./teacher"] and found["texts"] > 100
    assert found["teachers"][0]["masked_accuracy"] is None and found["teachers"][0]["tokens_a_word"] > 1
    assert found["left_out"] == [] and {one["name"] for one in found["elsewhere"]} >= {"xlm-roberta-base"}
    assert all(one["volume"]["size_gib"] > 20 for one in found["elsewhere"] if "xlm" in one["model"])
    mixed = done(capsys, "teachers", models=["./teacher", "nobody/has-this"], **asked)
    assert mixed["teachers"] == found["teachers"] and "not on this machine" in mixed["left_out"][0]
    assert "not on this machine" in faults(capsys, "teachers", models=["nobody/has-this"], **asked)[0].problem
    assert "not a list" in faults(capsys, "teachers", models="sample", **asked)[0].problem


def test_comparison_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(finished_run(tmp_path / name).path) for name in ("a", "b")]
    found = done(capsys, "comparison", runs=runs, out=str(tmp_path / "page.html"))
    assert found == {"page": str(tmp_path / "page.html")}
    assert "2 runs compared" in (tmp_path / "page.html").read_text(encoding="utf-8")
    (fault,) = faults(capsys, "comparison", runs=[str(tmp_path / "none")], out=str(tmp_path / "page.html"))
    assert "none" in fault.problem


def test_check_tells_every_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert done(capsys, "check", recipe=RECIPE, base=str(tmp_path)) == {}
    wrong = RECIPE.replace('"mlt"', '"xyzzy"') + "[targets]\nlayers = 9\n"
    found = faults(capsys, "check", recipe=wrong, base=str(tmp_path))
    assert [fault.key for fault in found] == ["language.code", "targets.layers"]


@pytest.fixture
def vocabulary(tmp_path: Path) -> str:
    """A recipe of a toy teacher without weights and of a little text beside it."""
    save(toy_model("roberta", byte_bpe(), tied=True), tmp_path / "teacher")
    (tmp_path / "teacher" / "model.safetensors").unlink()
    texts = [*LATIN, *(f"{one} {other}" for one in LATIN for other in LATIN if one < other)]
    (tmp_path / "text.txt").write_text("\n".join(texts), encoding="utf-8")
    recipe = RECIPE.replace('model = "sample"', 'model = "./teacher"').replace('["sample"]', '["text.txt"]')
    return recipe.replace("[corpus]", "[corpus]\nvalidation_fraction = 0.2")


def test_vocabulary_tells_curve_reasons_and_what_breaks(
    vocabulary: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"{vocabulary}[targets]\nvocabulary_coverage = 0.8\nvocabulary_multiple = 8\n"
    found = done(capsys, "vocabulary", recipe=text, base=str(tmp_path))
    assert found.keys() == {"curve", "smallest", "chosen", "kept", "proof", "fertility", "unknown", "split",
                            "held_out", "worst", "example"}  # fmt: skip
    sizes, shares = zip(*found["curve"], strict=True)
    assert list(sizes) == sorted(set(sizes)) and list(shares) == sorted(shares) and 2 < len(sizes) <= 120
    assert found["smallest"] == sizes[0] and shares[-1] == 1
    size, share = found["chosen"]["size"], found["chosen"]["coverage"]
    assert size % 8 == 0 and 0.8 <= share < 0.9
    assert max(point for point in found["curve"] if point[0] <= size)[1] <= share
    assert sum(found["kept"].values()) == size and found["kept"]["special"] == 5 and found["kept"]["merge"] > 0
    assert found["held_out"] == found["proof"]["lines"] > 10
    assert found["fertility"]["before"] < found["fertility"]["after"] and 0 < found["split"] < 1
    assert found["unknown"] == {"before": 0, "after": 0}
    assert 0 < len(found["worst"]) <= 12
    assert all(len(word["after"]) > len(word["before"]) and word["count"] > 0 for word in found["worst"])
    assert found["example"] is None or found["example"].keys() == {"text", "before", "after"}


def test_vocabulary_takes_every_key_of_the_recipe(
    vocabulary: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words.txt").write_text("вечером", encoding="utf-8")
    more = '[method]\nvocabulary_words = "words.txt"\nvocabulary_frequency = "token"\n'
    text = f"{vocabulary}[targets]\nvocabulary_size = 401\n"
    plain = done(capsys, "vocabulary", recipe=text, base=str(tmp_path))
    found = done(capsys, "vocabulary", recipe=text + more, base=str(tmp_path))
    assert plain["chosen"]["size"] == found["chosen"]["size"] == 401
    assert plain["kept"]["words"] == 0 < found["kept"]["words"] and plain["smallest"] < found["smallest"]
    # Without a target nothing is cut: nothing changes.
    whole = done(capsys, "vocabulary", recipe=vocabulary, base=str(tmp_path))
    assert whole["chosen"] == {"size": 520, "coverage": 1.0}
    assert (whole["split"], whole["worst"]) == (0, []) and whole["proof"]["compared"] == whole["held_out"]
    assert whole["curve"] == plain["curve"]


def test_vocabulary_follows_a_corpus_that_changes(
    vocabulary: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = done(capsys, "vocabulary", recipe=vocabulary, base=str(tmp_path))
    assert done(capsys, "vocabulary", recipe=vocabulary, base=str(tmp_path)) == before
    with open(tmp_path / "text.txt", "a", encoding="utf-8") as file:
        file.write("\n" + "\n".join(CYRILLIC))
    assert done(capsys, "vocabulary", recipe=vocabulary, base=str(tmp_path))["curve"] != before["curve"]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('["text.txt"]', '["no.txt"]', "corpus.sources"),
        ('["text.txt"]', '["hub:a/b"]', "corpus.sources"),
        ('["text.txt"]', '["short.txt"]', "corpus.sources"),
        ('"./teacher"', '"./nowhere"', "teacher.model"),
        ('"./teacher"', '"nobody/has-this"', "teacher.model"),
        ('"./teacher"', '"./words"', "teacher.model"),
        ("vocabulary_size = 400", "vocabulary_size = 20", "targets.vocabulary_size"),
        ("vocabulary_size = 400", "vocabulary_size = 400\nvocabulary_coverage = 0.9", "targets.vocabulary_coverage"),
        ("[targets]", '[method]\nvocabulary_words = "no.txt"\n[targets]', "method.vocabulary_words"),
    ],
)
def test_vocabulary_faults_say_what_they_are_about(
    old: str, new: str, key: str, vocabulary: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "short.txt").write_text("Sentenza\n" * 50, encoding="utf-8")
    save(build("bert", tied=True), tmp_path / "words")
    text = f"{vocabulary}[targets]\nvocabulary_size = 400\n"
    assert old in text
    found = faults(capsys, "vocabulary", recipe=text.replace(old, new), base=str(tmp_path))
    assert [fault.key for fault in found] == [key]


def test_export_copies_the_student(run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert done(capsys, "export", run=str(run.path), out=str(out)) == {"folder": str(out)}
    assert load(out)[1]
    assert "not an empty folder" in faults(capsys, "export", run=str(run.path), out=str(out))[0].problem


@pytest.mark.parametrize(
    "arguments",
    [["{"], ["3"], ["{}", "{}"], ["{}"], ['{"job": 3}'], ['{"job": "dance"}'], ['{"job": "check"}'],
     ['{"job": "corpus", "sources": "a", "base": "b"}'], ['{"job": "corpus", "sources": [1], "base": "b"}']],
)  # fmt: skip
def test_what_is_no_job_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert jobs.main(arguments) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert "This is no job" in json.loads(line)["faults"][0]["problem"]


def test_what_is_too_long_for_an_argument_comes_on_standard_input(tmp_path: Path) -> None:
    sources = [f"{number} {'x' * 100} \u0127\udc80.txt" for number in range(3000)]
    (tmp_path / "file.txt").write_text("text", encoding="utf-8")
    request = {"job": "corpus", "sources": [*sources, "file.txt"], "base": str(tmp_path)}
    status, said = asked_on_stdin(json.dumps(request).encode())
    assert status == 2 and len(said["faults"]) == len(sources)


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]"])
def test_what_is_no_job_on_standard_input_is_told(text: bytes) -> None:
    status, said = asked_on_stdin(text)
    assert status == 2 and "This is no job" in said["faults"][0]["problem"]


def test_a_fault_of_ours_goes_to_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(given: jobs.Arguments, ctx: object) -> dict[str, Any]:
        raise RuntimeError("a secret detail")

    monkeypatch.setitem(jobs.JOBS, "check", broken)
    status, said = lines(capsys, "check")
    (fault,) = said[0]["faults"]
    log = Path(fault["hint"].removeprefix("The details are in ").removesuffix("."))
    assert status == 1 and "secret" not in json.dumps(said)
    assert tmp_path in log.parents and "RuntimeError: a secret detail" in log.read_text(encoding="utf-8")


def test_progress_is_told_ten_times_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])

    def steady(given: jobs.Arguments, ctx: Any) -> dict[str, Any]:
        for step in range(101):
            ctx.progress(step, 100)
            now[0] += 0.01
        return {}

    monkeypatch.setitem(jobs.JOBS, "check", steady)
    status, said = lines(capsys, "check")
    assert status == 0 and 9 <= len(said) - 1 <= 12
    assert said[0] == {"progress": [0, 100]}


# -- ends ------------------------------------------------------------------------------------------------------------


def test_a_window_that_is_gone_is_no_fault() -> None:
    window, end = os.pipe()
    os.close(window)
    process = start("corpus", stdout=end, sources=["sample"], base="")
    os.close(end)
    assert process.communicate()[1] == "" and process.returncode == 130


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that can be handled")
def test_a_terminated_export_leaves_nothing(run: RunFolder, tmp_path: Path) -> None:
    with open(run.student / "model.safetensors", "ab") as file:
        file.truncate(400_000_000)  # a hole on disk: it takes a while to copy, and is refused if it comes that far
    before = set(tmp_path.iterdir())
    process = start("export", run=str(run.path), out=str(tmp_path / "out"))
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["progress"][1] > 400_000_000
    os.kill(process.pid, signal.SIGTERM)
    said, errors = process.communicate()
    assert (process.returncode, errors) == (130, "")
    assert "done" not in said and "faults" not in said
    assert set(tmp_path.iterdir()) == before


def test_only_an_export_brings_torch(vocabulary: str, tmp_path: Path) -> None:
    code = "import sys\nfrom core import jobs\nstatus = jobs.main(sys.argv[1:])\nprint(status, 'torch' in sys.modules)"
    for arguments in (
        {"job": "corpus", "sources": ["sample"], "base": ""},
        {"job": "check", "recipe": RECIPE, "base": ""},
        {"job": "vocabulary", "recipe": vocabulary, "base": str(tmp_path)},
    ):
        command = [sys.executable, "-c", code, json.dumps(arguments)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert ended.stdout.splitlines()[-1] == "0 False"
