"""Teachers and students with random weights: of the sizes that a stage has, with the tokens that trimming keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForMaskedLM, PreTrainedTokenizerBase

from benchmarks.speed.texts import Ids, read_lines
from core.context import Quiet
from core.families import Sizes, family_of
from core.models import LanguageModel, load_tokenizer
from core.vocabulary.choosing import Wanted, choose_tokens
from core.vocabulary.counting import count_tokens
from core.vocabulary.kinds import kind_of
from core.vocabulary.rewriting import backend_json, numbering, remap_config, trim_tokenizer

STAGES = ("layers", "hidden")


@dataclass(frozen=True, slots=True)
class Pair:
    """Who learns from whom."""

    teacher: LanguageModel
    student: LanguageModel


def stage_sizes(stage: str, whole: Sizes) -> tuple[Sizes, Sizes]:
    """The sizes of a stage's teacher and student, in the paper's shares of the original model's.

    Of a base model: "layers" goes from 12 layers to 6; "hidden" from 6 layers with 2,048 feed-forward units a layer to
    as many layers and units with a width of 312 instead of 768, in as many heads.
    """
    half = replace(whole, layers=whole.layers // 2)
    if stage == "layers":
        return whole, half
    pruned = replace(half, feed_forward=whole.feed_forward * 2 // 3)
    return pruned, replace(pruned, hidden=whole.heads * round(whole.head_width * 312 / 768))


def random_pair(folder: Path, stage: str, seed: int, kept: Sequence[int] | None = None) -> Pair:
    """A stage's teacher and student in the architecture of a folder, with its tokenizer and random weights.

    Args:
        folder: config.json and tokenizer.
        stage: one of `STAGES`.
        seed: gives the weights.
        kept: the tokens that both are trimmed to, old ids, ascending; None: they stay whole.
    """
    tokenizer = load_tokenizer(folder)
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    content, family = config.to_dict(), family_of(config.to_dict())
    whole = family.sizes(content)
    if kept is not None:
        # Random weights of the sizes that cutting leaves: as good as cut ones, which would need the whole ones first,
        # and with them more memory than training.
        tokenizer, content = trim_tokenizer(tokenizer, kept), remap_config(content, kept)
        whole = replace(whole, vocabulary=len(kept))
    made = []
    for number, sizes in enumerate(stage_sizes(stage, whole)):
        torch.manual_seed(seed + number)
        changed = type(config).from_dict(content | family.config_changes(sizes))
        model = AutoModelForMaskedLM.from_config(changed, dtype=torch.float32)
        made.append(LanguageModel(model.eval(), tokenizer))
    return Pair(*made)


def kept_tokens(tokenizer: PreTrainedTokenizerBase, text: Path, size: int) -> tuple[int, ...]:
    """The tokens that trimming to a file's language keeps: exactly `size` of them, or all.

    Where the file holds fewer different tokens, others fill up, so that the number is the one that was asked for.
    """
    kind, lines = kind_of(backend_json(tokenizer)), list(read_lines(text))
    counts = count_tokens(lines, len(lines), tokenizer.backend_tokenizer, Quiet())
    return choose_tokens(kind, counts, Wanted(size=size, multiple=size)).kept


def renumbered(texts: Sequence[Ids], kept: Sequence[int], special: Sequence[int]) -> list[Ids]:
    """Texts in a trimmed vocabulary's numbers; a token that went becomes some other one: the length stays.

    Args:
        texts: in the original's numbers.
        kept: old ids, ascending.
        special: old ids that stand in for nothing.
    """
    new = numbering(kept)
    ordinary = [number for old, number in new.items() if old not in set(special)]
    return [
        np.array([new.get(int(token), ordinary[int(token) % len(ordinary)]) for token in text], dtype=np.int64)
        for text in texts
    ]
