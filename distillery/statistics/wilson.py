"""Wilson's score interval of a proportion."""

from __future__ import annotations

import math

Z95 = 1.959963984540054  # the normal quantile of 97.5 %


def wilson_interval(successes: int, trials: int, z: float = Z95) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927; Brown, Cai, DasGupta 2001, eq. 4) at z deviations."""
    if trials == 0:
        return 0.0, 1.0
    share, spread = successes / trials, z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high
