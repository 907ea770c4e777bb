"""Two files' predictions of the same test rows held against each other, and one's against its own words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from distillery.report.facts import Answers, Facts
from distillery.report.variants import Variant
from distillery.statistics.wilson import Z95, wilson_interval

BINS = 10


@dataclass(frozen=True)
class Change:
    """From one file to another on the same rows: rows put right and lost, and the accuracy's change."""

    rows: int
    gained: int
    lost: int
    points: float  # 0.01 of accuracy
    low: float  # 95 %
    high: float


def paired_change(before: Answers, after: Answers) -> Change:
    """The change of accuracy from `before` to `after`, in points, with its 95 % interval.

    The interval is Wald's for matched pairs with half a row added to each of the four counts (Agresti and
    Min 2005, Statistics in Medicine 24, section 3).
    """
    gained = int((~before.right & after.right).sum())
    lost = int((before.right & ~after.right).sum())
    rows = len(before.labels)
    if not rows:
        return Change(0, 0, 0, 0.0, -100.0, 100.0)
    n, won, missed = rows + 2, gained + 0.5, lost + 0.5
    half = Z95 * math.sqrt(max(0.0, won + missed - (won - missed) ** 2 / n)) / n
    centre = (won - missed) / n
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    return Change(rows, gained, lost, 100 * (gained - lost) / rows, 100 * low, 100 * high)


@dataclass(frozen=True)
class Stage:
    """One step on the way from the teacher to the subject, and what it gave."""

    what: str
    before: Variant
    after: Variant
    change: Change

    @property
    def times_smaller(self) -> float:
        """How many times smaller the file became."""
        return self.before.file_bytes / self.after.file_bytes


def stages(facts: Facts) -> list[Stage]:
    """Smaller network, distillation, pruning, quantization: those that led to the subject, in order."""
    by_name = {variant.name: variant for variant in facts.variants}
    subject = facts.subject.name
    origin = f"{subject.partition('-int')[0]}-fp32"
    way = [facts.teacher.name, facts.control, "student-fp32", origin, subject]
    names = [name for name in dict.fromkeys(way) if name in by_name]
    return [
        Stage(
            _what(after, facts),
            by_name[before],
            by_name[after],
            paired_change(facts.tested[before], facts.tested[after]),
        )
        for before, after in pairwise(names)
    ]


def _what(after: str, facts: Facts) -> str:
    """What made this file out of the one before it."""
    if after == facts.control:
        return "smaller network"
    if after == "student-fp32":
        return "distillation" if facts.control else "smaller network, distilled"
    _, rounded, way = after.partition("-int")
    return f"quantization (int{way})" if rounded else "pruning"


@dataclass(frozen=True)
class Flips:
    """Rows, as places in `Answers`, that two files predict differently."""

    lost: NDArray[np.intp]  # only the first is right
    gained: NDArray[np.intp]  # only the second is right
    neither: NDArray[np.intp]  # both are wrong, in different ways

    def __len__(self) -> int:
        return len(self.lost) + len(self.gained) + len(self.neither)


def flips(first: Answers, second: Answers) -> Flips:
    """The rows that the files predict differently, those that the second is surest of first."""
    order = np.argsort(-second.probability, kind="stable")
    differs = (first.predicted != second.predicted)[order]
    lost, gained = first.right[order], second.right[order]
    return Flips(order[differs & lost], order[differs & gained], order[differs & ~lost & ~gained])


def confusion(tested: Answers, classes: int) -> NDArray[np.int64]:
    """Counts (classes, classes), [true][predicted]."""
    cells = np.bincount(tested.labels * classes + tested.predicted, minlength=classes * classes)
    return np.asarray(cells.reshape(classes, classes), np.int64)


@dataclass(frozen=True)
class ClassRecall:
    """Of one class's test rows, how many each of two files finds."""

    name: str
    rows: int
    before: int
    after: int


def class_recalls(before: Answers, after: Answers, classes: Sequence[str]) -> list[ClassRecall]:
    """Class by class, in the order of the classes; a class without test rows is left out."""
    rows = np.bincount(before.labels, minlength=len(classes)).tolist()
    found = [
        np.bincount(tested.labels[tested.right], minlength=len(classes)).tolist()
        for tested in (before, after)
    ]
    every = zip(classes, rows, *found, strict=True)
    return [ClassRecall(name, n, first, second) for name, n, first, second in every if n]


@dataclass(frozen=True)
class Bin:
    """Rows that were predicted with like confidence: its mean, and how many of them are right."""

    confidence: float
    rows: int
    accuracy: float
    low: float  # Wilson, 95 %
    high: float


@dataclass(frozen=True)
class Reliability:
    """Whether a file is right as often as it says: bins of equal width, and the expected error.

    `error` is the expected calibration error (Guo et al. 2017, equation 3).
    """

    bins: tuple[Bin, ...]
    error: float


def reliability(tested: Answers) -> Reliability:
    """The reliability of what a file says of the test rows; bins without rows are left out."""
    place = np.clip((tested.probability * BINS).astype(np.intp), 0, BINS - 1)
    bins = []
    for number in range(BINS):
        inside = place == number
        rows, right = int(inside.sum()), int(tested.right[inside].sum())
        if rows:
            mean = float(tested.probability[inside].mean(dtype=np.float64))
            bins.append(Bin(mean, rows, right / rows, *wilson_interval(right, rows)))
    total = max(1, len(tested.labels))
    return Reliability(tuple(bins), sum(b.rows * abs(b.accuracy - b.confidence) for b in bins) / total)


def pareto_front(variants: Sequence[Variant], cost: str) -> list[Variant]:
    """The variants that no other beats at `cost` (a field of Variant) without being less accurate."""
    front: list[Variant] = []
    for variant in sorted(variants, key=lambda v: (getattr(v, cost), -v.accuracy, v.name)):
        if not front or variant.accuracy > front[-1].accuracy:
            front.append(variant)
    return front
