"""Which split a row belongs to, for ever: stratified, seeded, and decided by the row's own digest.

Equal rows share a split, whatever their labels say, so that no test row was trained on. Data versions are
assigned one after the other, so that what comes later moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillery.data.arrays import on_disk, steps
from distillery.data.naming import Groups, seeded_order
from distillery.data.rows import Labels, Split
from distillery.errors import DataError
from distillery.params.data import DataParams

UNSETTLED = 255
NO_CLASS = np.iinfo(np.int32).max
ROW_BYTES = 64  # what is held of a row while it is settled
Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class Versions:
    """Which rows came when: `rows` rows a version, in order, and which of all rows a source tests on."""

    rows: tuple[int, ...]
    tested: NDArray[np.bool_] | None  # (N,)


class Splits:
    """The split of every row, as versions are settled in turn; equal rows have that of their first."""

    def __init__(self, groups: Groups, labels: Labels, data: DataParams, folder: Path) -> None:
        self.groups, self.labels, self.data, self.folder = groups, labels, data, folder
        self.settled = np.full(len(labels), UNSETTLED, np.uint8)  # of the rows that are first of their kind
        self.own_test = np.zeros(len(labels), np.bool_)  # a source's own test rows have these values
        self.codes = np.full(len(labels), Split.LEFT_OUT, np.uint8)

    def settle(self, rows: slice, tested: NDArray[np.bool_] | None) -> None:
        """Give these rows their splits. `tested` (N,) marks a source's own test rows, which stay test.

        What a source would train on and tests on is left out of training; what it tests on and an earlier
        version trained or chose with is left out of testing.
        """
        lowest = on_disk(len(self.labels), np.int32, self.folder)  # of the fresh rows' labels, at their first
        lowest[:] = NO_CLASS
        if tested is not None:
            for positions in _positions(rows, tested, wanted=True):
                self._keep_tests(positions)
        for positions in _positions(rows, tested, wanted=False):
            leader = self.groups.leader[positions]
            fresh = self.settled[leader] == UNSETTLED
            np.minimum.at(lowest, leader[fresh], self.labels[positions[fresh]])
        self._draw(lowest, own_test=tested is not None)
        for positions in _positions(rows, tested, wanted=False):
            leader = self.groups.leader[positions]
            free = ~self.own_test[leader]
            self.codes[positions[free]] = self.settled[leader[free]]

    def _keep_tests(self, positions: NDArray[np.int64]) -> None:
        leader = self.groups.leader[positions]
        allowed = (self.settled[leader] == UNSETTLED) | (self.settled[leader] == Split.TEST)
        self.settled[leader[allowed]] = Split.TEST
        self.own_test[leader[allowed]] = True
        self.codes[positions[allowed]] = Split.TEST

    def _draw(self, lowest: NDArray[np.int32], *, own_test: bool) -> None:
        """Draw for values that no earlier version had, within the lowest class among each one's rows."""
        counts = np.zeros(int(self.labels.max(initial=0)) + 1, np.int64)
        for step in steps(len(lowest), ROW_BYTES):
            drawn = lowest[step]
            counts += np.bincount(drawn[drawn != NO_CLASS], minlength=len(counts))
        for code in np.flatnonzero(counts).tolist():
            self._draw_class(lowest, code, int(counts[code]), own_test=own_test)

    def _draw_class(self, lowest: NDArray[np.int32], code: int, count: int, *, own_test: bool) -> None:
        """Of the rows in an order of chance, the first validate, the next test, the others train."""
        validation = round(self.data.validation * count)
        test = 0 if own_test else round(self.data.test * count)
        ranked, start = on_disk(count, np.uint64, self.folder), 0
        for _, chance in self._chances(lowest, code):
            ranked[start : start + len(chance)] = chance
            start += len(chance)
        ranked.sort()  # in place: on disk
        for members, chance in self._chances(lowest, code):
            rank = np.searchsorted(ranked, chance)
            drawn = np.where(rank < validation, Split.VALIDATION, Split.TEST)
            self.settled[members] = np.where(rank < validation + test, drawn, Split.TRAIN)

    def _chances(
        self, lowest: NDArray[np.int32], code: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
        """The first rows of the values of a class, some at a time, and the number that orders each."""
        for step in steps(len(lowest), ROW_BYTES):
            members = step.start + np.flatnonzero(lowest[step] == code)
            yield members, seeded_order(self.groups.digests[members], self.data.split_seed)


def _positions(rows: slice, tested: NDArray[np.bool_] | None, *, wanted: bool) -> Iterator[NDArray[np.int64]]:
    """The rows that are, or are not, a source's own test rows, some at a time."""
    for step in steps(rows.stop - rows.start, ROW_BYTES):
        here = slice(rows.start + step.start, rows.start + step.stop)
        if tested is None:
            yield np.arange(here.start, here.stop)
        else:
            yield here.start + np.flatnonzero(tested[here] == wanted)


def assign_splits(
    groups: Groups,
    labels: Labels,
    classes: tuple[str, ...],
    versions: Versions,
    data: DataParams,
    folder: Path,
) -> Codes:
    """Split codes (N,). A version that brings its own test rows draws no others.

    Scratch files go into `folder`, where no name shows them. Raises DataError for every class with too few
    distinct rows to be in each split.
    """
    splits = Splits(groups, labels, data, folder)
    start = 0
    for count in versions.rows:
        tested = versions.tested
        brings = tested is not None and bool(tested[start : start + count].any())
        splits.settle(slice(start, start + count), tested if brings else None)
        start += count
    require_all(splits.codes, labels, classes, own_test=bool(splits.own_test.any()))
    return splits.codes


def replay_earlier(groups: Groups, codes: Codes, versions: Versions, data: DataParams) -> Codes:
    """Of the train rows of all versions but the newest, keep the share `data.replay`; leave the others out.

    The row's own digest decides, so equal rows stay together and a lower share keeps a subset.
    """
    kept, earlier = codes.copy(), sum(versions.rows[:-1])
    for step in steps(earlier, ROW_BYTES):
        chance = seeded_order(groups.digests[step], data.split_seed + 2) / 2.0**64
        kept[step][(codes[step] == Split.TRAIN) & (chance >= data.replay)] = Split.LEFT_OUT
    return kept


def require_all(codes: Codes, labels: Labels, classes: tuple[str, ...], *, own_test: bool) -> None:
    """Every class must be in train and validation, and in test where it was not a source that chose it."""
    needed = (Split.TRAIN, Split.VALIDATION) if own_test else (Split.TRAIN, Split.VALIDATION, Split.TEST)
    counts = np.zeros((len(classes), len(Split)), np.int64)
    for step in steps(len(labels), ROW_BYTES):
        np.add.at(counts, (labels[step], codes[step]), 1)
    faults = [
        f"class {name!r}: none of its {counts[code].sum()} rows fell to {split.name.lower()}"
        for code, name in enumerate(classes)
        for split in needed
        if not counts[code, split]
    ]
    if faults:
        raise DataError("the rows cannot be split: add rows, or change data.validation and data.test", faults)


def choose_calibration(groups: Groups, codes: Codes, count: int, seed: int) -> NDArray[np.bool_]:
    """Mark `count` train rows (N,); raises DataError when train has fewer."""
    train = int((codes == Split.TRAIN).sum())
    if count > train:
        raise DataError(f"data.calibration asks for {count} rows, but train has {train}: lower it")
    best, order = np.zeros(0, np.int64), np.zeros(0, np.uint64)
    for step in steps(len(codes), ROW_BYTES):
        positions = step.start + np.flatnonzero(codes[step] == Split.TRAIN)
        best = np.append(best, positions)
        order = np.append(order, seeded_order(groups.digests[positions], seed + 1))
        first = np.argsort(order, kind="stable")[:count]
        best, order = best[first], order[first]
    chosen = np.zeros(len(codes), np.bool_)
    chosen[best] = True
    return chosen
