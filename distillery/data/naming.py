"""A row's name for ever: the digest of its features, and how often they stood before. Labels play no part."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillery.data.arrays import on_disk, steps
from distillery.data.canonical import Canonical
from distillery.data.form import Column, Form, Series, Shape, Table, Tokens
from distillery.data.rows import ROW_ID, Features, RowIds
from distillery.errors import DataError

ROWS_AT_ONCE = 1 << 16
OBJECT_BYTES = 256  # what a row takes while it is a Python object

Digests = NDArray[np.uint64]  # (N, 2): the first 128 bits of SHA-256, as two big-endian numbers
Bytes = NDArray[np.uint8]


def digest_rows(features: Features, form: Form) -> Digests:
    """The digest of every row's values. A category counts by its name: its code may differ elsewhere."""
    spelled = _spelled(features, form)
    digests = b"".join(hashlib.sha256(row).digest()[:16] for row in spelled)
    return np.frombuffer(digests, ">u8").reshape(-1, 2).astype(np.uint64)


def digest_all(data: Canonical, folder: Path) -> Digests:
    """The digest of every row of a data folder, on disk. Raises DataError where a category has no name."""
    digests, start = on_disk(len(data), np.uint64, folder, (2,)), 0
    for features in data.features():
        _require_names(features, data)
        digests[start : start + len(features)] = digest_rows(features, data.schema.form)
        start += len(features)
    return digests


def _require_names(features: Features, data: Canonical) -> None:
    for at, column in enumerate(data.schema.form.columns if isinstance(data.schema.form, Table) else ()):
        codes = features[:, at]
        if column.categories is not None and not np.isin(codes, np.arange(-1, len(column.categories))).all():
            raise DataError(
                f"{data.folder}: column {column.name} has codes without a name; restore the folder"
            )


def _spelled(features: Features, form: Form) -> Bytes:
    """(B, bytes): the one spelling of each row."""
    match form:
        case Shape():
            return np.ascontiguousarray(features, np.uint8).reshape(len(features), -1)
        case Table():
            columns = [_column(features[:, at], column) for at, column in enumerate(form.columns)]
            return np.ascontiguousarray(np.concatenate(columns, axis=1))
        case Series():
            return _spelled_numbers(features)
        case Tokens():
            return np.ascontiguousarray(features, "<i4").view(np.uint8)


def _spelled_numbers(values: Features) -> Bytes:
    numbers = np.where(np.isnan(values), np.float32("nan"), values + np.float32(0))  # -0 is 0, one NaN
    return numbers.astype("<f4").reshape(len(values), -1).view(np.uint8)


def _column(values: Features, column: Column) -> Bytes:
    if column.categories is None:
        return _spelled_numbers(values)
    return _spelled_names(column.categories)[values.astype(np.int64)]  # code -1 is the last


def _spelled_names(names: Sequence[str]) -> Bytes:
    """(names + 1, 8): eight bytes a name, and those of no name."""
    spelled = [hashlib.sha256(name.encode()).digest()[:8] for name in names] + [b"\0" * 8]
    return np.frombuffer(b"".join(spelled), np.uint8).reshape(-1, 8)


@dataclass(frozen=True)
class Groups:
    """Equal rows brought together. Both arrays are on disk."""

    digests: Digests  # (N, 2)
    leader: NDArray[np.int64]  # (N,) the position of the first row that is equal
    occurrence: NDArray[np.uint32]  # (N,) how many equal rows stand before


def group_rows(digests: Digests, folder: Path) -> Groups:
    """Find the equal rows of (N, 2) digests; scratch files go into `folder`, where no name shows them.

    Rows are sorted by their digests a part at a time, so that memory does not grow with them.
    """
    leader = on_disk(len(digests), np.int64, folder)
    occurrence = on_disk(len(digests), np.uint32, folder)
    for part in _parts(digests):
        here = digests[part]
        order = np.lexsort((here[:, 1], here[:, 0]))  # stable: equal rows stay in their order
        ordered, positions = here[order], part[order]
        starts = np.ones(len(order), np.bool_)
        starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        first = np.flatnonzero(starts)[np.cumsum(starts) - 1]
        leader[positions] = positions[first]
        occurrence[positions] = np.arange(len(order)) - first
    return Groups(digests, leader, occurrence)


def _parts(digests: Digests) -> Iterator[NDArray[np.int64]]:
    """Positions of the rows whose digests begin alike, ascending: about `ROWS_AT_ONCE` a part."""
    parts = max(1, -(-len(digests) // ROWS_AT_ONCE))
    width = np.uint64(-(-(1 << 64) // parts) if parts > 1 else np.iinfo(np.uint64).max)
    for part in range(parts):
        found = [
            step.start + np.flatnonzero(np.minimum(digests[step, 0] // width, parts - 1) == part)
            for step in steps(len(digests), digests.itemsize)
        ]
        yield np.concatenate([np.zeros(0, np.int64), *found])


def name_rows(groups: Groups, rows: slice) -> RowIds:
    """The row ids of some rows."""
    ids = np.empty(rows.stop - rows.start, ROW_ID)
    ids["high"], ids["low"] = groups.digests[rows, 0], groups.digests[rows, 1]
    ids["occurrence"] = groups.occurrence[rows]
    return ids


def seeded_order(digests: Digests, seed: int) -> NDArray[np.uint64]:
    """A number (N,) of each digest and the seed alone, as good as random, to order rows by."""
    drawn = np.empty(len(digests), np.uint64)
    for step in steps(len(digests), OBJECT_BYTES):
        spelled = (f"{seed}:{high:016x}{low:016x}".encode() for high, low in digests[step].tolist())
        content = b"".join(hashlib.sha256(text).digest()[:8] for text in spelled)
        drawn[step] = np.frombuffer(content, ">u8")
    return drawn
