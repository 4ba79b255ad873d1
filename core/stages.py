"""The stages of a run: each takes a model and gives a smaller (or better) one, with a report of what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from core.compression.feed_forward import cut_feed_forward, score_units, strongest
from core.compression.hidden import HIDDEN_REDUCTIONS, Evidence
from core.compression.layers import cut_layers
from core.compression.vocabulary import cut_vocabulary, prove_model
from core.context import Unmeasured
from core.distillation.head import fresh_head
from core.distillation.validation import measure
from core.events import Message
from core.learning import (
    Cut,
    Outcome,
    Round,
    adapt_to_corpus,
    chosen_layers,
    feed_forward_widths,
    hidden_widths,
    learn,
    sample,
)
from core.models import LanguageModel, load, rebuild, tensors_of
from core.resolve import adaptation_rate
from core.vocabulary.choosing import Selection
from core.vocabulary.counting import TokenCounts
from core.vocabulary.kinds import Kind, kind_of
from core.vocabulary.rewriting import backend_json, remap_config
from core.vocabulary.trimming import PROVED_ON, TABLE, choose_for, count_corpus, examine, table
from core.workspace import Workspace

_FEED_FORWARD_TOKENS, _HIDDEN_TOKENS = 16_384, 24_576
"""Training text by which units and directions are chosen."""
_VALIDATION_TOKENS = 200_000
"""Of the loss after each stage; the last one, in results.json's `student`, is on all validation texts."""


def adapt(lm: LanguageModel, work: Workspace) -> Outcome:
    """Continue the teacher's masked-language training on the corpus (paper, step 0); gives it a head if it has none."""
    with work.reading(work.teacher.folder):
        fresh = not load(work.teacher.folder)[1]
    if fresh:
        work.ctx.emit(Message(level="info", text="The teacher has no masked-language head: a new one is trained."))
        counts = count_corpus(work.corpus, lm.tokenizer.backend_tokenizer, work.folder.cache, work.ctx)
        lm = fresh_head(lm, counts.documents)
    rate = adaptation_rate(work.recipe.schedule.learning_rate, fresh_head=fresh)
    return adapt_to_corpus(lm, work, rate)


def check_vocabulary_target(lm: LanguageModel, work: Workspace) -> None:
    """Refuse a vocabulary that can't be cut as the recipe wants before the training that comes before its stage."""
    if "vocabulary" in work.stages[1:]:
        remap_config(lm.config, _chosen(lm, work)[0].kept)


def _chosen(lm: LanguageModel, work: Workspace) -> tuple[Selection, Kind, TokenCounts]:
    """The tokens that stay, among which ones, and how often each occurs."""
    tokenizer, kind = lm.tokenizer.backend_tokenizer, kind_of(backend_json(lm.tokenizer))
    counts = count_corpus(work.corpus, tokenizer, work.folder.cache, work.ctx)
    return choose_for(work.recipe, kind, tokenizer, counts, work.ctx), kind, counts


def vocabulary(lm: LanguageModel, work: Workspace) -> Outcome:
    """Keep the tokens that the corpus uses most (paper, step 4), and prove that the model is the same on them."""
    selection, kind, counts = _chosen(lm, work)
    smaller = cut_vocabulary(lm, selection.kept)
    texts = work.corpus.validation
    tokenizers = lm.tokenizer.backend_tokenizer, smaller.tokenizer.backend_tokenizer
    findings = examine(*tokenizers, kind, selection.kept, counts, texts, work.ctx)
    proof = prove_model(lm, smaller, selection.kept, texts, PROVED_ON, work.ctx)
    text = (
        f"Proved on {findings.proof.lines:,} held-out texts: {findings.proof.compared:,} of kept tokens only are cut "
        f"as before; on {proof.compared:,} texts ({proof.tokens:,} kept tokens) the model itself is the same."
    )
    work.ctx.emit(Message(level="info", text=text))
    notes: dict[str, Any] = {
        "kept": list(selection.kept),
        "reasons": selection.counted(),
        "coverage": selection.coverage,
        **findings.to_json(),
        "model_proof": asdict(proof),
    }
    return Outcome(smaller, notes, {TABLE: "".join(table(kind, selection, counts))})


def layers(lm: LanguageModel, work: Workspace) -> Outcome:
    """Take some of the teacher's layers, then distil (paper, step 1), unless everything is cut first."""
    count = work.recipe.targets.layers or lm.sizes.layers
    if work.first_distillation != "layers":
        keep, notes = chosen_layers(lm, work, count)
        return Outcome(cut_layers(lm, keep), notes)

    def cut(lm: LanguageModel) -> tuple[LanguageModel, dict[str, Any]]:
        keep, notes = chosen_layers(lm, work, count)
        return cut_layers(lm, keep), notes

    return learn(lm, work, "layers", lm, [Round(replace(lm.sizes, layers=count), cut)])


def feed_forward(lm: LanguageModel, work: Workspace) -> Outcome:
    """Keep each layer's most important feed-forward units (paper, step 2); a deep cut in rounds of learning."""
    recipe, method = work.recipe, work.recipe.method

    widths = feed_forward_widths(recipe, lm.sizes)
    # A cut among rounds of learning leaves progress to their steps.
    ctx = Unmeasured(work.ctx) if len(widths) > 1 else work.ctx

    def cut_to(width: int) -> Cut:
        def cut(lm: LanguageModel) -> tuple[LanguageModel, dict[str, Any]]:
            text = sample(work, lm, "feed_forward", _FEED_FORWARD_TOKENS)
            found = score_units(lm.to(recipe.schedule.device), text, method.feed_forward_score, ctx)
            lm.to("cpu")
            means = found.means if method.mean_folding == "on" else None
            return cut_feed_forward(lm, strongest(found.scores, width), means), {}

        return cut

    *before, last = [Round(replace(lm.sizes, feed_forward=width), cut_to(width)) for width in widths]
    made = learn(lm, work, "feed_forward", work.first_teacher(), before) if before else Outcome(lm)
    return replace(made, lm=last.cut(made.lm)[0], notes={**made.notes, "widths": widths})


def hidden(lm: LanguageModel, work: Workspace) -> Outcome:
    """Reduce the hidden size, then distil again (paper, step 3); a deep cut in rounds of learning."""
    recipe, method = work.recipe, work.recipe.method
    previous = method.distil_from == "previous" and work.first_distillation == "layers"
    teacher = lm if previous else work.first_teacher()

    def cut_to(width: int, heads: int) -> Cut:
        def cut(lm: LanguageModel) -> tuple[LanguageModel, dict[str, Any]]:
            if width == lm.sizes.hidden:
                return rebuild(lm, lm.sizes, tensors_of(lm)), {}
            text = sample(work, lm, "hidden statistics", _HIDDEN_TOKENS)
            # Learning follows, and the stage's progress is told in its steps.
            evidence = Evidence(text, method.mean_folding == "on", Unmeasured(work.ctx))
            reduction = HIDDEN_REDUCTIONS[method.hidden_reduction]
            narrower = reduction(lm.to(recipe.schedule.device), width, heads, evidence)
            lm.to("cpu")
            return narrower, {}

        return cut

    widths = hidden_widths(recipe, lm.sizes)
    rounds = [Round(replace(lm.sizes, hidden=width, heads=heads), cut_to(width, heads)) for width, heads in widths]
    made = learn(lm, work, "hidden", teacher, rounds)
    return replace(made, notes={**made.notes, "widths": [width for width, _ in widths]})


STAGES: dict[str, Callable[[LanguageModel, Workspace], Outcome]] = {
    "adapt": adapt,
    "vocabulary": vocabulary,
    "layers": layers,
    "feed_forward": feed_forward,
    "hidden": hidden,
}


def validation_loss(lm: LanguageModel, work: Workspace) -> float:
    """Masked-language loss on validation texts, in nats; on a fixed part of them where there are very many."""
    device = work.recipe.schedule.device
    lm.to(device)
    found = measure(lm, work.data(lm).validation_batches(_VALIDATION_TOKENS), work.ctx)
    lm.to("cpu")
    return found.mlm
