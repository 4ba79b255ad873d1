"""The stages of a run: each takes a model and gives a smaller (or better) one, with a report of what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from core.compression.feed_forward import cut_feed_forward, importance, strongest
from core.compression.hidden import HIDDEN_REDUCTIONS
from core.compression.layers import cut_layers, select_layers
from core.compression.vocabulary import cut_vocabulary, prove_model
from core.distillation.checkpoint import TrainingState
from core.distillation.data import Steps
from core.distillation.head import fresh_head
from core.distillation.losses import Distance
from core.distillation.training import Lesson, TrainingSettings, optimizer_for, train
from core.distillation.validation import measure
from core.events import Message
from core.models import LanguageModel, load, rebuild, tensors_of
from core.resolve import adaptation_rate, learning_rate
from core.seeds import derive
from core.vocabulary.choosing import Selection
from core.vocabulary.counting import TokenCounts
from core.vocabulary.kinds import Kind, kind_of
from core.vocabulary.rewriting import backend_json, remap_config
from core.vocabulary.trimming import TABLE, choose_for, count_corpus, examine, table
from core.workspace import Workspace

_IMPORTANCE_TOKENS, _IMPORTANCE_STEPS = 16_384, 8
_PROOF_LINES = 50
_VALIDATION_TOKENS = 200_000
"""Of the loss after each stage; the last one, in results.json's `student`, is on all validation texts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage made."""

    lm: LanguageModel
    notes: Mapping[str, Any] = field(default_factory=dict)
    """For the stage's report."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts to keep beside the report, by file name."""


def adapt(lm: LanguageModel, work: Workspace) -> Outcome:
    """Continue the teacher's masked-language training on the corpus (paper, step 0); gives it a head if it has none."""
    fresh = not load(work.teacher.folder)[1]
    if fresh:
        work.ctx.emit(Message(level="info", text="The teacher has no masked-language head: a new one is trained."))
        counts = count_corpus(work.corpus, lm.tokenizer.backend_tokenizer, work.folder.cache, work.ctx)
        lm = fresh_head(lm, counts.documents)
    rate = adaptation_rate(work.recipe.schedule.learning_rate, fresh_head=fresh)
    return _trained(lm, work, "adapt", work.recipe.teacher.adapt_steps, rate)


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
    proof = prove_model(lm, smaller, selection.kept, texts, _PROOF_LINES, work.ctx)
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
    """Take some of the teacher's layers, then distil (paper, step 1)."""
    recipe = work.recipe
    count = recipe.targets.layers or lm.sizes.layers
    keep = select_layers(lm.sizes.layers, count, recipe.method.layer_selection, derive(recipe.seed, "layers"))
    made = _distilled(cut_layers(lm, keep), work, "layers", lm)
    return replace(made, notes={**made.notes, "layers": keep})


def feed_forward(lm: LanguageModel, work: Workspace) -> Outcome:
    """Keep each layer's most important feed-forward units (paper, step 2)."""
    budget = work.recipe.schedule.batch_tokens
    steps = Steps(work.data(lm), "feed_forward", budget)
    batches = [
        batch for step in range(min(_IMPORTANCE_STEPS, -(-_IMPORTANCE_TOKENS // budget))) for batch in steps[step]
    ]
    scores = importance(lm.to(work.recipe.schedule.device), batches, work.ctx)
    lm.to("cpu")
    return Outcome(cut_feed_forward(lm, strongest(scores, work.recipe.targets.intermediate_size or scores.shape[1])))


def hidden(lm: LanguageModel, work: Workspace) -> Outcome:
    """Reduce the hidden size, then distil again from the model before (paper, step 3)."""
    recipe = work.recipe
    width, heads = recipe.targets.hidden_size, recipe.targets.attention_heads
    if width is None or heads is None or width == lm.sizes.hidden:
        student = rebuild(lm, lm.sizes, tensors_of(lm))
    else:
        student = HIDDEN_REDUCTIONS[recipe.method.hidden_reduction](lm, width, heads)
    return _distilled(student, work, "hidden", lm)


STAGES: dict[str, Callable[[LanguageModel, Workspace], Outcome]] = {
    "adapt": adapt,
    "vocabulary": vocabulary,
    "layers": layers,
    "feed_forward": feed_forward,
    "hidden": hidden,
}


def _distilled(student: LanguageModel, work: Workspace, stage: str, teacher: LanguageModel) -> Outcome:
    """Train a student on the corpus and on what its teacher says of it."""
    schedule = work.recipe.schedule
    if stage == work.first_distillation and not work.checkpointed(stage):
        for score in work.live.scores(stage, 0, teacher.to(schedule.device), "teacher", work.ctx):
            work.ctx.emit(score)
    rate = learning_rate(schedule.learning_rate, sum(student.parameters.values()))
    return _trained(student, work, stage, schedule.distil_steps, rate, teacher)


def _trained(
    lm: LanguageModel, work: Workspace, stage: str, steps: int, rate: float, teacher: LanguageModel | None = None
) -> Outcome:
    """Train a model, from the checkpoint if there is one of this stage."""
    recipe, schedule = work.recipe, work.recipe.schedule
    data = work.data(lm, teacher)
    lm.to(schedule.device)
    lesson = None
    if teacher is not None:
        teacher.to(schedule.device)
        lesson = Lesson(teacher, Distance(teacher, recipe.method.kd_loss, recipe.method.temperature))
    settings = TrainingSettings(
        stage=stage,
        steps=steps,
        batch_tokens=schedule.batch_tokens,
        learning_rate=rate,
        warmup_fraction=schedule.warmup_fraction,
        evaluate_every=schedule.evaluate_every,
        alpha=recipe.method.alpha,
        seed=recipe.seed,
        bfloat16=schedule.precision == "bfloat16",
    )
    state = TrainingState(lm, optimizer_for(lm))
    if work.checkpointed(stage):
        state.load(work.folder.checkpoint)
    work.training = state
    try:
        best = train(state, data, lesson, settings, work.ctx, work.hooks(settings))
    finally:
        if teacher is not None:
            teacher.to("cpu")
    counters = state.counters
    notes = {
        "steps": counters.step,
        "tokens": counters.tokens,
        "best_step": counters.best_step,
        "learning_rate": settings.learning_rate,
        "timed_tokens": counters.timed_tokens,
        "timed_seconds": counters.timed_seconds,
    }
    return Outcome(best, notes)


def validation_loss(lm: LanguageModel, work: Workspace) -> float:
    """Masked-language loss on validation texts, in nats; on a fixed part of them where there are very many."""
    device = work.recipe.schedule.device
    lm.to(device)
    found = measure(lm, work.data(lm).validation_batches(_VALIDATION_TOKENS), work.ctx)
    lm.to("cpu")
    return found.mlm
