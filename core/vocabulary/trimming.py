"""From a prepared corpus to the tokens that stay, and what is shown of them. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import Tokenizer

from core.context import Context, Unmeasured
from core.corpus.lines import read_lines
from core.corpus.prepare import PreparedCorpus
from core.errors import InputError, about
from core.events import Message
from core.recipe import Recipe
from core.shared_cache import kept, part_of, shared_folder
from core.spreadsheet import computes
from core.vocabulary.choosing import Selection, Wanted, choose_tokens, language_alphabet
from core.vocabulary.counting import TokenCounts, count_tokens, without_limits
from core.vocabulary.fertility import Fertility, fertility
from core.vocabulary.kinds import Kind
from core.vocabulary.proof import SegmentationProof, prove_segmentation
from core.vocabulary.soundness import cutting

_VERSION = 1
"""Part of what reused counts must agree in: count up when the counting changes."""
PROVED_ON = 50
"""Held-out texts on which a trimmed model is shown to be the same."""
TABLE = "vocabulary.tsv"
"""The file that lists every kept token."""


def count_corpus(corpus: PreparedCorpus, tokenizer: Tokenizer, own: Path, ctx: Context) -> TokenCounts:
    """Count a corpus' tokens in its training part, and its characters in all of it; once on a machine, stopped or not.

    So what is measured on the held-out part is measured on text that had no say in which tokens stay, and yet no
    character of the corpus is lost.

    Args:
        corpus: the corpus.
        tokenizer: what cuts it.
        own: a folder of the caller's alone, for where the machine's cache can't be used.
        ctx: told of the progress, asked whether to go on.
    """

    def fill(folder: Path) -> None:
        # The short part first: a stop in it would lose what wasn't saved of the long one.
        held_out = count_tokens(corpus.validation, len(corpus.validation), tokenizer, Unmeasured(ctx))
        counts = count_tokens(corpus.train, len(corpus.train), tokenizer, ctx, part_of(folder))
        replace(counts, characters=counts.characters + held_out.characters).save(folder)

    plain = without_limits(tokenizer).to_str()
    content = [_VERSION, tokenizers.__version__, plain, corpus.train.sha256, corpus.validation.sha256]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]
    return TokenCounts.load(kept(shared_folder(), "counts", key, fill, ctx, own))


def word_ids(path: Path, tokenizer: Tokenizer, ctx: Context) -> list[int]:
    """The tokens of a list of words, one a line, each as it is cut at a text's beginning and inside of it.

    Raises:
        InputError: the list can't be read or is empty.
    """
    words = [word for line in read_lines(path, Unmeasured(ctx)) if (word := line.strip())]
    if not words:
        raise InputError(f"{path} holds no words.", hint="Write one word a line, or leave the list out.")
    texts = [text for word in words for text in (word, f" {word}")]
    with cutting(texts, tokenizer):
        found = without_limits(tokenizer).encode_batch_fast(texts, add_special_tokens=False)
    return sorted({token for encoding in found for token in encoding.ids})


def choose(kind: Kind, counts: TokenCounts, wanted: Wanted, words: Sequence[int], ctx: Context) -> Selection:
    """Choose the tokens that stay (`choose_tokens`), and tell where these are fewer than wanted."""
    selection = choose_tokens(kind, counts, wanted, words)
    if wanted.size is not None and len(selection.kept) < wanted.size:
        why = f"The corpus holds only {selection.distinct:,} different tokens"
        if selection.coverage < 1:
            why = "Every token that would be next needs others that no longer fit"
        text = f"{why}: the vocabulary has {len(selection.kept):,} instead of {wanted.size:,}."
        ctx.emit(Message(level="warning", text=text, doubt=True))
    return selection


def choose_for(recipe: Recipe, kind: Kind, tokenizer: Tokenizer, counts: TokenCounts, ctx: Context) -> Selection:
    """Choose the tokens that a recipe (its paths absolute) wants to keep; see `choose`."""
    targets = recipe.targets
    wanted = Wanted(
        size=targets.vocabulary_size,
        coverage=targets.vocabulary_coverage,
        multiple=targets.vocabulary_multiple,
        frequency=recipe.method.vocabulary_frequency,
    )
    return choose(kind, counts, wanted, listed_words(recipe, tokenizer, ctx), ctx)


def listed_words(recipe: Recipe, tokenizer: Tokenizer, ctx: Context) -> Sequence[int]:
    """The tokens of a recipe's list of words; none where it has no list."""
    path = recipe.method.vocabulary_words
    with about("method.vocabulary_words"):
        return word_ids(Path(path), tokenizer, ctx) if path else ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What a trimmed tokenizer does to held-out text: proved and measured."""

    proof: SegmentationProof
    fertility: Fertility

    def to_json(self) -> dict[str, Any]:
        """As the reports say it."""
        return {"proof": asdict(self.proof), **self.fertility.to_json()}


def examine(
    before: Tokenizer,
    after: Tokenizer,
    kind: Kind,
    ids: Sequence[int],
    counts: TokenCounts,
    texts: Iterable[str],
    ctx: Context,
) -> Findings:
    """Prove and measure on text that had no part in choosing the tokens.

    Args:
        before: the original.
        after: its trimmed self.
        kind: the original's vocabulary.
        ids: old ids of the kept tokens, ascending.
        counts: what the tokens were chosen by.
        texts: the text; read twice.
        ctx: asked between chunks of texts, told where nothing could be proved.

    Raises:
        RuntimeError: a text is not cut as it should be (a fault of ours).
    """
    proof = prove_segmentation(before, after, kind, ids, language_alphabet(kind, counts), texts, ctx)
    if not proof.compared:
        text = f"Each of {proof.lines} held-out texts has a token that goes, so nothing could be compared."
        ctx.emit(Message(level="warning", text=text, doubt=True))
    unknown = None if kind.unknown is None else ids.index(kind.unknown)
    return Findings(proof, fertility(before, after, (kind.unknown, unknown), texts, ctx))


def table(kind: Kind, selection: Selection, counts: TokenCounts) -> Iterator[str]:
    """Every kept token as a line of a table: new id, old id, token, reason, texts and occurrences in the corpus."""
    yield "new_id\told_id\ttoken\treason\ttexts\toccurrences\n"
    for new, (old, reason) in enumerate(zip(selection.kept, selection.reasons, strict=True)):
        piece = kind.pieces[old]
        if not piece.isprintable() or "\\" in piece:  # a line end or a tab would break the table
            piece = piece.encode("unicode_escape").decode()
        elif computes(piece):  # people open the table in a spreadsheet
            piece = f"\\x{ord(piece[0]):02x}{piece[1:]}"
        yield f"{new}\t{old}\t{piece}\t{reason}\t{counts.documents[old]}\t{counts.occurrences[old]}\n"
