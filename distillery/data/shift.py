"""How far a version's rows have moved from those before: a number a column, and one for the classes.

The population stability index: sum over bins of (a - e) ln(a / e), of the actual and the expected share
(Siddiqi 2006, Credit Risk Scorecards, chapter 9); it is Jeffreys' divergence. Below 0.1 nothing moved.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from distillery.data.canonical import Canonical
from distillery.data.chunks import Finding
from distillery.data.form import Form, Series, Shape, Table, Tokens
from distillery.data.rows import Features
from distillery.data.sequences import sequence_columns

MOVED = 0.25  # Siddiqi's "significant shift"
SAMPLE = 20_000
BINS = 10
CLASSES = "classes"
Shares = NDArray[np.float64]


def stability_index(expected: Shares, actual: Shares) -> float:
    """PSI of two counts over the same bins; half a row is added to each bin, so that none is empty."""
    e = (expected + 0.5) / (expected + 0.5).sum()
    a = (actual + 0.5) / (actual + 0.5).sum()
    return float(((a - e) * np.log(a / e)).sum())


def measure_shift(older: Canonical, data: Canonical, start: int) -> dict[str, float]:
    """PSI of the rows from `start` on against all rows of `older`, by column and of the classes, 4 decimals.

    Columns are compared on up to 20,000 evenly spaced rows of each. Images have the columns `brightness`
    and `contrast`: the mean and the standard deviation of an image's values. Series have as much of each
    channel; sequences of tokens their `length` without padding, and the ids as one column `token`.
    """
    old, new = _evenly(0, len(older)), _evenly(start, len(data))
    names = sorted({*older.schema.classes, *data.schema.classes})
    shift = {CLASSES: stability_index(_class_counts(older, 0, names), _class_counts(data, start, names))}
    before = dict(_columns(older.sample(old), older.schema.form))
    for name, values in _columns(data.sample(new), data.schema.form):
        shift[name] = _between(before[name], values)
    return {name: round(value, 4) for name, value in shift.items()}


def tell_shift(shift: dict[str, float]) -> Iterator[Finding]:
    """A warning for all that moved."""
    moved = {name: value for name, value in shift.items() if value >= MOVED}
    if moved:
        listed = ", ".join(
            f"{name} {value:.2f}" for name, value in sorted(moved.items(), key=lambda m: -m[1])
        )
        yield Finding("warning", "shift", f"moved from the version before (PSI >= {MOVED}): {listed}")


def _evenly(start: int, stop: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(start, stop - 1, min(SAMPLE, stop - start)).astype(np.intp))


def _class_counts(data: Canonical, start: int, names: list[str]) -> Shares:
    counts = np.bincount(data.labels[start:], minlength=len(data.schema.classes))
    named = dict(zip(data.schema.classes, counts.tolist(), strict=True))
    return np.array([named.get(name, 0) for name in names], np.float64)


Column = NDArray[np.float64] | NDArray[np.object_]  # numbers, or the names of categories


def _columns(features: Features, form: Form) -> Iterator[tuple[str, Column]]:
    match form:
        case Shape():
            flat = features.reshape(len(features), -1)
            yield "brightness", flat.mean(axis=1, dtype=np.float64)
            yield "contrast", flat.std(axis=1, dtype=np.float64)
        case Table():
            for at, column in enumerate(form.columns):
                if column.categories is None:
                    yield column.name, features[:, at].astype(np.float64)
                else:
                    names = np.array([*column.categories, ""], np.object_)
                    yield column.name, names[features[:, at].astype(np.int64)]
        case Series() | Tokens():
            yield from sequence_columns(features)


def _between(before: Column, now: Column) -> float:
    if before.dtype == np.object_:
        names = sorted({*before.tolist(), *now.tolist()})
        counted = [[float((values == name).sum()) for name in names] for values in (before, now)]
        return stability_index(np.array(counted[0]), np.array(counted[1]))
    before, now = before.astype(np.float64), now.astype(np.float64)
    there = before[~np.isnan(before)]
    edges = np.unique(np.quantile(there, np.linspace(0, 1, BINS + 1)[1:-1])) if len(there) else np.zeros(0)
    return stability_index(_binned(before, edges), _binned(now, edges))


def _binned(numbers: Shares, edges: Shares) -> Shares:
    """Counts between the edges, and of what is missing."""
    missing = np.isnan(numbers)
    bins = np.bincount(np.searchsorted(edges, numbers[~missing], side="right"), minlength=len(edges) + 1)
    return np.append(bins, missing.sum()).astype(np.float64)
