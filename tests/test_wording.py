"""Numbers and names as people read them."""

from __future__ import annotations

import pytest

from core.wording import clean, duration, last_name, mean_sd, megabytes, number, parameters


def test_cleaned_text_cannot_steer_a_terminal_and_keeps_every_script() -> None:
    assert clean("a\x1b[31m\r\nb\x00\x9b\u202ec\u2066\u2028d\udcff") == "a[31m bc d"
    assert clean("می‌خواهم हिन्दी ġbejna") == "می‌خواهم हिन्दी ġbejna"


@pytest.mark.parametrize(
    ("source", "name"),
    [("/a/b c", "b c"), ("/a/b/", "b"), ("C:\\a\\b", "b"), ("C:/a/b", "b"), ("org/name", "org/name"),
     ("sample", "sample"),
     ("hub:a/b:c", "hub:a/b:c"), ("./b", "b"), ("~/b", "b")],
)  # fmt: skip
def test_only_the_last_name_of_a_path_is_shown(source: str, name: str) -> None:
    assert last_name(source) == name


def test_numbers_are_written_for_people() -> None:
    counts = (999, 1000, 22_812_688, 99_960_000, 177_974_523, 999_960_000, 2_500_000_000)
    assert [parameters(n) for n in counts] == ["999", "1.0 k", "22.8 M", "100 M", "178 M", "1.0 G", "2.5 G"]
    assert (megabytes(91.25), megabytes(1113.2), megabytes(None)) == ("91.2 MB", "1,113 MB", "–")
    assert [duration(s) for s in (0.4, 59.6, 3599.6, 3725, None)] == [
        "0 s",
        "1 min 00 s",
        "1 h 00 min",
        "1 h 02 min",
        "–",
    ]
    assert (number(None), number(1234.56), number(2.0, 3)) == ("–", "1,234.6", "2.000")
    assert (mean_sd({"mean": 1.0, "sd": None}), mean_sd({"mean": 1.0, "sd": 0.25})) == ("1.0", "1.0 ± 0.2")
