"""What a reader of any format yields: some rows at a time, so that a source may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from distillery.data.form import Shape, Table

CHUNK_BYTES = 16 << 20  # about as much as a chunk's features take


@dataclass(frozen=True)
class Encoded:
    """Names of B rows: row i has `names[codes[i]]`, or none where codes[i] is -1."""

    codes: NDArray[np.int32]  # (B,)
    names: tuple[str, ...]  # distinct; not each need be used


@dataclass(frozen=True)
class Finding:
    """Something about the data that a person must know. An `error` stops, a `warning` is shown and kept.

    `code` names the kind in one word (`unreadable`, `duplicates`, `leakage`...); `message` says what, where
    and the remedy. A kind found many times is one finding a place; whoever shows them counts and cuts.
    """

    severity: Literal["error", "warning"]
    code: str
    message: str


@dataclass(frozen=True)
class Chunk:
    """B rows in the source's order, and what was found wrong while reading up to them.

    A row that cannot be read is left out and is an error among `findings`.
    """

    features: NDArray[np.uint8] | tuple[NDArray[np.float32] | Encoded, ...]  # (B, H, W, C), or (B,) a column
    labels: Encoded  # class names; a row without one has code -1
    tested: bool  # these rows are the source's own test split
    place: Callable[[int], str]  # where row i of the chunk stands: `cats/3.png`, `train.csv line 17`
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class ColumnNames:
    """The columns of a table, in order, and which of them hold numbers (the others hold categories)."""

    names: tuple[str, ...]
    numeric: tuple[bool, ...]


def kind_of(form: Shape | Table | ColumnNames) -> Shape | ColumnNames:
    """What makes rows of one kind: the shape of images, or the columns of a table and which hold numbers."""
    if not isinstance(form, Table):
        return form
    columns = form.columns
    return ColumnNames(tuple(c.name for c in columns), tuple(c.categories is None for c in columns))


def describe(form: Shape | Table | ColumnNames) -> str:
    """A kind of rows in words."""
    kind = kind_of(form)
    if isinstance(kind, Shape):
        return f"images of {kind.height} x {kind.width} x {kind.channels}"
    named = zip(kind.names, kind.numeric, strict=True)
    return "columns " + ", ".join(
        f"{name} ({'numbers' if is_number else 'categories'})" for name, is_number in named
    )


class Reader(Protocol):
    """One source, recognised by its content. Opening it raises DataError; reading it yields findings."""

    @property
    def form(self) -> Shape | ColumnNames:
        """What a row looks like."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that is read, sorted; their bytes are the source's digest."""

    @property
    def format(self) -> str:
        """A word: idx, cifar, npz, images, parquet, csv."""

    def chunks(self) -> Iterator[Chunk]:
        """All the rows, deterministically; may be called again. DataError only where nothing can be read."""
