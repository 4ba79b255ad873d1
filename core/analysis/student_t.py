"""Student's t, for intervals of few measurements. No numpy, no torch."""

from __future__ import annotations

from statistics import NormalDist


def student_t(free: int) -> float:
    """The 97.5 % point of Student's t: Abramowitz and Stegun 1964, 26.7.5; below 0.2 % off from three degrees on."""
    if free < 3:
        return (12.7062, 4.3027)[free - 1]
    z = NormalDist().inv_cdf(0.975)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / free ** (power + 1) for power, term in enumerate(terms))
