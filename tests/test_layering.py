"""The walls of the house: what may import what, and names that stand in two places."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core import recipe
from core.compression.hidden import HIDDEN_REDUCTIONS
from core.compression.layers import LAYER_SELECTIONS
from core.tasks.kinds import KINDS


def _modules_after(statement: str, looked_for: tuple[str, ...]) -> set[str]:
    """Which of the modules a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys\nprint(*(name for name in {looked_for!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_no_module_of_core_imports_qt() -> None:
    walk = "import core, importlib, pkgutil\n"
    walk += "for found in pkgutil.walk_packages(core.__path__, 'core.'): importlib.import_module(found.name)"
    assert _modules_after(walk, ("PySide6", "pyqtgraph", "torch")) == {"torch"}


@pytest.mark.parametrize(
    "module",
    [
        *("recipe", "events", "run", "families", "sealing", "analysis.size", "analysis.preview", "cli", "teachers"),
        *("jobs", "languages", "pretraining", "known_data", "resolve", "known_speed", "calibration", "glance"),
    ],
)
def test_what_the_window_needs_is_free_of_torch(module: str) -> None:
    heavy = ("torch", "transformers", "datasets", "numpy", "tokenizers")
    assert _modules_after(f"import core.{module}", heavy) == set()


def test_what_compares_runs_is_free_of_torch() -> None:
    modules = "core.analysis.compare, core.export.comparison_page, core.export.comparison_text"
    assert _modules_after(f"import {modules}", ("torch", "transformers", "datasets", "tokenizers")) == set()


def test_the_recipe_knows_every_method_by_name() -> None:
    assert set(recipe.LAYER_SELECTIONS) == {"auto", *LAYER_SELECTIONS, "measured"}
    assert set(recipe.HIDDEN_REDUCTIONS) == {"auto", *HIDDEN_REDUCTIONS}
    assert set(recipe.TASK_KINDS) == set(KINDS)


def test_what_trims_a_tokenizer_is_free_of_torch() -> None:
    modules = "core.trim, core.analysis.vocabulary, core.vocabulary.trimming, core.shared_cache, core.corpus.survey"
    modules += ", core.teacher_finder"
    assert _modules_after(f"import {modules}", ("torch",)) == set()
