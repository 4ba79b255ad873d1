"""The fit of a power law: it finds the law that made the drops, and its intervals hold it as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from core.analysis.power_law import fit_power_law
from core.analysis.student_t import student_t

VOLUMES = [0.1, 0.4, 1.6, 10.0, 23.2, 85.0]


def law(volumes: list[float], a: float = 9.0, b: float = 0.25) -> list[float]:
    return [a * volume**-b for volume in volumes]


def test_drops_of_an_exact_law_give_it_back() -> None:
    fit = fit_power_law(VOLUMES, law(VOLUMES))
    assert (fit.a, fit.b, fit.spread) == pytest.approx((9.0, 0.25, 0.0), abs=1e-6)
    assert fit.b_interval == pytest.approx((0.25, 0.25), abs=1e-5)
    assert fit.a_interval == pytest.approx((9.0, 9.0), abs=1e-4)
    assert fit.at(16.0) == pytest.approx(4.5)
    assert (fit.band[0].volume, fit.band[-1].volume) == pytest.approx((0.1, 85.0))


@pytest.mark.parametrize("unit", [1.0, 1024.0])
def test_the_unit_of_the_volume_changes_the_factor_alone(unit: float) -> None:
    noisy = [drop + error for drop, error in zip(law(VOLUMES), (1.0, -0.8, 0.5, 0.3, -0.6, 0.2), strict=True)]
    fit, other = fit_power_law(VOLUMES, noisy), fit_power_law([unit * volume for volume in VOLUMES], noisy)
    assert other.b == pytest.approx(fit.b) and other.b_interval == pytest.approx(fit.b_interval, rel=1e-4)
    assert other.a == pytest.approx(fit.a * unit**fit.b)
    assert [(p.drop, p.low, p.high) for p in other.band] == [
        pytest.approx((p.drop, p.low, p.high), rel=1e-3) for p in fit.band
    ]


@pytest.mark.parametrize("b", [0.25, 0.0])
def test_the_intervals_cover_as_often_as_they_say(b: float) -> None:
    draw = np.random.default_rng(20250525)
    true, times, covered = np.array(law(VOLUMES, b=b)), 400, np.zeros(3)
    for _ in range(times):
        fit = fit_power_law(VOLUMES, list(true + draw.normal(0, 0.7, len(true))))
        assert fit.a_interval is not None and fit.b_interval is not None
        middle = fit.band[len(fit.band) // 2]
        covered += [
            fit.b_interval[0] <= b <= fit.b_interval[1],
            fit.a_interval[0] <= 9.0 <= fit.a_interval[1],
            middle.low <= 9.0 * middle.volume**-b <= middle.high,
        ]
    # 95 %, within three standard errors of 400 simulations
    assert all(covered / times == pytest.approx(0.95, abs=0.033))


def test_a_drop_of_nothing_or_a_gain_counts() -> None:
    drops = law(VOLUMES)
    fit = fit_power_law([*VOLUMES, 300.0, 150.0], [*drops, -0.5, 0.0])
    assert fit.b > fit_power_law(VOLUMES, drops).b
    assert fit.b_interval is not None and all(np.isfinite([p.low, p.high]).all() for p in fit.band)


def test_drops_that_settle_nothing_leave_the_interval_open() -> None:
    fit = fit_power_law([1.0, 2.0, 4.0, 8.0, 16.0], [0.3, -0.2, 0.1, -0.3, 0.2])
    assert (fit.a_interval, fit.b_interval, fit.band) == (None, None, ())


@pytest.mark.parametrize(("volumes", "drops"), [([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([0, 1, 2], [1, 2, 3])])
def test_too_little_to_fit_is_refused(volumes: list[float], drops: list[float]) -> None:
    with pytest.raises(ValueError, match="three drops"):
        fit_power_law(volumes, drops)


@pytest.mark.parametrize(("free", "value"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (8, 2.306), (60, 2.000)])
def test_points_of_student_t_are_those_of_the_tables(free: int, value: float) -> None:
    assert student_t(free) == pytest.approx(value, rel=0.002)
