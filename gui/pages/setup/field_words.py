"""What the recipe's keys are called in the window, and what each does. A key without words goes by its own name."""

from __future__ import annotations

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

_WORDS = {
    "name": (
        QT_TRANSLATE_NOOP("Recipe", "Name of the run"),
        QT_TRANSLATE_NOOP("Recipe", "What the run and its folder are called."),
    ),
    "seed": (
        QT_TRANSLATE_NOOP("Recipe", "Random seed"),
        QT_TRANSLATE_NOOP(
            "Recipe", "Every random choice follows from it; another number gives another run of the same kind."
        ),
    ),
    "corpus.limit": (
        QT_TRANSLATE_NOOP("Recipe", "Texts at most"),
        QT_TRANSLATE_NOOP("Recipe", "Reads no more texts than this; 0 reads all of them."),
    ),
    "corpus.validation_fraction": (
        QT_TRANSLATE_NOOP("Recipe", "Share kept for checking"),
        QT_TRANSLATE_NOOP(
            "Recipe", "This part of the text is never learnt from, so that learning can be measured on it."
        ),
    ),
    "corpus.max_length": (
        QT_TRANSLATE_NOOP("Recipe", "Longest text in tokens"),
        QT_TRANSLATE_NOOP(
            "Recipe", "Longer texts are split; shorter pieces need less memory, longer ones give more context."
        ),
    ),
    "corpus.least_letters": (
        QT_TRANSLATE_NOOP("Recipe", "Letters at least"),
        QT_TRANSLATE_NOOP("Recipe", "Drops texts with fewer letters, which teach little; 0 keeps all of them."),
    ),
    "corpus.other_scripts": (
        QT_TRANSLATE_NOOP("Recipe", "Texts in other scripts"),
        QT_TRANSLATE_NOOP("Recipe", "What becomes of texts in a script that hardly any of your text is written in."),
    ),
    "targets.vocabulary_multiple": (
        QT_TRANSLATE_NOOP("Recipe", "Words kept, a multiple of"),
        QT_TRANSLATE_NOOP("Recipe", "Rounds the number of words up to a multiple; 8 suits graphics cards."),
    ),
    "targets.attention_heads": (
        QT_TRANSLATE_NOOP("Recipe", "Attention heads"),
        QT_TRANSLATE_NOOP(
            "Recipe", "Heads of each layer; must suit the thinking width. Left alone, they follow from it."
        ),
    ),
    "method.layer_selection": (
        QT_TRANSLATE_NOOP("Recipe", "Which layers to keep"),
        QT_TRANSLATE_NOOP(
            "Recipe",
            "Which of the teacher's layers the student begins with; “tried out” measures many sets and takes the best.",
        ),
    ),
    "method.feed_forward_score": (
        QT_TRANSLATE_NOOP("Recipe", "What tells which inner units to keep"),
        QT_TRANSLATE_NOOP("Recipe", "How it is measured which inner units a layer can do without."),
    ),
    "method.hidden_reduction": (
        QT_TRANSLATE_NOOP("Recipe", "How the width is cut"),
        QT_TRANSLATE_NOOP(
            "Recipe", "How units are chosen when the width shrinks; it also decides which widths there are."
        ),
    ),
    "method.mean_folding": (
        QT_TRANSLATE_NOOP("Recipe", "Keep the mean of what is cut"),
        QT_TRANSLATE_NOOP(
            "Recipe", "What the parts that are cut give on average goes on being added, at no cost in size."
        ),
    ),
    "method.distil_after": (
        QT_TRANSLATE_NOOP("Recipe", "When it learns"),
        QT_TRANSLATE_NOOP("Recipe", "After each big cut, or once after all of them; the steps are the same in all."),
    ),
    "method.distil_from": (
        QT_TRANSLATE_NOOP("Recipe", "Whom it learns from in the end"),
        QT_TRANSLATE_NOOP(
            "Recipe", "Once its width is cut: the teacher, or the larger model that it was a moment before."
        ),
    ),
    "method.rounds": (
        QT_TRANSLATE_NOOP("Recipe", "Rounds of cutting"),
        QT_TRANSLATE_NOOP(
            "Recipe",
            "A large cut can be made bit by bit, learning between the cuts; the steps of learning are the same in all.",
        ),
    ),
    "method.vocabulary_order": (
        QT_TRANSLATE_NOOP("Recipe", "When words are cut"),
        QT_TRANSLATE_NOOP("Recipe", "Cutting words first makes all that follows faster; the paper cuts them last."),
    ),
    "method.vocabulary_frequency": (
        QT_TRANSLATE_NOOP("Recipe", "Which words count as frequent"),
        QT_TRANSLATE_NOOP("Recipe", "Those in the most texts (document), or those that occur most often (token)."),
    ),
    "method.vocabulary_words": (
        QT_TRANSLATE_NOOP("Recipe", "Words always kept"),
        QT_TRANSLATE_NOOP("Recipe", "A file of words, one a line, that are never split more than they are now."),
    ),
    "method.kd_loss": (
        QT_TRANSLATE_NOOP("Recipe", "How it copies the teacher"),
        QT_TRANSLATE_NOOP(
            "Recipe",
            "What measures how far the student is from the teacher: their words' odds (kl) or raw scores (mse).",
        ),
    ),
    "method.alpha": (
        QT_TRANSLATE_NOOP("Recipe", "Weight of the text itself"),
        QT_TRANSLATE_NOOP("Recipe", "1 learns from the text alone, 0 from the teacher alone."),
    ),
    "method.temperature": (
        QT_TRANSLATE_NOOP("Recipe", "Softness of the teacher"),
        QT_TRANSLATE_NOOP("Recipe", "Above 1, the teacher's second guesses count for more."),
    ),
    "method.hidden_weight": (
        QT_TRANSLATE_NOOP("Recipe", "Weight of the inner states"),
        QT_TRANSLATE_NOOP(
            "Recipe", "How much it also copies how the teacher sees each word inside; 0 copies its answers alone."
        ),
    ),
    "method.masked_share": (
        QT_TRANSLATE_NOOP("Recipe", "Share of hidden words"),
        QT_TRANSLATE_NOOP(
            "Recipe", "How much of the text the student must guess while it learns; more is harder and teaches more."
        ),
    ),
    "method.dropout": (
        QT_TRANSLATE_NOOP("Recipe", "Leave out parts by chance"),
        QT_TRANSLATE_NOOP(
            "Recipe",
            "Whether units rest by chance while it learns, as the teacher's did; a small model rarely gains by it.",
        ),
    ),
    "schedule.distil_steps": (
        QT_TRANSLATE_NOOP("Recipe", "Steps of learning"),
        QT_TRANSLATE_NOOP(
            "Recipe", "Optimiser steps of each of the two distillations; more is better and takes longer."
        ),
    ),
    "schedule.batch_tokens": (
        QT_TRANSLATE_NOOP("Recipe", "Tokens a step"),
        QT_TRANSLATE_NOOP(
            "Recipe", "How much text each step looks at; more is steadier and slower. Memory decides how it is split."
        ),
    ),
    "schedule.learning_rate": (
        QT_TRANSLATE_NOOP("Recipe", "Learning rate"),
        QT_TRANSLATE_NOOP(
            "Recipe",
            "How far each step moves the student; “auto” tries some for a few steps and takes that of the lowest loss.",
        ),
    ),
    "schedule.warmup_fraction": (
        QT_TRANSLATE_NOOP("Recipe", "Share of warm-up"),
        QT_TRANSLATE_NOOP("Recipe", "Over this first part of the steps the learning rate rises from zero."),
    ),
    "schedule.decay": (
        QT_TRANSLATE_NOOP("Recipe", "How the learning rate falls"),
        QT_TRANSLATE_NOOP("Recipe", "From the end of the warm-up to the last step."),
    ),
    "schedule.patience": (
        QT_TRANSLATE_NOOP("Recipe", "Patience"),
        QT_TRANSLATE_NOOP(
            "Recipe",
            "Learning ends after so many checks in a row without a better one; 0 always goes on to the last step.",
        ),
    ),
    "schedule.evaluate_every": (
        QT_TRANSLATE_NOOP("Recipe", "Steps between checks"),
        QT_TRANSLATE_NOOP("Recipe", "How often the student is measured while it learns; 0 measures twenty times."),
    ),
    "schedule.checkpoint_minutes": (
        QT_TRANSLATE_NOOP("Recipe", "Minutes between saves"),
        QT_TRANSLATE_NOOP(
            "Recipe",
            "No more work than this is lost when the machine goes off; more where the disk is slow, as saving takes "
            "3 % of the time at most. 0 saves after every step.",
        ),
    ),
    "schedule.precision": (
        QT_TRANSLATE_NOOP("Recipe", "Precision"),
        QT_TRANSLATE_NOOP(
            "Recipe", "Half precision is faster on graphics cards; float32 is exact and the same every time."
        ),
    ),
    "schedule.device": (
        QT_TRANSLATE_NOOP("Recipe", "Processor"),
        QT_TRANSLATE_NOOP("Recipe", "What computes; “auto” takes a graphics card where there is one."),
    ),
    "schedule.threads": (
        QT_TRANSLATE_NOOP("Recipe", "Threads"),
        QT_TRANSLATE_NOOP("Recipe", "How many processor cores the run takes; fewer leave more for other work."),
    ),
    "tasks.name": (
        QT_TRANSLATE_NOOP("Recipe", "Name"),
        QT_TRANSLATE_NOOP("Recipe", "What the check is called in plots and results; each needs its own name."),
    ),
    "tasks.seeds": (
        QT_TRANSLATE_NOOP("Recipe", "Seeds"),
        QT_TRANSLATE_NOOP(
            "Recipe", "One training for each number; three or more show how much chance there is in a score."
        ),
    ),
    "tasks.epochs": (
        QT_TRANSLATE_NOOP("Recipe", "Rounds at most"),
        QT_TRANSLATE_NOOP("Recipe", "How often it goes through the training examples at most."),
    ),
    "tasks.patience": (
        QT_TRANSLATE_NOOP("Recipe", "Patience"),
        QT_TRANSLATE_NOOP("Recipe", "It stops after so many rounds without a better score."),
    ),
    "tasks.learning_rate": (
        QT_TRANSLATE_NOOP("Recipe", "Learning rate"),
        QT_TRANSLATE_NOOP("Recipe", "How far each step moves what is trained; “auto” goes by kind and method."),
    ),
    "tasks.batch_size": (
        QT_TRANSLATE_NOOP("Recipe", "Examples a step"),
        QT_TRANSLATE_NOOP("Recipe", "How many examples each step looks at; “auto” goes by kind and method."),
    ),
    "tasks.reduction_factor": (
        QT_TRANSLATE_NOOP("Recipe", "Narrowness of the adapter"),
        QT_TRANSLATE_NOOP("Recipe", "The model's width divided by the adapter's; “auto” goes by the model's width."),
    ),
    "tasks.folds": (
        QT_TRANSLATE_NOOP("Recipe", "Folds of cross-validation"),
        QT_TRANSLATE_NOOP(
            "Recipe",
            "Tests every example once, in so many trainings a seed; 0 takes the test split alone, “auto” does so "
            "unless it is tiny.",
        ),
    ),
}
FILES = {"method.vocabulary_words"}
"""Keys whose value is the path of a file."""
ZERO_IS_AUTOMATIC = {"schedule.evaluate_every"}
"""Keys whose 0 leaves it to the run."""
_GROUPS = {
    "method": QT_TRANSLATE_NOOP("Recipe", "How it is made smaller"),
    "schedule": QT_TRANSLATE_NOOP("Recipe", "How long it learns, and on what"),
    "corpus": QT_TRANSLATE_NOOP("Recipe", "Text"),
    "": QT_TRANSLATE_NOOP("Recipe", "This run"),
    "targets": QT_TRANSLATE_NOOP("Recipe", "Shape"),
    "teacher": QT_TRANSLATE_NOOP("Recipe", "Teacher"),
    "language": QT_TRANSLATE_NOOP("Recipe", "Language"),
}


def label_of(key: str) -> str:
    """What a key such as "schedule.threads" is called in plain words."""
    if key in _WORDS:
        return QCoreApplication.translate("Recipe", _WORDS[key][0])
    return key.rpartition(".")[2].replace("_", " ").capitalize()


def term_of(key: str) -> str:
    """What the field calls it: the key's own name."""
    return key.rpartition(".")[2].replace("_", " ")


def help_of(key: str) -> str:
    """A sentence on what it does."""
    return QCoreApplication.translate("Recipe", _WORDS[key][1]) if key in _WORDS else key


def group_of(table: str) -> str:
    """What a table of the recipe is called."""
    return QCoreApplication.translate("Recipe", _GROUPS[table]) if table in _GROUPS else term_of(table).capitalize()
