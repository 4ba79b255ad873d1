"""What a start brings into memory: a command that computes nothing loads none of the large libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import resources

HEAVY = ("torch", "transformers", "tokenizers", "safetensors", "datasets", "pyarrow", "numpy", "PySide6", "pyqtgraph")
"""Each takes between a tenth of a second and several to import."""
SAMPLE = Path(resources.__file__).parent / "sample" / "recipe.toml"
LOADED = """
import json, sys
from gui.entry import main
sys.argv = ["monoglot", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(
    ("arguments", "most"),
    [(["--help"], 200), (["--version"], 260), (["estimate", str(SAMPLE)], 320), (["compare", "--help"], 200)],
    ids=["help", "version", "estimate", "a command's help"],
)
def test_a_command_that_computes_nothing_loads_no_large_library(
    arguments: list[str], most: int, tmp_path: Path
) -> None:
    found = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        env={**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},  # nothing measured is known
        capture_output=True,
        text=True,
        check=True,
    )
    modules = json.loads(found.stdout.splitlines()[-1])
    assert not {name.partition(".")[0] for name in modules} & set(HEAVY)
    assert len(modules) < most
