"""What the terminal shows of a run while it goes on, and at its end."""

from __future__ import annotations

import io

import pytest
from finished_run import RESULTS, events

from core.events import Event, Message, Progress, Stage
from core.terminal import TerminalContext, follower, summary


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_lines_tell_stages_sizes_losses_and_scores() -> None:
    stream = io.StringIO()
    listen = follower(stream)
    for event in events():
        listen(event)
    listen.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "  teacher: 177 M parameters, 711.9 MB"
    assert "Stage: Drop layers, distil" in lines
    assert "  step 20: validation loss 2.8887 (masked-language 4.3094)" in lines
    assert "  names, teacher: F1 80.0 (quick probe)" in lines
    assert lines[-1] == "  warning: The corpus is small."
    assert sum("training loss" in line for line in lines) == 0  # none of five seconds


def test_lines_tell_progress_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("core.terminal.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    listen = follower(stream)
    for done in range(100):
        now[0] += 1
        listen(Progress(stage="layers", done=done, total=100, eta_seconds=100.0 - done))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 20
    assert lines[0] == "  4 of 100, 1 min 36 s left"


def test_a_terminal_gets_a_bar() -> None:
    screen = Screen()
    listen = follower(screen)
    listen(Stage(name="layers", state="started"))
    for event in events()[4:80]:
        listen(event)
    listen(Progress(stage="layers", done=50, total=100, eta_seconds=61.0))
    listen(Message(level="info", text="a\x1b[2Jb"))
    listen(Stage(name="layers", state="finished"))
    listen.close()
    shown = screen.getvalue()
    assert "50 %" in shown and "50/100" in shown and "1 min 01 s left" in shown
    assert "validation loss" in shown and "names 65.0" in shown
    assert "a[2Jb\n" in shown and "\x1b[2J" not in shown


@pytest.mark.parametrize("kind", [io.StringIO, Screen])
def test_progress_that_nobody_reads_does_not_stop_the_work(kind: type[io.StringIO]) -> None:
    stream = kind()
    listen = follower(stream)
    stream.close()
    for event in [*events(), Progress(stage="hidden", done=1, total=2, eta_seconds=None)]:
        listen(event)
    listen.close()


def test_commands_without_a_run_show_their_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("core.terminal.time.monotonic", lambda: now[0])
    heard: list[Event] = []
    ctx = TerminalContext(heard.append, "trim")
    for done in (0, 10):
        ctx.progress(done, 30)
        now[0] += 5
    assert heard == [
        Progress(stage="trim", done=0, total=30, eta_seconds=None),
        Progress(stage="trim", done=10, total=30, eta_seconds=10.0),
    ]


def test_the_summary_has_a_line_a_score() -> None:
    lines = {line.split("  ")[0]: line.split() for line in summary(RESULTS).splitlines()}
    assert lines["parameters"][-2:] == ["-87.2", "%"]
    assert lines["masked-language loss"][-3:] == ["2.346", "3.457", "+1.111"]
    assert " ".join(lines["names (F1)"]).endswith("83.6 ± 0.5 (3 seeds) 80.2 ± 0.6 (3 seeds) -3.4")
    assert " ".join(lines["pos (accuracy)"]).endswith("95.0 (1 seed) 94.0 (1 seed) -1.0")
