"""Checkpoints are written as often as asked, but never for more than their share of the time."""

from __future__ import annotations

import pytest

from core.pace import Pace

GIGABYTE = 10**9


class Clock:
    """Stands still unless somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def work(pace: Pace, clock: Clock, seconds: int, *, write: float, size: int = GIGABYTE) -> list[float]:
    """Train for so long, in steps of a second; when checkpoints were written, each in `write` seconds."""
    begun, written = clock.now, []
    while clock.now - begun < seconds:
        clock.now += 1
        if pace.due(size):
            written.append(clock.now - begun)
            with pace.writing(size):
                clock.now += write
    return written


def test_on_a_fast_disk_they_come_as_often_as_asked() -> None:
    clock = Clock()
    written = work(Pace(5, clock), clock, 3600, write=1)
    assert written[:3] == [300, 601, 902]
    assert len(written) == 11


@pytest.mark.parametrize("write", [5, 20, 80, 300])
def test_on_a_slow_disk_they_take_no_more_than_their_share(write: float) -> None:
    clock = Clock()
    pace = Pace(5, clock)
    with pace.writing(GIGABYTE // 4, checkpoint=False):  # an earlier stage's model told how slow it is
        clock.now += write / 4
    written = work(pace, clock, 50_000, write=write)
    assert len(written) >= min(50_000 * 0.02 / write - 1, 50_000 / (300 + write) - 1)
    for place, moment in enumerate(written, 1):
        assert place * write / (moment + write) <= 0.035


def test_without_a_least_time_one_is_always_due() -> None:
    clock = Clock()
    assert work(Pace(0, clock), clock, 30, write=9) == [1, 11, 21]


def test_small_files_tell_nothing_of_the_disk() -> None:
    clock = Clock()
    pace = Pace(1, clock)
    with pace.writing(100, checkpoint=False):
        clock.now += 1
    assert work(pace, clock, 200, write=1)[0] == 59


def test_what_begins_later_counts_from_there() -> None:
    clock = Clock()
    pace = Pace(1, clock)
    clock.now += 59
    pace.begin()
    assert work(pace, clock, 100, write=0) == [60]
