"""Rows in, classes and probabilities out, from a model file: images, sequences, or a table by its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distillery.errors import DataError
from distillery.feeding import Feed
from distillery.front_end import known_names
from distillery.inference import Session, class_names, column_names, open_session, run_feeds, softmax
from distillery.raw_images import open_images
from distillery.raw_rows import RawRows, Source
from distillery.raw_sequences import open_ids, open_series
from distillery.raw_tables import open_table
from distillery.tensors import CATEGORIES

MOST_NAMES = 1000  # unknown ones that are counted apart: there may be as many as rows


@dataclass(frozen=True)
class Prediction:
    """One row's class and its probability; `row` names the row: a number, or an image's file."""

    row: str
    label: str
    probability: float


@dataclass(frozen=True)
class Predicted:
    """B rows: their names, the codes (B,) of their classes, and the probabilities (B, classes) of all."""

    rows: Sequence[str]
    codes: NDArray[np.intp]
    shares: NDArray[np.float64]

    def best(self) -> NDArray[np.float64]:
        """The probability (B,) of each row's own class."""
        return np.asarray(self.shares[np.arange(len(self.codes)), self.codes])


@dataclass(frozen=True)
class UnknownName:
    """A category that the model has never seen, in so many rows: there it is taken for a missing one."""

    column: str
    name: str
    rows: int


class Predicting:
    """The rows of a source on their way through a model file, some at a time; it is read once.

    Opening and reading raise DataError naming the source, the row and what the model takes instead.
    """

    def __init__(self, model: bytes, source: Source) -> None:
        self._session, self._source = open_session(model), source
        self.classes = class_names(self._session)
        columns = column_names(self._session)
        self._rows = open_table(source, columns) if columns else _open(source, self._session)
        self._unknown = _Unknown(model, columns.get(CATEGORIES, []))
        self.total = self._rows.total

    def __iter__(self) -> Iterator[Predicted]:
        none = True
        for batch in self._rows.batches:
            none = False
            shares = softmax(run_feeds(self._session, [batch.feed]))
            self._unknown.count(batch.feed)
            yield Predicted(batch.names, shares.argmax(1), shares)
        if none:
            raise DataError(f"{self._source} has no rows")

    def unknown(self) -> tuple[list[UnknownName], int]:
        """Categories that the model does not know, the commonest first; and how many cells have others."""
        return self._unknown.found(), self._unknown.others


def _open(source: Source, session: Session) -> RawRows:
    """The rows of a model that takes one tensor."""
    (taken,) = session.get_inputs()
    row = tuple(int(size) for size in taken.shape[1:])  # (H, W, C), (L, C) or (L,)
    match taken.type:
        case "tensor(uint8)":
            return open_images(source, row)
        case "tensor(int64)":
            return open_ids(source, row)
        case _:
            return open_series(source, row)


class _Unknown:
    """Counts what has no code in the model's file."""

    def __init__(self, model: bytes, columns: Sequence[str]) -> None:
        self._columns = columns
        self._known = known_names(model) if columns else ()
        self._counts: Counter[tuple[str, str]] = Counter()
        self.others = 0

    def count(self, feed: Feed) -> None:
        for at, column in enumerate(self._columns):
            for name, rows in Counter(feed[CATEGORIES][:, at].tolist()).items():
                if name and name not in self._known[at]:
                    self._add((column, name), rows)

    def _add(self, cell: tuple[str, str], rows: int) -> None:
        if cell in self._counts or len(self._counts) < MOST_NAMES:
            self._counts[cell] += rows
        else:
            self.others += rows

    def found(self) -> list[UnknownName]:
        named = [UnknownName(column, name, rows) for (column, name), rows in self._counts.items()]
        return sorted(named, key=lambda unknown: (-unknown.rows, unknown.column, unknown.name))
