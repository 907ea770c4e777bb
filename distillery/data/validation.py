"""What is wrong, or odd, with a whole data set: found before anything trains, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillery.data.arrays import steps
from distillery.data.canonical import Canonical
from distillery.data.chunks import Finding
from distillery.data.naming import Groups, digest_all, group_rows

FEWEST_CLASSES = 2
ROW_BYTES = 64  # what is held of a row while rows are compared


def check(data: Canonical, scratch: Path) -> Iterator[Finding]:
    """Findings about all the rows together; scratch files without names go into the folder `scratch`."""
    if not len(data):
        yield Finding("error", "empty", "there are no rows")
        return
    if len(data.schema.classes) < FEWEST_CLASSES:
        only = ", ".join(data.schema.classes)
        yield Finding("error", "one_class", f"every row is of class {only}: there is nothing to tell apart")
    yield from _constant_columns(data)
    yield from _equal_rows(data, group_rows(digest_all(data, scratch), scratch))


def _constant_columns(data: Canonical) -> Iterator[Finding]:
    statistics = data.schema.versions[-1].statistics
    constant = [name for name, column in statistics.items() if column.constant]
    if constant:
        told = ", ".join(constant)
        yield Finding("warning", "constant", f"the same value in every row: {told}; it tells nothing")


def _equal_rows(data: Canonical, groups: Groups) -> Iterator[Finding]:
    """Duplicates, the same bytes under several labels, and test rows that are trained on."""
    copies = sum(int((groups.occurrence[step] > 0).sum()) for step in steps(len(data), ROW_BYTES))
    if copies:
        share = f"{copies} of {len(data)} rows ({copies / len(data):.2%}) have the values of an earlier one"
        yield Finding("warning", "duplicates", f"{share}; equal rows share a split")
    noisy = _disagreeing(groups, data.labels)
    if noisy:
        first = min(noisy)
        named = ", ".join(data.schema.classes[data.labels[row]] for row in (first, noisy[first]))
        told = f"{len(noisy)} rows have the same values under different labels; row {first} is one: {named}"
        yield Finding("warning", "label_noise", told)
    leaking = _disagreeing(groups, data.tested) if data.tested is not None else {}
    if leaking:
        told = f"{len(leaking)} rows are both among the test rows and among the others"
        yield Finding("warning", "leakage", f"{told}; those that would train are left out")


def _disagreeing(groups: Groups, values: NDArray[np.int64] | NDArray[np.bool_]) -> dict[int, int]:
    """Rows whose equals have other values than theirs: the first of each, and the last that differs."""
    found: dict[int, int] = {}
    for step in steps(len(values), ROW_BYTES):
        leader = groups.leader[step]
        differing = np.flatnonzero(values[step] != values[leader])
        found |= dict(zip(leader[differing].tolist(), (step.start + differing).tolist(), strict=True))
    return found
