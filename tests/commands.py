"""What tests of the commands share."""

from __future__ import annotations

import pytest

RECIPE = """
name = "small"
[teacher]
model = "xlm-roberta-base"
[language]
code = "mlt"
[corpus]
sources = ["texts/*.txt"]
[targets]
layers = 6
intermediate_size = 2048
hidden_size = 312
attention_heads = 12
vocabulary_size = 40000
"""


def told(captured: pytest.CaptureFixture[str]) -> list[str]:
    """The faults on stderr: pairs of lines, and nothing of a traceback."""
    err = captured.readouterr().err
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith(("error: ", "hint: "))]
    assert lines and [line.partition(":")[0] for line in lines] == ["error", "hint"] * (len(lines) // 2)
    return lines
