"""What the gates read: what champion and challenger said of the same rows, and what each takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from distillery.errors import DistilleryError

NO_CLASS = -1  # a class that the data do not have: never right

Codes = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Footprint:
    """What a file takes. `peak_rss_bytes`: peak anonymous memory, a measurement each fresh process."""

    file_bytes: int
    integer_op_share: float
    peak_rss_bytes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Judged:
    """A version on the N test rows; `predicted` are classes of the data, matched by name."""

    version: str
    predicted: Codes  # (N,) or NO_CLASS
    probability: NDArray[np.float32]  # (N,) of the predicted class
    footprint: Footprint


@dataclass(frozen=True, eq=False)
class PairedTimes:
    """Seconds of R interleaved rounds in one process: round r is the r-th of both files."""

    champion: NDArray[np.float64]  # (R,)
    challenger: NDArray[np.float64]  # (R,)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that the gates read. Rows are test rows that neither file trained, chose or calibrated on.

    `champion` None: there is none yet. `teacher`: what the challenger's teacher says of the rows. `slices`:
    column name -> value of each row, as text. `versions`: the data version that brought each row.
    `must_pass`: the row ids of the file that the parameters name. `smoke`: what is wrong with the
    challenger's file, in words. What was not looked at is None.

    Raises DistilleryError with every part that does not fit the N rows or the classes.
    """

    classes: tuple[str, ...]
    row_ids: NDArray[np.str_]  # (N,)
    labels: Codes  # (N,)
    challenger: Judged
    champion: Judged | None
    teacher: Codes | None = None  # (N,) or NO_CLASS
    slices: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)  # each (N,)
    versions: Codes | None = None  # (N,)
    must_pass: tuple[str, ...] | None = None
    times: PairedTimes | None = None
    smoke: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if faults := list(_faults(self)):
            raise DistilleryError("the evidence for the gates does not fit together", faults)

    @property
    def rows(self) -> int:
        """N."""
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Pair:
    """Champion and challenger on the same rows."""

    evidence: Evidence
    champion: Judged
    challenger: Judged

    @property
    def gained(self) -> Booleans:
        """(N,): rows that only the challenger has right."""
        return self._right(self.challenger) & ~self._right(self.champion)

    @property
    def lost(self) -> Booleans:
        """(N,): rows that only the champion has right."""
        return self._right(self.champion) & ~self._right(self.challenger)

    def _right(self, judged: Judged) -> Booleans:
        return right(self.evidence, judged)


def paired(evidence: Evidence) -> Pair | None:
    """Both files, where there is a champion."""
    if evidence.champion is None:
        return None
    return Pair(evidence, evidence.champion, evidence.challenger)


def right(evidence: Evidence, judged: Judged) -> Booleans:
    """(N,): the rows that a file has right."""
    correct: Booleans = judged.predicted == evidence.labels
    return correct


def match_classes(predicted: Codes, own: Sequence[str], classes: Sequence[str]) -> Codes:
    """(N,): a file's classes `own`, by number, as the data's `classes`; NO_CLASS where they lack the name.

    A class that the file lacks is never said, so its rows are wrong.
    """
    number = {name: at for at, name in enumerate(classes)}
    codes = np.array([number.get(name, NO_CLASS) for name in own], np.int64)
    return codes[predicted]


def listed_rows(text: str) -> tuple[str, ...]:
    """The row ids of a file for `promotion.must_pass.file`: one a line; `#` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


def _faults(evidence: Evidence) -> Iterator[str]:
    rows, classes = len(evidence.labels), len(evidence.classes)
    if not rows:
        yield "there are no test rows"
    judged = [j for j in (evidence.champion, evidence.challenger) if j is not None]
    predicted = {f"version {j.version}'s classes": j.predicted for j in judged}
    if evidence.teacher is not None:
        predicted["the teacher's classes"] = evidence.teacher
    a_row = {
        "the row ids": evidence.row_ids,
        **predicted,
        **{f"version {j.version}'s probabilities": j.probability for j in judged},
        **({} if evidence.versions is None else {"the data versions": evidence.versions}),
        **{f"the slice {name}": values for name, values in evidence.slices.items()},
    }
    for name, values in a_row.items():
        if values.shape != (rows,):
            yield f"{name} have the shape {values.shape}, not ({rows},) as the labels"
    for name, codes in {"the labels": evidence.labels, **predicted}.items():
        least = 0 if codes is evidence.labels else NO_CLASS
        if len(codes) and not least <= codes.min() <= codes.max() < classes:
            yield f"{name} are not all from {least} to {classes - 1}, the data's classes"
    if len(np.unique(evidence.row_ids)) < len(evidence.row_ids):
        yield "a row id stands twice"
    if evidence.times is not None and not _are_paired(evidence.times):
        yield "the files do not have as many rounds each, of times above 0"


def _are_paired(times: PairedTimes) -> bool:
    one, other = times.champion, times.challenger
    return one.ndim == 1 and one.shape == other.shape and bool((one > 0).all() and (other > 0).all())
