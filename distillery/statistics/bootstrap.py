"""The paired bootstrap: rows are drawn again, what both files made of a row together.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 6.2 (a resample is a vector of counts
from the multinomial) and chapter 13 (a bound is a percentile of the resampled statistic). Equal rows are one
cell with their joint probability: the same distribution. All is challenger - champion, or their ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
TAIL = 0.05
BINS = 15  # of confidence, equally wide (Guo et al. 2017, section 4)
DRAWN_AT_ONCE = 1 << 22  # counts of 8 bytes that are in memory together

Codes = NDArray[np.int64]  # (N,) classes of rows; -1 is a class that the data do not have
Counts = NDArray[np.int64]  # (resamples, cells)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """What was seen, its lower and upper bound (one-sided 95 % each) and its standard error."""

    seen: float
    low: float
    high: float
    error: float


@dataclass(frozen=True)
class Says:
    """What one file says of N rows: how sure it is of its class (N,), and whether that is right (N,)."""

    confidence: Floats
    right: NDArray[np.bool_]


def macro_f1_difference(labels: Codes, champion: Codes, challenger: Codes, seed: int) -> Estimate:
    """Difference in macro F1 over the classes that the N rows have; ValueError without rows."""
    triples = np.stack([labels, champion, challenger])  # (3, N)
    cells, rows = np.unique(triples, axis=1, return_counts=True)
    present = np.unique(labels)

    def statistic(counts: Counts) -> Floats:
        before, after = (_macro_f1(counts, cells[0], said, present) for said in cells[1:])
        return after - before

    return _estimate(statistic, rows, int(rows.sum()), seed)


def calibration_difference(champion: Says, challenger: Says, seed: int) -> Estimate:
    """Difference in expected calibration error (Guo et al. 2017, eq. 3); ValueError without rows.

    A resample's error is too large by what chance adds to every bin, the more the better calibrated the file
    is. So the resampled differences are moved to lie around the one seen.
    """
    rows = len(champion.right)

    def statistic(counts: Counts) -> Floats:
        return _calibration_error(counts, challenger) - _calibration_error(counts, champion)

    return _estimate(statistic, np.ones(rows, np.int64), rows, seed, around_seen=True)


def quantile_ratio(champion: Floats, challenger: Floats, share: float, seed: int) -> Estimate:
    """Ratio of a quantile of R paired times; ValueError without rounds.

    Rounds follow each other, and a slow spell of the machine lasts for some: blocks of about the cube
    root of R rounds are drawn whole (Carlstein 1986; Kunsch 1989), or the interval would be too narrow.
    """
    rounds = len(champion)
    blocks = round(rounds / max(1, round(rounds ** (1 / 3))))
    block_of = np.arange(rounds) * blocks // max(1, rounds)

    def statistic(counts: Counts) -> Floats:
        weights = counts[:, block_of]
        return _quantiles(challenger, weights, share) / _quantiles(champion, weights, share)

    return _estimate(statistic, np.ones(blocks, np.int64), blocks, seed, wide=rounds)


def _estimate(
    statistic: Callable[[Counts], Floats],
    cells: Codes,
    draws: int,
    seed: int,
    around_seen: bool = False,
    wide: int = 0,
) -> Estimate:
    """Resample the cells by their counts, a few resamples at a time, and take the percentiles."""
    if draws == 0:
        raise ValueError("nothing can be drawn again from no rows")
    random, shares = np.random.default_rng(seed), cells / cells.sum()
    step = max(1, DRAWN_AT_ONCE // max(len(cells), wide))
    sizes = [min(step, RESAMPLES - start) for start in range(0, RESAMPLES, step)]
    resampled = np.concatenate([statistic(random.multinomial(draws, shares, size=size)) for size in sizes])
    seen = float(statistic(cells[None])[0])
    moved = seen - resampled.mean() if around_seen else 0.0
    low, high = np.quantile(resampled, [TAIL, 1 - TAIL]) + moved
    return Estimate(seen, float(low), float(high), float(resampled.std()))


def _macro_f1(counts: Counts, labels: Codes, said: Codes, present: Codes) -> Floats:
    """Macro F1 of each resample; a class that a resample neither has nor names counts as 0."""
    right = _summed(counts, np.where(labels == said, labels, -1), present)
    either = _summed(counts, labels, present) + _summed(counts, said, present)
    f1 = np.divide(2 * right, either, out=np.zeros(right.shape), where=either > 0)
    means: Floats = f1.mean(1)
    return means


def _summed(counts: Counts, codes: Codes, wanted: Codes) -> Counts:
    """(resamples, wanted): the counts of the cells of each wanted code."""
    cells = np.flatnonzero(np.isin(codes, wanted))
    cells = cells[np.argsort(codes[cells], kind="stable")]
    sums = np.zeros((len(counts), len(wanted)), np.int64)
    if len(cells):
        found, starts = np.unique(codes[cells], return_index=True)
        sums[:, np.searchsorted(wanted, found)] = np.add.reduceat(counts[:, cells], starts, axis=1)
    return sums


def _calibration_error(counts: Counts, says: Says) -> Floats:
    """(resamples,): sum over the bins of |right - confidence|, a row."""
    bins = np.minimum((says.confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.zeros((len(bins), BINS))
    gaps[np.arange(len(bins)), bins] = says.right - says.confidence
    errors: Floats = np.abs(counts @ gaps).sum(1) / counts.sum(1)
    return errors


def _quantiles(times: Floats, weights: Counts, share: float) -> Floats:
    """(resamples,): the least time that `share` of the weight does not exceed."""
    order = np.argsort(times, kind="stable")
    reached = weights[:, order].cumsum(1)
    at = (reached >= share * reached[:, -1:]).argmax(1)
    quantiles: Floats = times[order][at]
    return quantiles
