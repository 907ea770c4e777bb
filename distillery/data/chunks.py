"""What a reader of any format yields: some rows at a time, so that a source may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from distillery.data.form import Form, Series, Shape, Table, Tokens, in_words
from distillery.data.rows import Features

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

    features: Features | tuple[NDArray[np.float32] | Encoded, ...]  # (B, ...) of its form, or (B,) a column
    labels: Encoded  # class names; a row without one has code -1
    tested: bool  # these rows are the source's own test split
    place: Callable[[int], str]  # where row i of the chunk stands: `cats/3.png`, `train.csv line 17`
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class ColumnNames:
    """The columns of a table, in order, and which of them hold numbers (the others hold categories)."""

    names: tuple[str, ...]
    numeric: tuple[bool, ...]


@dataclass(frozen=True)
class TokenIds:
    """Sequences of so many token ids; how many tokens there are is known when all were read."""

    length: int


Kind = Shape | Series | TokenIds | ColumnNames


def kind_of(form: Form | Kind) -> Kind:
    """What makes rows of one kind: shape, length, or columns and which of them hold numbers."""
    match form:
        case Table(columns=columns):
            return ColumnNames(tuple(c.name for c in columns), tuple(c.categories is None for c in columns))
        case Tokens():
            return TokenIds(form.length)
        case _:
            return form


def describe(form: Form | Kind) -> str:
    """A kind of rows in words."""
    match kind_of(form):
        case TokenIds(length):
            return f"sequences of {length} token ids"
        case ColumnNames(names, numeric):
            named = zip(names, numeric, strict=True)
            return "columns " + ", ".join(f"{name} ({'numbers' if n else 'categories'})" for name, n in named)
        case kind:
            return in_words(kind)


class Reader(Protocol):
    """One source, recognised by its content. Opening it raises DataError; reading it yields findings."""

    @property
    def form(self) -> Kind:
        """What a row looks like."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that is read, sorted; their bytes are the source's digest."""

    @property
    def format(self) -> str:
        """A word: idx, cifar, npz, images, parquet, csv."""

    def chunks(self) -> Iterator[Chunk]:
        """All the rows, deterministically; may be called again. DataError only where nothing can be read."""
