"""Tango's score interval for the difference of two proportions that were seen on the same rows.

T. Tango, Equivalence test and confidence interval for the difference in proportions for the paired-sample
design, Statistics in Medicine 17 (1998), 891-908: his score statistic, and the restricted maximum-likelihood
estimate that is its quadratic's positive root. Both files predicted N rows: `gained` rows
only the challenger has right, `lost` rows only the champion; the difference is challenger - champion.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z_ONE_SIDED = 1.6448536269514722  # the normal quantile of 95 %
HALVINGS = 60  # of an interval no wider than 2: what is left is below a double's spacing near 1

Floats = NDArray[np.float64]


def tango_interval(
    gained: ArrayLike, lost: ArrayLike, rows: ArrayLike, z: float = Z_ONE_SIDED
) -> tuple[Floats, Floats]:
    """Lower and upper bound of the difference, each one-sided at z deviations; counts broadcast.

    No rows say nothing: -1 and 1. ValueError where counts are negative or exceed the rows.
    """
    gain, loss, total = np.broadcast_arrays(
        *(np.asarray(count, np.float64) for count in (gained, lost, rows))
    )
    if (gain < 0).any() or (loss < 0).any() or (gain + loss > total).any():
        raise ValueError("discordant rows must be counts, together no more than the rows")
    return _lower_bound(gain, loss, total, z), -_lower_bound(loss, gain, total, z)


def tango_score(gained: ArrayLike, lost: ArrayLike, rows: ArrayLike, difference: ArrayLike) -> Floats:
    """The score statistic of the hypothesis that the true difference is `difference`, above -1 and below 1.

    Normal if it is; the lower bound at z is >= `difference` exactly where the statistic is >= z.
    """
    values = (np.asarray(value, np.float64) for value in (gained, lost, rows, difference))
    gain, loss, total, truth = np.broadcast_arrays(*values)
    excess = (gain - loss) / total - truth
    spread = np.sqrt(variance_under(gain / total, loss / total, truth) / total)
    score: Floats = np.divide(excess, spread, out=np.zeros(spread.shape), where=spread > 0)
    return score


def variance_under(gained: ArrayLike, lost: ArrayLike, difference: ArrayLike) -> Floats:
    """Variance a row of the difference, at the shares that are likeliest if it truly is `difference`.

    `gained`, `lost`: the shares seen. Below zero the root is a sum of positive terms, which loses no digits;
    a difference above zero is the same case with the two files in each other's place.
    """
    gain, loss, truth = (np.asarray(share, np.float64) for share in (gained, lost, difference))
    gain, loss = np.where(truth < 0, gain, loss), np.where(truth < 0, loss, gain)
    drop = np.abs(truth)
    linear = gain + loss + (2 - gain + loss) * drop
    root = np.sqrt(np.maximum(linear**2 - 8 * loss * drop * (1 + drop), 0))
    likeliest_loss = (linear + root) / 4
    variance: Floats = np.maximum(2 * likeliest_loss - drop - drop**2, 0)
    return variance


def _lower_bound(gain: Floats, loss: Floats, rows: Floats, z: float) -> Floats:
    """Bisect for the difference below the one seen that the score test at z just does not reject."""
    known = np.maximum(rows, 1)
    gained, lost = gain / known, loss / known
    low, high = np.full_like(gained, -1), gained - lost
    seen = high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        rejected = seen - middle >= z * np.sqrt(variance_under(gained, lost, middle) / known)
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    bound: Floats = np.where(rows > 0, low, -1)
    return bound
