"""What the values of the recipe's choices are called in the window. One without words goes by its own name."""

from __future__ import annotations

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

_AUTOMATIC = QT_TRANSLATE_NOOP("Choice", "automatic")
_ON = QT_TRANSLATE_NOOP("Choice", "yes")
_OFF = QT_TRANSLATE_NOOP("Choice", "no")
_WORDS = {
    "corpus.other_scripts": {
        "drop": QT_TRANSLATE_NOOP("Choice", "left out"),
        "keep": QT_TRANSLATE_NOOP("Choice", "kept"),
    },
    "method.layer_selection": {
        "last": QT_TRANSLATE_NOOP("Choice", "the last ones"),
        "first": QT_TRANSLATE_NOOP("Choice", "the first ones"),
        "stride": QT_TRANSLATE_NOOP("Choice", "every second one"),
        "first_last": QT_TRANSLATE_NOOP("Choice", "the first and the last"),
        "random": QT_TRANSLATE_NOOP("Choice", "by chance"),
        "measured": QT_TRANSLATE_NOOP("Choice", "tried out"),
    },
    "method.feed_forward_score": {
        "first_order": QT_TRANSLATE_NOOP("Choice", "their weights' part in the loss"),
        "activation": QT_TRANSLATE_NOOP("Choice", "their answers' part in the loss"),
        "wanda": QT_TRANSLATE_NOOP("Choice", "how strongly they answer"),
    },
    "method.hidden_reduction": {
        "truncate": QT_TRANSLATE_NOOP("Choice", "first units, as the paper"),
        "svd": QT_TRANSLATE_NOOP("Choice", "each matrix for itself"),
        "per_head": QT_TRANSLATE_NOOP("Choice", "first units, whole heads"),
        "importance": QT_TRANSLATE_NOOP("Choice", "units that vary most"),
        "importance_gradient": QT_TRANSLATE_NOOP("Choice", "units that the loss needs"),
        "rotate": QT_TRANSLATE_NOOP("Choice", "turned, then cut"),
    },
    "method.mean_folding": {"on": _ON, "off": _OFF},
    "method.distil_after": {
        "each": QT_TRANSLATE_NOOP("Choice", "after the layers and after the width"),
        "all": QT_TRANSLATE_NOOP("Choice", "once, after all cuts"),
    },
    "method.distil_from": {
        "teacher": QT_TRANSLATE_NOOP("Choice", "the teacher"),
        "previous": QT_TRANSLATE_NOOP("Choice", "the model before the cut"),
    },
    "method.vocabulary_order": {
        "first": QT_TRANSLATE_NOOP("Choice", "before all else"),
        "last": QT_TRANSLATE_NOOP("Choice", "after all else"),
    },
    "method.vocabulary_frequency": {
        "document": QT_TRANSLATE_NOOP("Choice", "in the most texts"),
        "token": QT_TRANSLATE_NOOP("Choice", "most often"),
    },
    "method.kd_loss": {
        "mse": QT_TRANSLATE_NOOP("Choice", "raw scores of all words"),
        "kl": QT_TRANSLATE_NOOP("Choice", "odds of the hidden words"),
    },
    "method.dropout": {"on": _ON, "off": _OFF},
    "schedule.decay": {
        "linear": QT_TRANSLATE_NOOP("Choice", "in a straight line"),
        "cosine": QT_TRANSLATE_NOOP("Choice", "slowly, fast, slowly"),
    },
    "schedule.precision": {
        "float32": QT_TRANSLATE_NOOP("Choice", "exact"),
        "bfloat16": QT_TRANSLATE_NOOP("Choice", "half"),
    },
    "schedule.device": {
        "cpu": QT_TRANSLATE_NOOP("Choice", "processor"),
        "cuda": QT_TRANSLATE_NOOP("Choice", "NVIDIA graphics card"),
        "mps": QT_TRANSLATE_NOOP("Choice", "Apple graphics"),
    },
}


def choice_words(key: str, value: str) -> str:
    """A choice's value in plain words, the recipe's own word behind them: "every second one (stride)"."""
    plain = _AUTOMATIC if value == "auto" else _WORDS.get(key, {}).get(value)
    return value if plain is None else f"{QCoreApplication.translate('Choice', plain)} ({value})"
