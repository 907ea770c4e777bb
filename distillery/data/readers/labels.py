"""Labels that are whole numbers, as names; and where rows stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery.data.chunks import Encoded, Finding

NO_CLASS = np.iinfo(np.int32).max


def named(labels: NDArray[Any], names: Sequence[str] | None = None) -> Encoded:
    """Whole numbers (B,) as class names: `names[label]`, or the number itself. Only used ones are listed."""
    used, codes = np.unique(labels, return_inverse=True)
    texts = tuple(str(label) if names is None else names[label] for label in used.tolist())
    return Encoded(codes.astype(np.int32), texts)


def call(
    labels: Encoded, names: Sequence[str] | None, place: Callable[[int], str]
) -> tuple[Encoded, tuple[Finding, ...]]:
    """Labels that are numbers, called `names[number]`; -1 is none. A number without a name is a finding."""
    if names is None:
        return labels, ()
    numbers = np.array([*map(_number, labels.names), -1])[labels.codes]
    findings = tuple(
        Finding(
            "error",
            "label_out_of_range",
            f"{place(row)}: label {labels.names[labels.codes[row]]} is not one of 0 to"
            f" {len(names) - 1}; mend it",
        )
        for row in np.flatnonzero((numbers < -1) | (numbers >= len(names))).tolist()
    )
    named = (numbers >= 0) & (numbers < len(names))
    return Encoded(np.where(named, numbers, -1).astype(np.int32), tuple(names)), findings


def _number(name: str) -> int:
    """The number that a label is; one that no class has, if it is none."""
    return int(name) if name.removeprefix("-").isdecimal() and len(name) < 10 else NO_CLASS


@dataclass(frozen=True)
class Place:
    """Where the rows of a chunk stand: `file row 17`, counted from 0."""

    file: str
    first: int

    def __call__(self, row: int) -> str:
        """Row `row` of the chunk."""
        return f"{self.file} row {self.first + row}"
