"""Are the gates right? How often a challenger passes whose true loss is the margin, and one that is equal.

    python benchmarks/gates.py [--pairs 20000] [--macro-f1 500]

A pair is two files' predictions of the same rows, drawn with a known disagreement and true difference.
A challenger that truly loses the margin should pass in 5 % of the pairs or fewer. Beside the simulated rate
stands the exact one, summed over all outcomes, and that of the plain percentile bootstrap on the same pairs.
Macro F1 has a bootstrap of its own: it is simulated with ten equal classes whose errors fall evenly, where a
true loss of accuracy is the same loss of macro F1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from distillery.statistics.bootstrap import macro_f1_difference
from distillery.statistics.power import rows_to_pass
from distillery.statistics.tango import Z_ONE_SIDED, tango_interval, tango_score
from distillery.statistics.wilson import wilson_interval

ROWS = (360, 1000, 10_000)
DISAGREEMENTS = (0.01, 0.02, 0.03, 0.05, 0.07, 0.10)
MARGINS = (0.01, 0.03)
LEVEL = 0.05
RESAMPLES = 1000
MOST_RESAMPLED = 4000  # pairs that the plain bootstrap judges: it takes minutes
CLASSES = 10
WRONG = 0.02  # rows that both files have wrong

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Setting:
    """What is true of the pairs: rows, the share that one file alone has right, and the margin asked for."""

    rows: int
    disagreement: float
    margin: float

    def __str__(self) -> str:
        return f"{100 * self.margin:6.0f} {self.rows:6,} {100 * self.disagreement:7.0f} %"

    def shares(self, difference: float) -> tuple[float, float, float]:
        """Rows that only the challenger has right, only the champion, and the others."""
        gained, lost = (self.disagreement + difference) / 2, (self.disagreement - difference) / 2
        return max(0.0, gained), lost, 1 - self.disagreement

    def pairs(self, difference: float, count: int, seed: int) -> tuple[Counts, Counts]:
        """So many simulated pairs, of a seed for each setting: rows gained (count,) and lost (count,)."""
        entropy = [seed, self.rows, round(1000 * self.disagreement), round(1000 * self.margin)]
        drawn = np.random.default_rng(entropy).multinomial(self.rows, self.shares(difference), size=count)
        return drawn[:, 0], drawn[:, 1]


@dataclass(frozen=True)
class Rate:
    """How many of the pairs passed."""

    passed: int
    pairs: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson, 95 %."""
        return wilson_interval(self.passed, self.pairs)

    @property
    def keeps_level(self) -> bool:
        """The interval includes 5 %, or lies below."""
        return self.interval[0] <= LEVEL

    def __str__(self) -> str:
        low, high = (100 * bound for bound in self.interval)
        return f"{100 * self.passed / self.pairs:5.1f} [{low:4.1f}, {high:4.1f}]"


def settings(margins: tuple[float, ...] = MARGINS) -> Iterator[Setting]:
    """The grid; a loss of the margin needs at least as much disagreement."""
    for margin in margins:
        for rows in ROWS:
            yield from (Setting(rows, d, margin) for d in DISAGREEMENTS if d >= margin)


def tango_rate(setting: Setting, difference: float, pairs: int, seed: int = 0) -> Rate:
    """How often the accuracy gate passes."""
    low, _ = tango_interval(*setting.pairs(difference, pairs, seed), setting.rows)
    return Rate(int((low >= -setting.margin).sum()), pairs)


def bootstrap_rate(setting: Setting, difference: float, pairs: int, seed: int = 0) -> Rate:
    """How often the plain percentile bootstrap would, on the same pairs."""
    random, passed = np.random.default_rng(seed + 1), 0
    for gained, lost in zip(*setting.pairs(difference, pairs, seed), strict=True):
        shares = np.array([gained, lost, setting.rows - gained - lost]) / setting.rows
        drawn = random.multinomial(setting.rows, shares, size=RESAMPLES)
        low = np.quantile((drawn[:, 0] - drawn[:, 1]) / setting.rows, LEVEL)
        passed += bool(low >= -setting.margin)
    return Rate(passed, pairs)


def exact_rate(setting: Setting, difference: float) -> float:
    """The accuracy gate's probability of passing: summed over all counts that are not all but impossible."""
    gain_share = setting.shares(difference)[0] / setting.disagreement
    least, most = binom.ppf([1e-9, 1 - 1e-9], setting.rows, setting.disagreement)
    total = 0.0
    for count in range(int(least), int(most) + 1):
        gained = np.arange(count + 1)
        passes = tango_score(gained, count - gained, setting.rows, -setting.margin) >= Z_ONE_SIDED
        chance = binom.pmf(count, setting.rows, setting.disagreement)
        total += float(chance * binom.pmf(gained[passes], count, gain_share).sum())
    return total


def macro_f1_rate(setting: Setting, difference: float, pairs: int, seed: int = 0) -> Rate:
    """How often the macro F1 gate passes."""
    random, passed = np.random.default_rng(seed), 0
    gained, lost, _ = setting.shares(difference)
    for at in range(pairs):
        labels = random.integers(0, CLASSES, setting.rows)
        wrong = (labels + random.integers(1, CLASSES, setting.rows)) % CLASSES
        kind = random.random(setting.rows)
        both = kind > 1 - WRONG
        champion = np.where((kind < gained) | both, wrong, labels)
        challenger = np.where(((kind >= gained) & (kind < gained + lost)) | both, wrong, labels)
        passed += macro_f1_difference(labels, champion, challenger, at).low >= -setting.margin
    return Rate(passed, pairs)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--macro-f1", type=int, default=500, metavar="PAIRS")
    asked = parser.parse_args()
    print(f"% of {asked.pairs:,} pairs that pass [95 %]; loss = margin: 5 or fewer is right")
    print("                         loss = margin:                              equal:")
    print("margin   rows  disagree  Tango              exact  plain bootstrap   Tango              90 % need")
    for setting in settings():
        loss = -setting.margin
        simulated, exact = tango_rate(setting, loss, asked.pairs), 100 * exact_rate(setting, loss)
        plain = bootstrap_rate(setting, loss, min(asked.pairs, MOST_RESAMPLED))
        equal = tango_rate(setting, 0, asked.pairs)
        needed = rows_to_pass(setting.disagreement, setting.margin)
        print(f"{setting}  {simulated} {exact:6.2f}  {plain} {equal} {needed:7,} rows", flush=True)
    print(f"\nMacro F1, % of {asked.macro_f1:,} pairs that pass [95 %], loss = margin")
    for setting in settings():
        if setting.rows <= 1000 and setting.disagreement in (0.02, 0.05, 0.10):
            print(f"{setting}  {macro_f1_rate(setting, -setting.margin, asked.macro_f1)}", flush=True)


if __name__ == "__main__":
    main()
