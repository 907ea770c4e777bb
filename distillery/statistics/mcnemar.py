"""McNemar's exact test: do two files err on different rows by more than chance?"""

from __future__ import annotations

import math

import numpy as np


def mcnemar_exact(gained: int, lost: int) -> float:
    """Two-sided p-value of `gained` against `lost` rows (McNemar 1947).

    The exact conditional test (Fagerland, Lydersen, Laake 2013, "The exact conditional test"): under
    the hypothesis that neither is better, the lesser is binomial with one half. Twice its lower tail, summed
    downwards from the likeliest term.
    """
    rows, less = gained + lost, min(gained, lost)
    if 2 * less >= rows:
        return 1.0
    likeliest = math.lgamma(rows + 1) - math.lgamma(less + 1) - math.lgamma(rows - less + 1)
    down = np.arange(less, 0, -1)
    tail = 1 + np.cumprod(down / (rows - down + 1)).sum()
    return min(1.0, 2 * math.exp(likeliest - rows * math.log(2)) * float(tail))
