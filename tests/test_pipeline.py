"""The whole journey on the sample: what it leaves, how it stops, how it goes on."""

from __future__ import annotations

import errno
import json
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModelForMaskedLM, AutoTokenizer

from core import pipeline, session
from core.analysis.size import estimate
from core.context import Quiet
from core.errors import InputError, Stopped
from core.evaluation import evaluate_model
from core.events import Done, Event, Loss, Message, Progress, Score, Size, Stage
from core.export.versions import versions
from core.machine import machine_name
from core.models import LanguageModel, load, load_tokenizer, save
from core.recipe import load as load_recipe
from core.run import RunFolder
from core.run_context import RunContext
from core.tasks.data import load_task
from core.tasks.encoding import special_ids
from core.workspace import Workspace
from resources import sample
from tests.journeys import STAGES, journey, recipe, student_bytes, timeless


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """An unbroken run; no test may change it."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    journey(folder)
    return RunFolder(folder)


def test_the_student_loads_with_plain_transformers_and_has_the_estimated_size(whole: RunFolder) -> None:
    model = AutoModelForMaskedLM.from_pretrained(whole.student)
    tokenizer = AutoTokenizer.from_pretrained(whole.student)
    results = whole.read_results()
    config = json.loads((sample.teacher_folder() / "config.json").read_text(encoding="utf-8"))
    expected = estimate(
        config, layers=2, feed_forward=256, hidden=64, heads=None, vocabulary=len(tokenizer),
        hidden_reduction="rotate", vocabulary_order="first", adapted=True,
    )  # fmt: skip
    assert model.num_parameters() == results["student"]["parameters"] == expected.student.parameters
    assert results["teacher"]["parameters"] == expected.teacher.parameters
    assert results["student"]["compression"] == pytest.approx(1 - model.num_parameters() / expected.teacher.parameters)
    assert [stage["parameters"] for stage in results["stages"]] == [stage.size.parameters for stage in expected.stages]
    assert model.config.num_hidden_layers == 2
    assert model.config.intermediate_size == 256
    assert model.config.hidden_size == 64
    assert len(tokenizer) <= 700
    text = next(iter(sample.corpus_file().read_text(encoding="utf-8").splitlines()))
    with torch.no_grad():
        assert model(**tokenizer(text, return_tensors="pt")).logits.isfinite().all()


def test_results_hold_what_the_design_says(whole: RunFolder) -> None:
    results = whole.read_results()
    assert set(results) == {"teacher", "student", "stages", "tasks", "throughput", "warnings"}
    known = {"pseudo_perplexity", "pseudo_perplexity_a_word", "pseudo_perplexity_tokens", "tokens_a_word"}
    assert set(results["teacher"]) == {"parameters", "megabytes", "mlm_loss", "mlm_accuracy", *known}
    assert set(results["student"]) == {*results["teacher"], "compression"}
    for model in (results["teacher"], results["student"]):
        assert 1 < model["pseudo_perplexity"] < model["pseudo_perplexity_a_word"]
        assert model["tokens_a_word"] > 1 and model["pseudo_perplexity_tokens"] > 100
    assert [stage["name"] for stage in results["stages"]] == list(STAGES)
    topic, pos = results["tasks"]["topic"], results["tasks"]["pos"]
    assert topic["metric"] == "macro_f1" and pos["metric"] == "accuracy"
    assert len(topic["student"]["runs"]) == 2 and topic["student"]["sd"] >= 0
    assert pos["teacher"]["sd"] is None and 0 <= pos["teacher"]["mean"] <= 100
    assert topic["drop"] == pytest.approx(topic["teacher"]["mean"] - topic["student"]["mean"])
    assert pos["leaks"] == {"test_in_train": 0, "test_in_validation": 0, "test_in_corpus": 0, "examples": []}
    assert results["throughput"]["real_tokens_per_second"] > 0
    assert whole.read_status()["state"] == "finished"
    assert not whole.checkpoint.exists() and not whole.cache.exists()
    assert whole.report.stat().st_size > 1000


def test_a_run_keeps_what_it_was_made_from_and_with(whole: RunFolder) -> None:
    origin = whole.read_origin()
    corpus, pos = origin["corpus"], load_task("pos", "sample", whole.path, "mlt")
    dropped = corpus["empty"] + corpus["short"] + corpus["repeated"] + corpus["other_script"]
    assert corpus["read"] == corpus["kept"] + dropped and corpus["kept"] == corpus["train"] + corpus["validation"] > 0
    assert corpus["scripts"] == ["Latin"]
    assert origin["tasks"]["pos"] == {split: len(getattr(pos, split)) for split in ("train", "validation", "test")}
    for name in STAGES:
        made_with = whole.read_stage(name)["made_with"]
        assert (made_with["versions"], made_with["machine"]) == (versions(), machine_name("cpu"))
    page = whole.report.read_text(encoding="utf-8")
    assert "can't be shown" not in page and made_with["machine"] in page and "Latin script" in page


def test_a_student_alone_is_measured_as_in_its_run(whole: RunFolder) -> None:
    ran = replace(load_recipe(whole.recipe), tasks=())
    found, student = evaluate_model(whole.student, ran, whole.path, Quiet()), whole.read_results()["student"]
    told = {key: value for key, value in found.items() if key in student}
    assert told == {key: value for key, value in student.items() if key != "compression"}
    teacher = evaluate_model(sample.teacher_folder(), ran, whole.path, Quiet())
    assert teacher["tokens_a_word"] == whole.read_results()["teacher"]["tokens_a_word"]
    assert teacher["tokens_a_word"] <= found["tokens_a_word"]


def test_events_tell_the_run_in_order(whole: RunFolder) -> None:
    times, events = zip(*whole.read_events(), strict=True)
    assert list(times) == sorted(times)
    stages = [(event.name, event.state) for event in events if isinstance(event, Stage)]
    assert stages == [(name, state) for name in STAGES for state in ("started", "finished")]
    sizes = [event.parameters for event in events if isinstance(event, Size)]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == 6
    steps = [event.step for event in events if isinstance(event, Loss) and event.split == "train"]
    assert steps == [1, 2, 3, 4] * 3
    assert all(event.kd is None for event in events if isinstance(event, Loss) and event.stage == "adapt")
    probes = [event for event in events if isinstance(event, Score) and event.how == "probe"]
    assert {event.split for event in probes} == {"validation"}
    assert {(event.who, event.task) for event in probes} == {
        (w, t) for w in ("teacher", "student") for t in ("topic", "pos")
    }
    final = [event for event in events if isinstance(event, Score) and event.how == "final"]
    assert {event.split for event in final} == {"test"}


def test_the_recipe_that_ran_has_every_choice_made(whole: RunFolder) -> None:
    ran = load_recipe(whole.recipe)
    assert "auto" not in whole.recipe.read_text(encoding="utf-8").split("[[tasks]]")[0].replace('rate = "auto"', "")
    assert (ran.method.hidden_reduction, ran.targets.attention_heads, ran.schedule.device) == ("rotate", 2, "cpu")
    assert whole.original_recipe.read_text(encoding="utf-8") == recipe()


def test_resuming_a_finished_run_does_nothing(whole: RunFolder) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.path.rglob("*")}
    assert journey(whole.path, resume=True) == whole.read_results()
    assert {path: path.stat().st_mtime_ns for path in whole.path.rglob("*")} == before


def test_another_recipe_or_a_full_folder_is_refused(whole: RunFolder) -> None:
    with pytest.raises(InputError, match="another recipe"):
        journey(whole.path, text=recipe('kd_loss = "mse"'), resume=True)
    with pytest.raises(InputError, match="not empty"):
        journey(whole.path)


@pytest.mark.usefixtures("heeding_at_once")
def test_stopped_in_every_stage_it_resumes_to_the_same_bytes(whole: RunFolder, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    for stage in STAGES:

        def stop(event: Event, stage: str = stage) -> None:
            if isinstance(event, Stage) and (event.name, event.state) == (stage, "started"):
                folder.ask("stop")

        with pytest.raises(Stopped):
            journey(folder.path, resume=folder.path.exists(), listen=stop)
        assert (folder.read_status()["state"], folder.read_status()["stage"]) == ("stopped", stage)
    journey(folder.path, resume=True)
    assert student_bytes(folder.path) == student_bytes(whole.path)
    assert timeless(folder.path) == timeless(whole.path)
    assert _kinds(folder) == _kinds(whole)


def _kinds(folder: RunFolder) -> list[Event]:
    """What events.jsonl tells besides progress and messages, which depend on the clock and on stops."""
    return [event for _, event in folder.read_events() if not isinstance(event, (Progress, Message, Done))]


@pytest.mark.usefixtures("heeding_at_once")
def test_stop_and_keep_best_leaves_a_model_and_can_go_on(whole: RunFolder, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")

    def stop(event: Event) -> None:
        if isinstance(event, Loss) and (event.stage, event.step) == ("hidden", 2):
            folder.ask("stop_keep_best")

    with pytest.raises(Stopped):
        journey(folder.path, listen=stop)
    kept = AutoModelForMaskedLM.from_pretrained(folder.student)
    assert kept.config.hidden_size == 64
    assert not folder.results.exists()
    journey(folder.path, resume=True)
    assert student_bytes(folder.path) == student_bytes(whole.path)


def test_what_was_learnt_before_a_late_stop_is_kept(
    whole: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "run")
    measured = pipeline.validation_loss

    def stop(lm: LanguageModel, work: Workspace) -> float:
        if work.training is not None and work.training.counters.best_step and lm.sizes.hidden == 64:
            raise Stopped(keep_best=True)
        return measured(lm, work)

    text = recipe().replace("checkpoint_minutes = 0", "checkpoint_minutes = 60")
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(pipeline, "validation_loss", stop)
        journey(folder.path, text=text)
    assert AutoModelForMaskedLM.from_pretrained(folder.student).config.hidden_size == 64
    steps: list[int] = []
    journey(
        folder.path,
        text=text,
        resume=True,
        listen=lambda event: steps.append(event.step) if isinstance(event, Loss) else None,
    )
    assert steps == []
    assert (folder.student / "model.safetensors").read_bytes() == (whole.student / "model.safetensors").read_bytes()


def test_an_impossible_vocabulary_is_told_before_any_training(tmp_path: Path) -> None:
    text = recipe('vocabulary_order = "last"').replace("vocabulary_size = 700", "vocabulary_size = 20")
    heard: list[Event] = []
    with pytest.raises(InputError, match="too small"):
        journey(tmp_path / "run", text=text, listen=heard.append)
    assert not any(isinstance(event, Loss) for event in heard)


def test_limits_in_the_teachers_tokenizer_do_not_reach_the_student(tmp_path: Path) -> None:
    teacher = tmp_path / "limited"
    shutil.copytree(sample.teacher_folder(), teacher)
    limited = Tokenizer.from_file(str(teacher / "tokenizer.json"))
    limited.enable_truncation(16)
    limited.enable_padding(length=16)
    limited.save(str(teacher / "tokenizer.json"))
    tokenizer = load_tokenizer(teacher)
    save(LanguageModel(load(sample.teacher_folder())[0].model, tokenizer), tmp_path / "before")
    special_ids(tokenizer)
    save(LanguageModel(load(sample.teacher_folder())[0].model, tokenizer), tmp_path / "after")
    before, after = (json.loads((tmp_path / name / "tokenizer.json").read_text()) for name in ("before", "after"))
    assert before == after
    assert before["truncation"] is before["padding"] is None


@pytest.mark.usefixtures("heeding_at_once")
def test_what_is_odd_about_the_data_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    """A test example that stands in train and in the corpus, and tags that aren't IOB2."""
    seen = "Marija I-PER\nmarret O\nRabat I-LOC\n. O\n"
    (tmp_path / "text.txt").write_text("Marija marret Rabat.\n", encoding="utf-8")
    for split, content in {"train": f"Iva O\n\n{seen}", "validation": "Iva\tO\n", "test": seen}.items():
        (tmp_path / f"{split}.bio").write_text(content, encoding="utf-8")
    text = recipe().split("[[tasks]]")[0].replace('sources = ["sample"]', 'sources = ["sample", "text.txt"]')
    text += '[[tasks]]\nkind = "ner"\nsource = "."\n'
    heard: list[Event] = []

    def stop(event: Event) -> None:
        heard.append(event)
        if isinstance(event, Stage):
            RunFolder(tmp_path / "run").ask("stop")

    with pytest.raises(Stopped):
        journey(tmp_path / "run", text=text, listen=stop)
    told = {(event.level, event.text) for event in heard if isinstance(event, Message)}
    assert any(
        level == "info" and "Task ner: " in text and "test.bio is tagged in IOB1" in text for level, text in told
    )
    (warning,) = (text for level, text in told if level == "warning")
    assert "Task ner: test examples that stand elsewhere too: 1 in its train split, 1 in the corpus (of 1)" in warning


def test_half_a_head_is_refused(tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(sample.teacher_folder(), half)
    weights = load_file(half / "model.safetensors")
    del weights["cls.predictions.transform.LayerNorm.weight"]
    save_file(weights, half / "model.safetensors", {"format": "pt"})
    text = recipe().replace('model = "sample"', 'model = "half"').replace("adapt_steps = 4", "adapt_steps = 0")
    with pytest.raises(InputError, match="not whole"):
        journey(tmp_path / "run", text=text)


def test_a_paused_run_waits_and_goes_on_to_the_same_bytes(whole: RunFolder, tmp_path: Path) -> None:
    folder, paused = RunFolder(tmp_path / "run"), threading.Event()

    def pause(event: Event) -> None:
        if isinstance(event, Loss) and (event.stage, event.step, event.split) == ("layers", 1, "train"):
            folder.ask("pause")
            time.sleep(0.3)  # wishes are looked for a few times a second
        if isinstance(event, Message) and event.text == "Paused.":
            threading.Thread(target=go_on).start()

    def go_on() -> None:
        end = time.monotonic() + 60
        while folder.read_status()["state"] != "paused" and time.monotonic() < end:
            time.sleep(0.05)
        if folder.read_status()["state"] == "paused":
            paused.set()
        folder.ask("resume")

    journey(folder.path, listen=pause)
    assert paused.is_set()
    assert student_bytes(folder.path) == student_bytes(whole.path)


def test_the_papers_order_and_methods(tmp_path: Path) -> None:
    results = journey(tmp_path / "run", text=recipe('preset = "paper"'))
    assert [stage["name"] for stage in results["stages"]] == [
        "adapt", "layers", "feed_forward", "hidden", "vocabulary", "evaluate",
    ]  # fmt: skip
    ran = load_recipe(tmp_path / "run" / "recipe.toml")
    assert (ran.method.hidden_reduction, ran.method.kd_loss, ran.method.layer_selection) == ("truncate", "mse", "last")
    assert (ran.targets.attention_heads, ran.schedule.learning_rate) == (4, 5e-5)
    assert AutoModelForMaskedLM.from_pretrained(tmp_path / "run" / "student").config.vocab_size <= 700


def test_an_encoder_without_a_head_needs_adapting(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(sample.teacher_folder(), bare)
    weights = load_file(bare / "model.safetensors")
    encoder = {name.removeprefix("bert."): tensor for name, tensor in weights.items() if name.startswith("bert.")}
    save_file(encoder, bare / "model.safetensors", {"format": "pt"})
    text = recipe().replace('model = "sample"', 'model = "bare"')
    with pytest.raises(InputError, match="no masked-language head"):
        journey(tmp_path / "none", text=text.replace("adapt_steps = 4", "adapt_steps = 0"))
    assert not (tmp_path / "none").exists()
    results = journey(tmp_path / "run", text=text)
    assert results["stages"][0]["validation_loss"] < 12
    messages = [event.text for _, event in RunFolder(tmp_path / "run").read_events() if isinstance(event, Message)]
    assert any("a new one is trained" in message for message in messages)


def test_everything_wrong_is_named_at_once_and_nothing_is_made(tmp_path: Path) -> None:
    text = recipe().replace('"mlt"', '"xyzzy"').replace("layers = 2", "layers = 9")
    text = text.replace('sources = ["sample"]', 'sources = ["nowhere/*.txt"]').replace(
        'kind = "pos"\nsource = "sample"', 'kind = "pos"\nsource = "no-such-folder"'
    )
    with pytest.raises(InputError) as caught:
        journey(tmp_path / "run", text=text)
    said = str(caught.value)
    assert all(word in said for word in ("xyzzy", "targets.layers is 9", "nowhere", "no-such-folder"))
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_told_whoever_writes(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    told = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    for fault in (told, OSError(errno.ENOSPC, "No space left on device")):
        with pytest.raises(InputError, match="The disk is full"), session._ending(RunContext(folder)):
            raise fault
        assert (folder.read_status()["state"], folder.read_status()["error"]) == ("failed", "The disk is full.")
