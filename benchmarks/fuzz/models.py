"""Readers of recipes and of model folders: config.json, tokenizers, weights."""

from __future__ import annotations

import json
import math
import shutil
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzz.damage import damaged
from benchmarks.fuzz.odd import contents, json_files, to_toml
from benchmarks.fuzz.reader import Reader
from core.errors import InputError
from core.preflight import recipe_faults, teacher_here
from core.recipe import load as load_recipe
from core.recipe_text import to_toml as recipe_to_toml
from core.weights import INDEX, weight_files

_RECIPE: dict[str, Any] = {
    "name": "x",
    "seed": 1,
    "teacher": {"model": "sample", "adapt_steps": 0},
    "language": {"code": "mlt"},
    "corpus": {"sources": ["text.txt"], "limit": 10, "validation_fraction": 0.1, "max_length": 64},
    "targets": {"layers": 1, "vocabulary_size": 1000},
    "method": {"preset": "fast", "alpha": 0.5, "rounds": "auto", "vocabulary_words": "words.txt"},
    "schedule": {"distil_steps": 3, "learning_rate": 0.001, "checkpoint_minutes": 5, "device": "cpu", "threads": 1},
    "tasks": [{"kind": "topic", "source": "tasks", "name": "t", "seeds": [1, 2], "epochs": 1, "folds": 0}],
}
_LINES = ("x = 1", "[teacher]", "seed = 0x" + "f" * 6000, "a." * 2000 + "a = 1", "[[tasks]]", "= 1", 'name = """', "\0")


# -- recipes ---------------------------------------------------------------------------------------------------------


def _recipes() -> st.SearchStrategy[str]:
    whole = contents(_RECIPE).map(to_toml)
    lines = st.tuples(whole, st.sampled_from(_LINES)).map("\n".join)
    broken = damaged(st.just(to_toml(_RECIPE).encode())).map(lambda data: data.decode(errors="replace"))
    return st.one_of(whole, whole, lines, broken)


def _read_recipe(text: str, folder: Path) -> None:
    (folder / "text.txt").write_text("Il-qattus jiekol il-ħut.\n", encoding="utf-8")
    (folder / "words.txt").write_text("qattus\n", encoding="utf-8")
    (folder / "tasks").mkdir()
    for split in ("train", "validation", "test"):
        (folder / "tasks" / f"{split}.tsv").write_text("text\tlabel\na b\tx\nc d\ty\n", encoding="utf-8")
    path, again = folder / "recipe.toml", folder / "again.toml"
    path.write_text(text, encoding="utf-8", errors="replace")
    recipe = load_recipe(path)
    again.write_text(recipe_to_toml(recipe), encoding="utf-8")
    assert load_recipe(again) == recipe, "a recipe that is written and read again is another one"
    if faults := recipe_faults(text, folder):
        raise InputError.of(faults)


# -- small models ----------------------------------------------------------------------------------------------------

MODEL_TYPES = ("bert", "xlm-roberta", "distilbert", "modernbert")
_TOKENIZERS = {"bert": "wordpiece", "xlm-roberta": "unigram", "distilbert": "character_bpe", "modernbert": "byte_bpe"}


@cache
def _made() -> Path:
    """A folder with a small model of each type; it stays as long as the process does."""
    from core.models import save
    from tests import toy_tokenizers

    holder = TemporaryDirectory(prefix="monoglot-fuzz-")
    _KEPT.append(holder)
    for model_type in MODEL_TYPES:
        tokenizer = toy_tokenizers.TOYS[_TOKENIZERS[model_type]]()
        save(toy_tokenizers.model(model_type, tokenizer, tied=True), Path(holder.name) / model_type)
    return Path(holder.name)


_KEPT: list[TemporaryDirectory[str]] = []


def make_model(model_type: str, folder: Path) -> Path:
    """Put a small model of a type into a folder."""
    return Path(shutil.copytree(_made() / model_type, folder))


@dataclass(frozen=True, slots=True)
class ModelCase:
    """A small model of a type of which some files are others."""

    model_type: str
    files: tuple[tuple[str, bytes], ...]


_SETTINGS: dict[str, dict[str, Any]] = {
    "config.json": {
        "auto_map": {"AutoConfig": "evil.Config", "AutoModelForMaskedLM": "evil--x.Model"},
        "transformers_weights": "../x.safetensors",
        "attn_implementation": "org/kernel",
        "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True},
        "num_labels": 10**9,
        "id2label": {str(number): "x" for number in range(1000)},
        "_name_or_path": "../../x",
        "dtype": "float8",
        "torch_dtype": "evil",
        "model_type": "gpt2",
        "tokenizer_class": "RagTokenizer",
        "add_cross_attention": True,
        "is_decoder": True,
        "is_causal": True,
        "return_dict": False,
        "chunk_size_feed_forward": 5,
        "pruned_heads": {"0": [0]},
        "configuration_files": ["config.5.0.0.json"],
        "fusion_config": {"x": 1},
        "use_cache": None,
        "hidden_act": "evil",
        "pad_token_id": 10**6,
        "layer_types": ["x"],
        "output_attentions": True,
        "problem_type": "x",
    },
    "tokenizer_config.json": {
        "auto_map": {"AutoTokenizer": ["evil.Slow", "evil.Fast"]},
        "tokenizer_class": "EvilTokenizer",
        "tokenizer_file": "/etc/passwd",
        "vocab_file": "../../x",
        "vocab": "/dev/zero",
        "merges": "/dev/zero",
        "gguf_file": "../x.gguf",
        "init_inputs": [1, 2],
        "fast_tokenizer_files": ["../tokenizer.5.0.0.json"],
        "tokenizer_object": "x",
        "backend": "mistral",
        "extra_special_tokens": ["<x>"] * 50,
        "added_tokens_decoder": {"99999999": {"content": "zz"}},
        "model_max_length": -1,
        "do_lower_case": "x",
        "mask_token": None,
        "unk_token": {"content": "x", "__type": "AddedToken"},
        "padding_side": "up",
    },
}
"""Entries that name code, files or much memory, which no file of ours has."""


@st.composite
def _with_settings(draw: st.DrawFn, name: str, content: Any) -> bytes:
    """A file of a model with one or two of the entries above, and sometimes something else that is odd."""
    tricks = _SETTINGS[name]
    chosen = draw(st.lists(st.sampled_from(sorted(tricks)), min_size=1, max_size=2))
    whole = {**content, **{key: tricks[key] for key in chosen}}
    return json.dumps(draw(contents(whole)) if draw(st.booleans()) else whole).encode().replace(b"0" * 400, b"")


def _configs() -> st.SearchStrategy[ModelCase]:
    return st.sampled_from(MODEL_TYPES).flatmap(_config_cases)


def _config_cases(model_type: str) -> st.SearchStrategy[ModelCase]:
    content = json.loads((_made() / model_type / "config.json").read_bytes())
    files = st.one_of(json_files(content), _with_settings("config.json", content))
    return files.map(lambda data: ModelCase(model_type, (("config.json", data),)))


def _read_model(case: ModelCase, folder: Path) -> None:
    """As a run does: what is checked before it starts, then the model itself."""
    from core.models import load

    teacher = _laid_out(case, folder)
    assert teacher_here(str(teacher), folder) is not None, "a folder is taken for a name"
    lm, _ = load(teacher)
    sound = all(math.isfinite(float(parameter.detach().sum())) for parameter in lm.model.parameters())
    assert sound, "a model of weights that are no numbers"


def _laid_out(case: ModelCase, folder: Path) -> Path:
    teacher = make_model(case.model_type, folder / "teacher")
    for name, data in case.files:
        (teacher / name).write_bytes(data)
    return teacher


# -- tokenizers ------------------------------------------------------------------------------------------------------

_STEPS: tuple[tuple[str, Any], ...] = (
    ("normalizer", {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}),
    ("normalizer", {"type": "Replace", "pattern": {"Regex": "(x|"}, "content": ""}),
    ("normalizer", {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 5000}),
    ("normalizer", {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁▁"}] * 40}),
    ("normalizer", {"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 5000}),
    ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAAAAAAAAAAAAAA"}),
    ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "(?:(?:a*)*)*b"}, "behavior": "Isolated",
                       "invert": False}),
    ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Removed", "invert": True}),
    ("padding", {"strategy": {"Fixed": 10**9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                 "pad_type_id": 0, "pad_token": "x"}),
    ("truncation", {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 5}),
    ("added_tokens", [{"id": 2**32 - 1, "content": "zz", "single_word": False, "lstrip": False, "rstrip": False,
                       "normalized": False, "special": True}]),
    ("post_processor", {"type": "RobertaProcessing", "sep": ["</s>", 2**31], "cls": ["<s>", 0], "trim_offsets": True,
                        "add_prefix_space": False}),
    ("post_processor", {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}] * 300,
                        "pair": [], "special_tokens": {"x": {"id": "x", "ids": [1] * 300, "tokens": ["x"] * 300}}}),
)  # fmt: skip
_PLACES: tuple[tuple[str, Any], ...] = (
    *(("unk_token", value) for value in ("[NO]", None, "")),
    *(("continuing_subword_prefix", value) for value in ("", "\0", "##" * 50)),
    *(("unk_id", value) for value in (None, 10**6, 0)),
    *(("dropout", value) for value in (0.5, 2.0)),
    *(("byte_fallback", value) for value in (True, False)),
    *(("max_input_chars_per_word", value) for value in (0, 2**40)),
    *(("type", value) for value in ("WordLevel", "Unigram", "BPE", "WordPiece")),
    *(
        ("vocab", value)
        for value in ({}, [], {"a": 0}, {"a": 0, "b": 0}, {"a": 2**32 - 1}, [["a", 0.0]], [["a", -1e308]])
    ),
    *(("merges", value) for value in ([], ["a"], [["a", "zz"]], ["a b c"], [["", ""]])),
)


@st.composite
def _tokenizer_json(draw: st.DrawFn, content: Any) -> bytes:
    """A tokenizer.json with a step, or an entry of its model, that leads astray."""
    changed = {**content, "model": dict(content["model"])}
    for _ in range(draw(st.integers(1, 2))):
        if draw(st.booleans()):
            name, value = draw(st.sampled_from(_STEPS))
            changed[name] = value
        else:
            name, value = draw(st.sampled_from(_PLACES))
            changed["model"][name] = value
    if isinstance(changed["model"]["vocab"], dict) and draw(st.booleans()):
        vocabulary = changed["model"]["vocab"] = dict(changed["model"]["vocab"])
        names = sorted(vocabulary) or ["a"]
        number = draw(st.integers(0, len(names) - 1))
        vocabulary[names[number]] = draw(st.sampled_from((0, 5, 10**5, 2**32 - 1)))
        if draw(st.booleans()):
            vocabulary.pop(names[number - 1], None)
    return json.dumps(changed).encode()


def _tokenizers() -> st.SearchStrategy[ModelCase]:
    return st.sampled_from(MODEL_TYPES).flatmap(_tokenizer_cases)


def _tokenizer_cases(model_type: str) -> st.SearchStrategy[ModelCase]:
    made = _made() / model_type
    written, settings = (json.loads((made / name).read_bytes()) for name in ("tokenizer.json", "tokenizer_config.json"))
    own = st.one_of(_tokenizer_json(written), json_files(written)).map(lambda data: (("tokenizer.json", data),))
    beside = st.one_of(_with_settings("tokenizer_config.json", settings), json_files(settings))
    special = json_files({"mask_token": "[MASK]", "unk_token": {"content": "[UNK]", "lstrip": False}})
    added = json_files({"<x>": 5, "<y>": 10**9})
    files = st.one_of(
        own,
        own,
        beside.map(lambda data: (("tokenizer_config.json", data),)),
        special.map(lambda data: (("special_tokens_map.json", data),)),
        added.map(lambda data: (("added_tokens.json", data),)),
    )
    return files.map(lambda changed: ModelCase(model_type, changed))


def _read_tokenizer(case: ModelCase, folder: Path) -> None:
    """Without torch, as the window does; then the vocabulary, and the tokenizer with half of it."""
    from core.sources import check_model_folder
    from core.trim import tokenizer_without_torch
    from core.vocabulary.kinds import kind_of
    from core.vocabulary.rewriting import backend_json, rewrite_tokenizer

    teacher = _laid_out(case, folder)
    written = backend_json(tokenizer_without_torch(teacher, check_model_folder(teacher)))
    kind = kind_of(written)
    rewrite_tokenizer(written, sorted(kind.special | kind.always() | {token for token in kind.pieces if token % 2}))
    assert kind.characters <= {kind.spelt(piece) for piece in kind.own.values()}
    assert kind.spells_everything in (True, False)


# -- weights ---------------------------------------------------------------------------------------------------------

_HEADERS: tuple[Any, ...] = (
    {"dtype": "F32", "shape": [2**62], "data_offsets": [0, 4]},
    {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [0, 0]},
    {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]},
    {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
    {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]},
    {"dtype": "BOOL", "shape": [], "data_offsets": [0, 1]},
    {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]},
    {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]},
    {"dtype": "F32", "shape": [1], "data_offsets": [2**63, 2**63 + 4]},
)


def _weights() -> st.SearchStrategy[ModelCase]:
    return st.sampled_from(MODEL_TYPES).flatmap(_weight_cases)


def _weight_cases(model_type: str) -> st.SearchStrategy[ModelCase]:
    data = (_made() / model_type / "model.safetensors").read_bytes()
    files = st.one_of(_safetensors(data), _safetensors(data), damaged(st.just(data)), _numbers(data), st.just(data))
    return files.map(lambda changed: ModelCase(model_type, (("model.safetensors", changed),)))


@st.composite
def _safetensors(draw: st.DrawFn, data: bytes) -> bytes:
    """A file with another header, or another length of it."""
    (length,) = struct.unpack("<Q", data[:8])
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    what = draw(st.integers(0, 4))
    if what == 0:
        return (
            struct.pack("<Q", draw(st.sampled_from((0, 1, length - 1, length + 1, 2**24, 2**40, 2**64 - 1)))) + data[8:]
        )
    names = sorted(header)
    name = names[draw(st.integers(0, len(names) - 1))]
    if what == 1:
        header[name] = draw(st.sampled_from(_HEADERS))
    elif what == 2:
        header["another" if draw(st.booleans()) else f"x{name}"] = header.pop(name)
    elif what == 3:
        other = names[draw(st.integers(0, len(names) - 1))]
        header[name], header[other] = header[other], header[name]
    else:
        header = draw(contents(header))
    written = json.dumps(header).encode()
    return struct.pack("<Q", len(written)) + written + rest


@st.composite
def _numbers(draw: st.DrawFn, data: bytes) -> bytes:
    """A file in which a value is no number, or endless."""
    (length,) = struct.unpack("<Q", data[:8])
    at = 8 + length + 4 * draw(st.integers(0, (len(data) - 8 - length) // 4 - 1))
    return data[:at] + struct.pack("<f", draw(st.sampled_from((math.nan, math.inf, -math.inf)))) + data[at + 4 :]


_PARTS = (
    "model.safetensors",
    "../model.safetensors",
    "/etc/passwd",
    "..\\x",
    "C:x",
    "",
    ".",
    "a/b",
    "x\0",
    "none",
    1,
    None,
)


@st.composite
def _index(draw: st.DrawFn) -> bytes:
    names = draw(
        st.one_of(st.just(["part.safetensors"] * 2), st.lists(st.sampled_from(_PARTS), min_size=1, max_size=3))
    )
    content = {"metadata": {"total_size": 1}, "weight_map": {f"t{number}": name for number, name in enumerate(names)}}
    return draw(st.one_of(st.just(json.dumps(content).encode()), json_files(content)))


def _read_index(data: bytes, folder: Path) -> None:
    inside = folder / "model"
    inside.mkdir()
    for path in (folder / "model.safetensors", inside / "part.safetensors"):
        path.write_bytes(b"x")
    (inside / INDEX).write_bytes(data)
    files = weight_files(inside)
    assert files and all(path.resolve().parent == inside.resolve() for path in files), (
        "parts lead outside of the folder"
    )


READERS = {
    "recipes": Reader(_recipes(), _read_recipe),
    "config.json": Reader(st.deferred(_configs), _read_model),
    "tokenizers": Reader(st.deferred(_tokenizers), _read_tokenizer, seconds=30.0),
    "weights": Reader(st.deferred(_weights), _read_model),
    "index of weights": Reader(_index(), _read_index),
}
