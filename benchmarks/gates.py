"""Are the gates right? How often a challenger passes whose true loss is the margin, and one that is equal.

    python benchmarks/gates.py [--pairs 4000] [--macro-f1 500]

A pair is two files' predictions of the same rows, drawn with a known disagreement and a known true difference.
A challenger that truly loses the margin should pass in 5 % of the pairs or fewer. Beside the simulated rate
stands the exact one, summed over all outcomes, and that of the plain percentile bootstrap on the same pairs.
Macro F1 has a bootstrap of its own: it is simulated with ten equal classes whose errors fall evenly, where a
true loss of accuracy is the same loss of macro F1.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from distillery.statistics.bootstrap import macro_f1_difference
from distillery.statistics.power import rows_to_pass
from distillery.statistics.tango import tango_interval
from distillery.statistics.wilson import wilson_interval

ROWS = (360, 1000, 10_000)
DISAGREEMENTS = (0.01, 0.02, 0.03, 0.05, 0.07, 0.10)
MARGINS = (0.01, 0.03)
LEVEL = 0.05
RESAMPLES = 1000
CLASSES = 10
WRONG = 0.02  # rows that both files have wrong

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Setting:
    """What is true of the pairs: rows, the share that one file alone has right, and the margin asked for."""

    rows: int
    disagreement: float
    margin: float

    def shares(self, difference: float) -> tuple[float, float, float]:
        """Rows that only the challenger has right, only the champion, and the others."""
        gained, lost = (self.disagreement + difference) / 2, (self.disagreement - difference) / 2
        return max(0.0, gained), lost, 1 - self.disagreement

    def pairs(self, difference: float, count: int, seed: int) -> tuple[Counts, Counts]:
        """So many simulated pairs: rows gained (count,) and lost (count,)."""
        drawn = np.random.default_rng(seed).multinomial(self.rows, self.shares(difference), size=count)
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
    discordant = np.arange(*binom.ppf([1e-9, 1 - 1e-9], setting.rows, setting.disagreement) + [0, 1])
    total = 0.0
    for count in discordant:
        gained = np.arange(count + 1)
        passes = tango_interval(gained, count - gained, setting.rows)[0] >= -setting.margin
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
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("--macro-f1", type=int, default=500, metavar="PAIRS")
    asked = parser.parse_args()
    print(
        f"Passing, % of {asked.pairs:,} pairs [95 %]. Loss = margin: 5 or fewer is right. Equal: more is better."
    )
    print("                          loss = margin                                    equal")
    print(
        "margin   rows  disagree   Tango             exact  plain bootstrap      Tango              90 % needs"
    )
    for setting in settings():
        loss = -setting.margin
        print(
            f"{100 * setting.margin:6.0f} {setting.rows:6,} {100 * setting.disagreement:8.0f} %  "
            f"{tango_rate(setting, loss, asked.pairs)} {100 * exact_rate(setting, loss):6.2f}  "
            f"{bootstrap_rate(setting, loss, asked.pairs)}   {tango_rate(setting, 0, asked.pairs)}"
            f" {rows_to_pass(setting.disagreement, setting.margin):8,} rows",
            flush=True,
        )
    print(f"\nMacro F1, % of {asked.macro_f1:,} pairs [95 %], loss = margin")
    for setting in (s for s in settings() if s.rows <= 1000 and s.disagreement in (0.02, 0.05, 0.10)):
        if math.isclose(setting.disagreement, setting.margin):
            continue
        rate = macro_f1_rate(setting, -setting.margin, asked.macro_f1)
        print(
            f"{100 * setting.margin:6.0f} {setting.rows:6,} {100 * setting.disagreement:8.0f} %  {rate}",
            flush=True,
        )


if __name__ == "__main__":
    main()
