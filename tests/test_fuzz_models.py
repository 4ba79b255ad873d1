"""Recipes, model folders and run folders of strangers: a right result or a clear error, whatever is in them."""

from __future__ import annotations

import json
import math
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, pre_tokenizers
from toy_tokenizers import wordpiece
from transformers import PreTrainedTokenizerBase

from benchmarks.fuzz.batch import run_batch
from benchmarks.fuzz.models import MODEL_TYPES, make_model
from benchmarks.fuzz.models import READERS as MODELS
from benchmarks.fuzz.runs import READERS as RUNS
from core.analysis.pseudo_perplexity import windows
from core.context import Quiet
from core.corpus.cache import _tokenise
from core.corpus.token_file import TokenFile
from core.distillation.checkpoint import read_about, taking_up
from core.errors import InputError
from core.event_log import EventLog
from core.events import Done
from core.failures import failure_of
from core.models import load, load_tokenizer, save
from core.run import RunFolder
from core.sources import tokenizer_arguments
from core.tasks.encoding import encode
from core.tasks.examples import TextExample, TokenExample
from core.trim import tokenizer_without_torch
from core.vocabulary.counting import count_tokens
from core.vocabulary.fertility import fertility, word_cuts
from core.vocabulary.kinds import kind_of
from core.vocabulary.rewriting import backend_json
from core.vocabulary.soundness import cutting, try_out
from core.weights import INDEX

CASES = {"config.json": 12, "tokenizers": 20, "weights": 25, "runs": 20, "runs in the window": 20}


@pytest.mark.parametrize("name", [*MODELS, *RUNS])
def test_a_reader_gives_a_right_result_or_a_clear_error(name: str, qapp: object) -> None:
    found = run_batch({**MODELS, **RUNS}[name], CASES.get(name, 40), seed=1)
    assert found["failures"] == []
    assert found["right"] and found["refused"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_model("bert", tmp_path / "teacher")


def change(path: Path, **entries: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_no_numbers_are_refused(folder: Path, value: float) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = "bert.encoder.layer.1.output.dense.weight"
    tensors[name] = tensors[name].clone()
    tensors[name][2, 3] = value
    save_file(tensors, path, {"format": "pt"})
    for mapped in (False, True):
        with pytest.raises(InputError, match="no numbers"):
            load(folder, mapped=mapped)


def test_sizes_without_weights_are_refused_before_they_take_memory(folder: Path) -> None:
    change(folder / "config.json", vocab_size=2**24, hidden_size=2**16, num_attention_heads=2**8, num_hidden_layers=900)
    with pytest.raises(InputError, match="describes a model of"):
        load(folder)
    change(folder / "config.json", vocab_size=2**62)
    with pytest.raises(InputError, match="vocab_size"):
        load(folder)


@pytest.mark.parametrize("name", ["../model.safetensors", "/model.safetensors", "..", "a\\b", "sub/model.safetensors"])
def test_parts_outside_of_the_folder_are_refused(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder.parent / "model.safetensors")
    shutil.copy(folder.parent / "model.safetensors", folder / "other.safetensors")
    (folder / INDEX).write_text(json.dumps({"weight_map": {"x": name}}))
    with pytest.raises(InputError, match="as a part"):
        load(folder)


def test_weights_in_parts_are_those_in_one_file(folder: Path) -> None:
    whole = load(folder)[0]
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    for part, chosen in (("a.safetensors", names[::2]), ("b.safetensors", names[1::2])):
        save_file({name: tensors[name] for name in chosen}, folder / part, {"format": "pt"})
    weight_map = {name: "ab"[number % 2] + ".safetensors" for number, name in enumerate(names)}
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    parts = load(folder)[0]
    assert all(torch.equal(tensor, parts.model.state_dict()[name]) for name, tensor in whole.model.state_dict().items())


def test_nothing_that_a_model_names_is_taken_from_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, code and kernels: the model is the one without these entries, and nobody is asked whether to run code."""
    before = load(folder)[0]
    shutil.copytree(folder, folder.parent / "secret")
    change(
        folder / "config.json",
        transformers_weights="../secret/model.safetensors",
        auto_map={"AutoConfig": "evil.Config", "AutoModelForMaskedLM": "evil.Model"},
        attn_implementation="somebody/kernel",
    )
    (folder / "evil.py").write_text("raise SystemExit('code of a model ran')")
    change(
        folder / "tokenizer_config.json",
        auto_map={"AutoTokenizer": ["evil.Slow", "evil.Fast"]},
        tokenizer_file=str(folder.parent / "secret" / "tokenizer.json"),
        vocab_file=str(folder.parent / "secret" / "config.json"),
    )
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked whether to run code"))
    (folder.parent / "secret" / "tokenizer.json").write_text("{}")
    after = load(folder)[0]
    assert torch.equal(before.input_embedding, after.input_embedding)
    save(after, folder.parent / "out")
    assert "secret" not in "".join(path.read_text() for path in (folder.parent / "out").glob("*.json"))
    assert not (folder.parent / "out" / "vocab.txt").exists()


@pytest.mark.parametrize("names", [("vocab",), ("merges", "vocab"), ("whatever", "vocab")])
def test_no_vocabulary_is_read_from_elsewhere(folder: Path, names: tuple[str, ...]) -> None:
    special = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
    elsewhere = folder.parent / "vocab.txt"
    elsewhere.write_text(f"{special}secret")
    (folder / "vocab.txt").write_text(f"{special}own")
    change(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer", **dict.fromkeys(names, str(elsewhere)))
    (folder / "tokenizer.json").unlink()
    assert {name: value for name, value in tokenizer_arguments(folder).items() if name in names} == dict.fromkeys(names)
    vocabulary = load_tokenizer(folder).get_vocab()
    assert "own" in vocabulary and "secret" not in vocabulary


@pytest.mark.parametrize(
    ("name", "entries", "problem"),
    [
        ("special_tokens_map.json", {"vocab": "../vocab.txt"}, "names what is no token: 'vocab'"),
        ("special_tokens_map.json", {"tokenizer_file": "../x.json"}, "names what is no token: 'tokenizer_file'"),
        ("tokenizer_config.json", {"init_inputs": ["../vocab.txt"]}, "names other files, in init_inputs"),
        ("tokenizer_config.json", {"fast_tokenizer_files": ["../tokenizer.5.json"]}, "in fast_tokenizer_files"),
        ("tokenizer_config.json", {"tokenizer_class": "RagTokenizer"}, "no fast form: 'RagTokenizer'"),
        ("tokenizer_config.json", {"tokenizer_class": "AutoModel"}, "no fast form: 'AutoModel'"),
        ("config.json", {"tokenizer_class": "RagTokenizer"}, "no fast form: 'RagTokenizer'"),
        ("tokenizer_config.json", {"x": " " * 2**23}, "can't be read: it holds more than 8 MB"),
    ],
)
def test_what_would_lead_a_tokenizer_elsewhere_is_refused(
    folder: Path, name: str, entries: dict[str, object], problem: str
) -> None:
    path = folder / name
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.exists() else {}), **entries}))
    with pytest.raises(InputError, match=problem):
        load_tokenizer(folder)
    with pytest.raises(InputError, match=problem):
        tokenizer_without_torch(folder, json.loads((folder / "config.json").read_text()))


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_folder_without_a_vocabulary_is_refused(tmp_path: Path, model_type: str) -> None:
    folder = make_model(model_type, tmp_path / "teacher")
    (folder / "tokenizer.json").unlink()
    for settings in (json.loads((folder / "tokenizer_config.json").read_text()), None):
        (folder / "tokenizer_config.json").unlink(missing_ok=True)
        if settings is not None:
            (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        with pytest.raises(InputError, match=r"Choose a folder with a tokenizer\.json"):
            load_tokenizer(folder)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_how_a_pass_answers_is_not_taken_from_a_model(tmp_path: Path, model_type: str) -> None:
    folder = make_model(model_type, tmp_path / "teacher")
    ids = torch.arange(8, 24).view(2, 8)
    expected = load(folder)[0].layer_states(ids, torch.ones_like(ids))
    change(
        folder / "config.json",
        return_dict=False,
        use_return_dict=False,
        chunk_size_feed_forward=5,
        output_attentions=True,
        output_hidden_states=True,
        use_cache=False,
    )
    lm = load(folder)[0]
    assert all(map(torch.equal, expected, lm.layer_states(ids, torch.ones_like(ids))))
    assert torch.equal(expected[-1], lm.hidden_states(ids, torch.ones_like(ids)))


@pytest.mark.parametrize("name", ["is_decoder", "is_causal", "add_cross_attention"])
def test_a_decoder_is_refused(folder: Path, name: str) -> None:
    change(folder / "config.json", **{name: False})
    load(folder)
    change(folder / "config.json", **{name: True})
    with pytest.raises(InputError, match=rf"a decoder's \({name}\)"):
        load(folder)


def template(times: int, ids: int, name: str = "single") -> dict[str, object]:
    text = {"Sequence": {"id": "A", "type_id": 0}}
    special = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
    return {
        **{"type": "TemplateProcessing", "single": [text], "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}]},
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [4] * ids, "tokens": ["[CLS]"] * ids}},
        name: [special] * times + [text],
    }


@pytest.mark.parametrize(
    "step",
    [
        template(50, 50),
        template(50, 50, "pair"),
        {key: value for key, value in template(50, 50).items() if key != "type"},
        {"type": "Sequence", "processors": [template(50, 50), {"type": "ByteLevel"}]},
        {**template(0, 1), "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 100},
        {**template(50, 50), "processors": 5},
    ],
)
def test_a_template_that_adds_many_tokens_is_refused(folder: Path, step: dict[str, object]) -> None:
    change(folder / "tokenizer.json", post_processor=step)
    with pytest.raises(InputError, match="post_processor"):
        tokenizer_arguments(folder)
    change(folder / "tokenizer.json", post_processor=template(3, 5))
    assert tokenizer_arguments(folder)["tokenizer_file"] == str(folder / "tokenizer.json")


@pytest.mark.parametrize(
    ("part", "step"),
    [
        ("normalizer", {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}),
        ("normalizer", {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 5000}),
        ("normalizer", {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 5000, "processors": 5}),
        ("normalizer", {"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 200}),
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAAAAAAAAAAAAAA"}),
        ("post_processor", {"type": "BertProcessing", "sep": ["[SEP]", 10**6], "cls": ["[CLS]", 0]}),
    ],
)
def test_a_tokenizer_that_leads_astray_is_refused(folder: Path, part: str, step: dict[str, object]) -> None:
    path = folder / "tokenizer.json"
    change(path, **{part: step})
    config = json.loads((folder / "config.json").read_text())
    change(folder / "tokenizer_config.json", tokenizer_class="TokenizersBackend")
    if part == "post_processor":
        with pytest.raises(InputError, match="no token of this id"):
            kind_of(backend_json(tokenizer_without_torch(folder, config)))
        return
    with pytest.raises(InputError):
        tokenizer_without_torch(folder, config)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_pipes_in_a_folder_keep_nobody_waiting(folder: Path) -> None:
    run = RunFolder(folder)
    for name in ("status.json", "events.jsonl", "lock", "recipe.toml", "results.json"):
        os.mkfifo(folder / name)

    def look() -> None:
        assert run.read_status() == {} and list(run.read_events()) == [] and not run.running()
        for read in (run.read_recipe, run.read_results):
            with pytest.raises(InputError):
                read()
        done.set()

    done = threading.Event()
    threading.Thread(target=look, daemon=True).start()
    assert done.wait(10)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="doesn't fit this run"), taking_up(tmp_path):
        raise KeyError("model/x")
    (tmp_path / "state.json").write_text('{"about": 5}')
    assert read_about(tmp_path) == {}


def test_a_log_never_grows_when_it_is_cut(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.append(Done(state="stopped"), 1.0)
    length = log.flush()
    log.cut(10**15)
    log.cut(10**15)
    assert (tmp_path / "events.jsonl").stat().st_size == length
    log.cut(-5)
    log.close()
    assert (tmp_path / "events.jsonl").stat().st_size == 0


@pytest.mark.parametrize("merges", [[["é", "ß"]], ["é ß"], [["e", "##r"], ["é", "ß"]]])
def test_merges_that_would_end_the_process_are_refused(tmp_path: Path, merges: list[object]) -> None:
    model = {"type": "BPE", "continuing_subword_prefix": "#", "vocab": {"é": 0, "ß": 1}, "merges": merges}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"version": "1.0", "added_tokens": [], "model": model}), encoding="utf-8")
    with pytest.raises(InputError, match="'ß', which lacks the prefix '#'"):
        tokenizer_arguments(tmp_path)
    model["merges"] = [["e", "#r"], "#version: 0.2"]
    path.write_text(json.dumps({"version": "1.0", "added_tokens": [], "model": model}), encoding="utf-8")
    assert tokenizer_arguments(tmp_path)["tokenizer_file"] == str(path)


LOST = "bcdefghij" * 9
"""A word that a pattern gets lost in which cuts every shorter one."""


def losing() -> PreTrainedTokenizerBase:
    tokenizer = wordpiece()
    backend = tokenizer.backend_tokenizer
    lost = pre_tokenizers.Split(Regex("(?:[b-z]+[b-z]+)+1"), "isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence([lost, backend.pre_tokenizer])
    try_out(backend, Path("teacher"))
    return tokenizer


@pytest.mark.parametrize(
    "use",
    [
        lambda own, texts, folder: count_tokens(texts, 2, own.backend_tokenizer, Quiet()),
        lambda own, texts, folder: _tokenised(own.backend_tokenizer, texts, folder),
        lambda own, texts, folder: fertility(*[own.backend_tokenizer] * 2, (None, None), texts, Quiet()),
        lambda own, texts, folder: word_cuts(own.backend_tokenizer, None, texts, Quiet()),
        lambda own, texts, folder: encode([TextExample(text, "x") for text in texts], own, 32),
        lambda own, texts, folder: encode([TokenExample(tuple(text.split()), ("O",) * 3) for text in texts], own, 32),
        lambda own, texts, folder: windows(texts, own, 32),
    ],
    ids=["counted", "tokenised", "compared", "cut", "texts", "words", "windows"],
)
def test_a_text_that_a_tokenizer_gets_lost_in_is_named(use: Callable[..., object], tmp_path: Path) -> None:
    texts = ["il-kelb jiġri hawn", f"il-kelb {LOST} hawn"]
    with pytest.raises(InputError, match=f"The teacher's tokenizer can't cut the text '{LOST}'") as caught:
        use(losing(), texts, tmp_path)
    assert failure_of(caught.value).action == "settings" and caught.value.faults[0].key == "teacher.model"


def _tokenised(tokenizer: Tokenizer, texts: list[str], folder: Path) -> object:
    made = TokenFile(folder, np.dtype("<u2"))
    with made:
        return _tokenise(texts, tokenizer, 2, made, Quiet())  # type: ignore[arg-type]


def test_what_is_no_fault_of_a_text_is_raised_as_it_is() -> None:
    with pytest.raises(MemoryError), cutting(["il-kelb"], losing().backend_tokenizer):
        raise MemoryError
