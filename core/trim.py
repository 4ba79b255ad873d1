"""The work behind `monoglot trim`: a model folder with the vocabulary of one language. Torch only where weights are."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.context import Context
from core.corpus.prepare import prepare
from core.errors import Fault, InputError, is_panic
from core.events import Message
from core.families import Family, Sizes, family_of
from core.free_space import require_space
from core.new_folder import free_place
from core.recipe import Corpus
from core.rules import Number, Refused
from core.sealing import write_json
from core.small_files import read_object
from core.sources import check_model_folder, tokenizer_arguments
from core.vocabulary.choosing import Wanted
from core.vocabulary.kinds import kind_of
from core.vocabulary.rewriting import backend_json, check_vocabulary, remap_config, trim_tokenizer
from core.vocabulary.soundness import end_of_ids, try_out
from core.vocabulary.trimming import PROVED_ON, TABLE, choose, count_corpus, examine, table, word_ids
from core.weights import weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from core.models import LanguageModel

REPORT = "vocabulary.json"
"""The file that says what was kept, proved and measured."""
_SEED = 0
"""Of the split into the texts that tokens are chosen on and those held out."""

_CLASSES = {
    "bert": "BertTokenizer",
    "distilbert": "BertTokenizer",
    "modernbert": "TokenizersBackend",
    "roberta": "RobertaTokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
}
"""The tokenizer that transformers takes where tokenizer_config.json names none, by model_type."""

_ROBERTA = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
_IDS: dict[str, dict[str, Any]] = {
    "bert": {"pad_token_id": 0},
    "distilbert": {"pad_token_id": 0},
    "modernbert": {
        **{"bos_token_id": 50281, "cls_token_id": 50281, "eos_token_id": 50282, "sep_token_id": 50282},
        "pad_token_id": 50283,
    },
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
}
"""The token ids that transformers takes where config.json names none, by model_type (its own table brings torch)."""


def wanted(size: int | None, coverage: float | None, multiple: int, frequency: str) -> Wanted:
    """How many tokens to keep, as the command line says it.

    Raises:
        InputError: neither size nor coverage, both, or a number out of its range; all faults at once.
    """
    faults = []
    rules: dict[str, tuple[Number, float | None]] = {
        "--size": (Number(low=1), size),
        "--coverage": (Number(low=0, high=1, whole=False, above=True), coverage),
        "--multiple": (Number(low=1), multiple),
    }
    for name, (rule, value) in rules.items():
        try:
            rule.read(name, 1 if value is None else value)
        except Refused as refused:
            faults.append(refused.fault)
    if (size is None) == (coverage is None):
        problem = "Neither --size nor --coverage is given." if size is None else "Both --size and --coverage are given."
        faults.append(Fault(problem, "Give one of them: --size 40000, or --coverage 0.999."))
    if faults:
        raise InputError.of(faults)
    return Wanted(size=size, coverage=coverage, multiple=multiple, frequency=frequency)


def trim_folder(
    model_folder: Path, corpus: Corpus, base: Path, wanted: Wanted, words: Path | None, out: Path, ctx: Context
) -> dict[str, Any]:
    """Write a model folder that holds only the tokens which the corpus' language needs.

    Tokens are chosen on the corpus' training part; what trimming does to text is proved and measured on the held-out
    part, before anything is written.

    Args:
        model_folder: config.json, a fast tokenizer and, if there are any, weights in safetensors. Without weights only
            tokenizer and configuration are written; without a masked-LM head only the encoder.
        corpus: text of the language.
        base: what its relative paths start from.
        wanted: how many tokens to keep, special ones and alphabet included.
        words: a file of words, one a line, whose tokens are always kept.
        out: the folder to write, absent or empty; it appears at the end, whole.
        ctx: told of the progress, asked whether to go on.

    Returns:
        What `out`/vocabulary.json holds: `vocabulary` {before, after, wanted}, `kept` (tokens by reason), `coverage`
        (share of the training part's tokens that are kept, 0-1), `proof`, `held_out` (texts), `fertility` (tokens a
        whitespace word) and `unknown` (number of unknown tokens), each {before, after}, `split` (share of the words
        that take more tokens), `worst` words, `example`, `parameters` {before, after}, and whether there were
        `weights`; with weights `model_proof`.

    Raises:
        InputError: a folder, the texts or the size can't be used.
        RuntimeError: something that trimming claims does not hold (a fault of ours); nothing is written.
    """
    out = free_place(out)
    if words is not None and not words.is_file():
        raise InputError(f"There is no list of words {words}.", hint="Check the path.")
    weights = any(model_folder.glob("*.safetensors")) or any(model_folder.glob("pytorch_model*.bin"))
    config = check_model_folder(model_folder, weights=weights)
    family = family_of(config)
    sizes = family.sizes(config)
    # At most: of the weights, some rows go.
    require_space(out, sum(path.stat().st_size for path in model_folder.glob("*.safetensors")), "The trimmed model")
    with _scratch(out) as scratch:
        texts = prepare(corpus, base, _SEED, scratch / "corpus", ctx)
        lm, has_head = _load(model_folder) if weights else (None, False)
        tokenizer = lm.tokenizer if lm else tokenizer_without_torch(model_folder, config)
        check_vocabulary(len(tokenizer), sizes.vocabulary)
        if weights and not has_head:
            ctx.emit(Message(level="warning", text="The model has no masked-LM head: only its encoder is written."))
        backend = tokenizer.backend_tokenizer
        written = backend_json(tokenizer)
        kind = kind_of(written)
        counts = count_corpus(texts, backend, scratch, ctx)
        ids = word_ids(words, backend, ctx) if words else ()
        selection = choose(kind, counts, wanted, ids, ctx)
        kept = selection.kept
        new_sizes = replace(sizes, vocabulary=len(kept))
        folder = scratch / "model"
        proof = {}
        if lm:
            from core.compression.vocabulary import cut_vocabulary, prove_model

            smaller = cut_vocabulary(lm, kept, share=True)
            trimmed = smaller.tokenizer
            proof = {"model_proof": asdict(prove_model(lm, smaller, kept, texts.validation, PROVED_ON, ctx))}
            _write_model(smaller, has_head, _stored_type(model_folder), folder)
        else:
            trimmed = trim_tokenizer(tokenizer, kept, written)
            trimmed.save_pretrained(folder)
            _write_config(remap_config(_with_ids(config), kept) | family.config_changes(new_sizes), folder)
        findings = examine(backend, trimmed.backend_tokenizer, kind, kept, counts, texts.validation, ctx)
        report = {
            "vocabulary": {"before": sizes.vocabulary, "after": len(kept), "wanted": wanted.size},
            "kept": selection.counted(),
            "coverage": selection.coverage,
            **findings.to_json(),
            **proof,
            "parameters": {"before": _parameters(family, sizes), "after": _parameters(family, new_sizes)},
            "weights": weights,
        }
        write_json(folder / REPORT, report)
        with open(folder / TABLE, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(table(kind, selection, counts))
    return report


def _load(folder: Path) -> tuple[LanguageModel, bool]:
    from core.models import load  # brings torch

    return load(folder, mapped=True)  # of the embedding, its larger part is never read


def tokenizer_without_torch(folder: Path, config: dict[str, Any]) -> PreTrainedTokenizerBase:
    """What AutoTokenizer gives, which would import torch."""
    import transformers

    if not (folder / "tokenizer.json").is_file():
        raise InputError(f"{folder} holds no tokenizer.json.", hint="Choose a folder with a tokenizer.json.")
    path = folder / "tokenizer_config.json"
    arguments = tokenizer_arguments(folder)
    try:
        settings = read_object(path) if path.is_file() else {}
        name = settings.get("tokenizer_class") or _CLASSES[config["model_type"]]
        # transformers 5 has another name for the general class, and "Fast" is gone from the others.
        found = None if name == "PreTrainedTokenizerFast" else getattr(transformers, name.removesuffix("Fast"), None)
        kind = found or transformers.TokenizersBackend
        tokenizer: PreTrainedTokenizerBase = kind.from_pretrained(folder, **arguments)
        backend = tokenizer.backend_tokenizer
    except BaseException as error:  # tokenizers raises plain Exception on a broken file, or panics
        if not (isinstance(error, Exception) or is_panic(error)):
            raise
        raise InputError(
            f"The tokenizer in {folder} can't be read: {error}", hint="Choose a folder with a tokenizer.json."
        ) from error
    backend.no_truncation()
    backend.no_padding()
    try_out(backend, folder)
    check_vocabulary(end_of_ids(backend), family_of(config).sizes(config).vocabulary)
    return tokenizer


def _stored_type(folder: Path) -> str:
    """The numbers that most of a folder's weights are stored in, by torch's name."""
    from safetensors import safe_open

    counts: Counter[str] = Counter()
    for path in weight_files(folder):
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 (it is no dict)
                tensor = file.get_slice(name)
                counts[tensor.get_dtype()] += math.prod(tensor.get_shape())
    return {"BF16": "bfloat16", "F16": "float16"}.get(max(counts, key=counts.__getitem__), "float32")


def _write_model(trimmed: LanguageModel, has_head: bool, stored: str, folder: Path) -> None:
    import torch

    from core.models import save

    trimmed.model.to(getattr(torch, stored))
    if has_head:
        save(trimmed, folder)
        return
    trimmed.model.get_submodule(trimmed.family.encoder).save_pretrained(folder)  # type: ignore[operator]
    trimmed.tokenizer.save_pretrained(folder)


def _with_ids(config: dict[str, Any]) -> dict[str, Any]:
    """config.json with the token ids that transformers would take where it names none, so that they move too."""
    return _IDS[config["model_type"]] | config


def _write_config(config: dict[str, Any], folder: Path) -> None:
    text = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def _parameters(family: Family, sizes: Sizes) -> int:
    return sum(family.parameters(sizes).values())


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """A folder beside `out` whose `model` takes its place when all is written; it goes, whatever happens."""
    scratch = out.with_name(f".{out.name}.unfinished")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{out} can't be written: {error.strerror}.", hint="Choose another folder.") from error
    try:
        yield scratch
        if out.exists():
            out.rmdir()  # empty; Windows doesn't replace it
        (scratch / "model").replace(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
