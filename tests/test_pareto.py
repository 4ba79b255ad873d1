"""The Pareto front, the groups it is taken of, and the paper's points behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from several_runs import SOURCES, run_of

from core.analysis.finished import finished_runs
from core.analysis.pareto import front_groups, on_front
from core.analysis.published import published_average, published_topic
from core.analysis.sharing import most_shared
from core.recipe import Task


def test_a_model_is_on_the_front_unless_one_beats_it() -> None:
    models = [(10, 70.0), (20, 69.0), (20, 75.0), (30, 75.0), (40, 80.0), (40, 80.0), (50, 79.0)]
    assert on_front(models) == [True, False, True, False, True, True, False]
    assert on_front([(10, 70.0)]) == [True] and on_front([]) == []


def test_runs_and_their_teacher_make_a_front(tmp_path: Path) -> None:
    folders = [
        run_of(tmp_path / "small", drops=8.0, parameters=20_000_000),
        run_of(tmp_path / "bad", drops=9.0, parameters=45_000_000),
        run_of(tmp_path / "large", drops=2.0, parameters=60_000_000, teacher_score=80.4),
    ]
    (group,) = front_groups(finished_runs(folders))
    assert (group.language, group.kinds) == ("slk", ("topic",))
    assert [(point.name, point.parameters, point.score, point.on_front) for point in group.points] == [
        ("small", 20_000_000, 72.0, True),
        ("bad", 45_000_000, 71.0, False),
        ("large", 60_000_000, pytest.approx(78.4), True),
        ("xlm-roberta-base", 177_974_523, pytest.approx((80 + 80 + 80.4) / 3), True),
    ]
    assert [point.run for point in group.points] == [
        *map(str, (folders[0].path, folders[1].path, folders[2].path)),
        None,
    ]
    assert group.note == "3 runs by size and score: topic on hub:Davlan/sib200 (adapter)."


def test_only_runs_on_the_same_data_in_the_same_language_are_compared(tmp_path: Path) -> None:
    other_data = (Task(name="topic", kind="topic", source="other"),)
    by_probe = (Task(name="topic", kind="topic", source=SOURCES["topic"], method="probe"),)
    folders = [
        run_of(tmp_path / "a", "slk", {"topic": 1.0, "pos": 3.0}),
        run_of(tmp_path / "b", "slk", {"pos": 4.0, "topic": 2.0, "ner": 50.0}),
        run_of(tmp_path / "c", "swh", {"topic": 1.0, "pos": 3.0}),
        run_of(tmp_path / "d", "slk", {"ner": 7.0}),
        run_of(tmp_path / "e", "slk", {}),
    ]
    for name, tasks in (("other", other_data), ("probe", by_probe)):
        run = run_of(tmp_path / name, "slk", 1.0)
        text = run.recipe.read_text(encoding="utf-8")
        from core.recipe import parse
        from core.recipe_text import to_toml

        run.recipe.write_text(to_toml(replace(parse(text), tasks=tasks)), encoding="utf-8")
        folders.append(run)
    groups = front_groups(finished_runs(folders))
    told = [(group.language, group.kinds, [point.name for point in group.points if point.run]) for group in groups]
    assert told[0] == ("slk", ("topic", "pos"), ["b", "a"])
    assert sorted(told[1:]) == [
        ("slk", ("ner",), ["d"]), ("slk", ("topic",), ["other"]), ("slk", ("topic",), ["probe"]),
        ("swh", ("topic", "pos"), ["c"]),
    ]  # fmt: skip
    assert "mean score over the 2 tasks that they share" in groups[0].note and "(probe)" in "".join(
        g.note for g in groups
    )


@pytest.mark.parametrize(
    ("sets", "shared"),
    [
        (["ab", "abc", "b"], "b"),
        (["ab", "abc", "d"], "ab"),
        (["abc", "abd", "acd"], "a"),
        (["ab", "cd"], "ab"),
        (["", "a"], "a"),
        (["", ""], ""),
        ([], ""),
    ],
)
def test_what_most_have_in_common(sets: list[str], shared: str) -> None:
    assert most_shared([frozenset(one) for one in sets]) == frozenset(shared)


# -- published points ------------------------------------------------------------------------------------------------


def test_published_sizes_follow_from_the_architecture() -> None:
    points = {point.label: point for point in published_topic().points}
    assert len(points) == 8
    whole = points["mBERT (cased), not compressed"]
    assert (whole.parameters, whole.score) == ((177_974_523, 177_974_523), 83.6)
    small = points["mBERT (cased), hidden 312"]
    # 6 layers of 4 · 312² + 2 · 312 · 2048 and their biases and norms, embeddings and head of 40,000 or 119,547 tokens
    layer = 4 * (312 * 312 + 312) + 2 * 312 * 2048 + 2048 + 312 + 4 * 312
    beside = (512 + 2) * 312 + 2 * 312 + 312 * 312 + 312 + 2 * 312
    assert small.parameters == tuple(6 * layer + beside + tokens * 313 for tokens in (40_000, 119_547))
    assert points["XLM-R base, hidden 564"].score == 83.43


def test_published_averages_are_of_the_language_where_there_are_some() -> None:
    slovak = published_average("slk").points
    assert [point.score for point in slovak] == [81.99, 82.29, 81.77, 81.89, 80.48, 75.24]
    assert {point.language for point in slovak} == {"slk"}
    assert slovak[1].parameters[0] == published_topic().points[0].parameters[0]
    assert all(low < high for low, high in (point.parameters for point in slovak))
    assert len(published_average("fin").points) == 18
