"""A finished run of which everything is known that a report can tell, made up."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from finished_run import RESULTS, finished_run

from core.recipe import Recipe
from core.run import RunFolder

_SCORE = {"precision": 80.0, "recall": 70.0}

DETAILS: dict[str, Any] = {
    "names": {
        "labels": {
            "LOC": {"support": 40, "teacher": {**_SCORE, "f1": 90.0}, "student": {**_SCORE, "f1": 88.0}},
            "PER": {"support": 60, "teacher": {**_SCORE, "f1": 85.0}, "student": {**_SCORE, "f1": 60.5}},
        },
        "confusion": {
            "labels": ["O", "LOC", "PER"],
            "teacher": [[900, 0, 0], [3, 117, 0], [0, 6, 174]],
            "student": [[897, 1, 2], [9, 105, 6], [12, 48, 120]],
        },
        "worst": [
            {
                "text": "Ġanni mar Għawdex",
                "gold": ["Ġanni/PER", "Għawdex/LOC"],
                "teacher": ["Ġanni/PER"],
                "student": [],
            },
        ],
    },
    "pos": {"worst": [{"text": "Hu mar", "gold": "x", "teacher": "x", "student": "y"}]},
}

ORIGIN: dict[str, Any] = {
    "corpus": {
        "read": 1100, "empty": 10, "short": 20, "repeated": 70, "other_script": 0, "kept": 1000, "train": 980,
        "validation": 20, "characters": 50_000, "words": 9000, "train_sha256": "0", "validation_sha256": "0",
        "scripts": ["Latin"],
    },
    "tasks": {"names": {"train": 300, "validation": 40, "test": 100}},
}  # fmt: skip

MADE_WITH = {"versions": {"monoglot": "0.1.0", "torch": "1.2.3"}, "machine": "Linux, 3 cores", "ended": "2026-01-02"}


def whole_results() -> dict[str, Any]:
    """results.json with every key there is."""
    results = copy.deepcopy(RESULTS)
    results["teacher"] |= {"pseudo_perplexity": 12.345, "tokens_a_word": 1.875}
    results["student"] |= {"pseudo_perplexity": 23.456, "tokens_a_word": 1.5, "pseudo_perplexity_tokens": 4321}
    names, pos = results["tasks"]["names"], results["tasks"]["pos"]
    names["teacher"]["interval"], names["student"]["interval"] = [80.1, 86.2], [76.3, 83.4]
    names["paired"] = {
        "interval": [1.2, 5.6], "p": 0.0123, "distinguishable": True, "examples": 100, "seeds": [2.0, 4.8],
    }  # fmt: skip
    names |= {"folds": 5, "labels": ["LOC", "PER"]}
    names["leaks"] = {"test_in_train": 3, "test_in_validation": 0, "test_in_corpus": 2, "examples": ["Mar il-Belt"]}
    pos["paired"] = {"interval": [-0.5, 2.5], "p": 0.31, "distinguishable": False, "examples": 50, "seeds": None}
    sides = {
        who: {
            "peak_memory_megabytes": 900.0 * factor,
            "megabytes_on_disk": 700.0 * factor,
            "batches": {
                batch: {"milliseconds": ms * factor, "low": 0.9 * ms, "high": 1.2 * ms, "texts_per_second": 77.7}
                for batch, ms in (("1", 40.0), ("32", 800.0))
            },
        }
        for who, factor in (("teacher", 1.0), ("student", 0.25))
    }
    results["throughput"]["inference"] = {"threads": 2, "tokens_a_text": 31, **sides}
    return results


def whole_run(
    path: Path,
    *,
    made_from: Recipe | None = None,
    results: dict[str, Any] | None = None,
    details: Any = None,
    origin: Any = None,
) -> RunFolder:
    """The run on disk; what isn't given is as above."""
    folder = finished_run(path, made_from=made_from, results=results or whole_results())
    folder.origin.write_text(json.dumps(ORIGIN if origin is None else origin))
    for number, name in enumerate(("layers", "evaluate"), 1):
        stage = folder.stages / f"{number:02d}-{name}"
        stage.mkdir(parents=True)
        (stage / "report.json").write_text(json.dumps({"name": name, "made_with": MADE_WITH}))
    (stage / "tasks.json").write_text(json.dumps(DETAILS if details is None else details))
    return folder
