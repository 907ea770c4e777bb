"""What differs between two versions of a data set, row by row, matched by what the rows hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery.data.canonical import Canonical
from distillery.data.encoding import Names
from distillery.data.naming import digest_all, group_rows

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Difference:
    """Rows by their values: `relabelled` are in both, under another label. Classes: how many rows, each."""

    rows: tuple[int, int]
    added: int
    removed: int
    relabelled: int
    unchanged: int
    classes: dict[str, tuple[int, int]]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def compare(before: Canonical, after: Canonical, scratch: Path) -> Difference:
    """Match equal rows of two versions, each row at most once; scratch files go into a folder."""
    digests = np.concatenate([digest_all(before, scratch), digest_all(after, scratch)])
    group = group_rows(digests, scratch).leader
    names = Names(before.schema.classes)
    labels = np.concatenate([np.asarray(before.labels), _renamed(after, names)])
    classes, first = len(names), np.arange(len(digests)) < len(before)
    same = _shared(group * classes + labels, first)
    in_both = _shared(group, first)
    balance = [np.bincount(labels[side], minlength=classes).tolist() for side in (first, ~first)]
    return Difference(
        rows=(len(before), len(after)),
        added=len(after) - in_both,
        removed=len(before) - in_both,
        relabelled=in_both - same,
        unchanged=same,
        classes={name: (balance[0][code], balance[1][code]) for code, name in enumerate(names.names)},
    )


def _renamed(data: Canonical, names: Names) -> Counts:
    """Labels by the codes of `names`, which learns the classes that it has not."""
    return names.known(data.schema.classes)[np.asarray(data.labels)].astype(np.int64)


def _shared(keys: Counts, first: NDArray[np.bool_]) -> int:
    """How many rows of the one side find a partner of the same key on the other."""
    _, key = np.unique(keys, return_inverse=True)
    most = int(key.max(initial=-1)) + 1
    sides = [np.bincount(key[side], minlength=most) for side in (first, ~first)]
    return int(np.minimum(*sides).sum())
