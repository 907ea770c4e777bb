"""Raw rows of a table for prediction: CSV, Parquet or JSON lines, whose columns are known by their names.

What a cell means is what it means to an import: both ask `distillery.data.readers.values`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from distillery.data.readers.parquet_file import ParquetFile, open_parquet_file
from distillery.data.readers.several import Shard
from distillery.data.readers.values import WHOLE, cells, encode, to_numbers
from distillery.errors import DataError
from distillery.feeding import Feed
from distillery.raw_rows import Faults, RawBatch, RawRows, Source, in_chunks, numbered
from distillery.raw_text import TEXT_SUFFIXES, csv_records, json_values, open_text, rows_at_once, whole
from distillery.tensors import CATEGORIES, INPUT

MOST_ROWS = 1 << 13  # of a Parquet file that are looked at together
Columns = Mapping[str, Sequence[str]]


def open_table(source: Source, columns: Columns) -> RawRows:
    """The rows of a source in the columns that each tensor takes; other columns are ignored.

    A cell that is empty, NaN or null is missing. Raises DataError, also while they are read, with every
    fault: columns that are not there or there twice, rows that are torn, cells of a numeric column that hold
    no number. No batch follows a faulty row.
    """
    wanted = [name for names in columns.values() for name in names]
    if not isinstance(source, Path):
        return RawRows(_fed(source, _text(source, columns), columns), None)
    if not source.is_file():
        raise DataError(f"{source} is not a file: name a .csv, .jsonl or .parquet with the model's columns")
    match source.suffix.lower():
        case ".parquet":
            opened = _open_parquet(source, wanted)
            batches = (batch for _, batch in opened.batches(wanted, MOST_ROWS))
            return RawRows(_fed(source, batches, columns), opened.rows)
        case suffix if suffix in TEXT_SUFFIXES:
            return RawRows(_fed(source, _text(source, columns), columns), None)
        case suffix:
            given = suffix or "a file without suffix"
            raise DataError(f"{source}: {given} is not read here; the model takes a table: .csv or .parquet")


def _fed(source: Source, batches: Iterator[pa.RecordBatch], columns: Columns) -> Iterator[RawBatch]:
    """Batches as tensors; after a fault only faults are sought."""
    faults, first = Faults(f"{source}: the model takes numbers, or empty cells where one is missing"), 0
    for batch in batches:
        feed: Feed = {}
        if INPUT in columns:
            feed[INPUT] = _numbers(batch, columns[INPUT], first, faults)
        if CATEGORIES in columns:
            feed[CATEGORIES] = _names(batch, columns[CATEGORIES])
        if not faults and len(batch):
            yield RawBatch(numbered(first, len(batch)), feed)
        first += len(batch)
    faults.refuse()


def _text(source: Source, columns: Columns) -> Iterator[pa.RecordBatch]:
    with open_text(source) as (kind, lines):
        match kind:
            case "CSV":
                yield from _csv(source, lines, [name for names in columns.values() for name in names])
            case "JSON lines":
                yield from _json_lines(source, lines, columns)


def _csv(source: Source, lines: Iterator[str], wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The wanted columns of a CSV with a header, as text; blank lines are no rows."""
    records, torn = csv_records(lines), Faults(f"{source} has torn rows")
    header = [name.strip() for name in next(records, [])]
    _require_columns(source, header, wanted)
    places = [header.index(name) for name in wanted]
    for first, chunk in in_chunks(records, rows_at_once(len(header))):
        rows = whole(chunk, first, len(header), torn)
        if not torn:
            yield _batch([[row[at] for row in rows] for at in places], wanted, as_cells=True)
    torn.refuse()


def _json_lines(source: Source, lines: Iterator[str], columns: Columns) -> Iterator[pa.RecordBatch]:
    """The wanted members of an object a line, as text; null is missing, and so is a member of no value."""
    numeric = {name: tensor == INPUT for tensor, names in columns.items() for name in names}
    faults = Faults(f"{source}: each line must be an object with the columns that the model takes")
    for _, chunk in in_chunks(json_values(lines, faults), rows_at_once(len(numeric))):
        rows = [_members(row, value, numeric, faults) for row, value in chunk]
        if not faults:
            texts = [[row[at] for row in rows] for at in range(len(numeric))]
            yield _batch(texts, list(numeric), as_cells=False)
    faults.refuse()


def _members(row: int, value: Any, numeric: Mapping[str, bool], faults: Faults) -> list[str | None]:
    if not isinstance(value, dict):
        faults.add(f"row {row} is no object")
        return []
    missing = [name for name in numeric if name not in value]
    faults.add_all(
        f"row {row}: column {name!r} is not there (null says that it is missing)" for name in missing
    )
    texts = []
    for name, is_number in numeric.items():
        member = value.get(name)
        if isinstance(member, dict | list):
            faults.add(f"row {row}, column {name!r} holds several values, not one")
            member = None
        texts.append(_text_of(member, is_number))
    return texts


def _text_of(value: Any, is_number: bool) -> str | None:
    """A JSON value as an import would write it, which takes whole numbers for whole."""
    match value:
        case bool():
            return str(int(value)) if is_number else str(value).lower()
        case float() if abs(value) < WHOLE and value.is_integer():
            return str(int(value))
        case float() if math.isnan(value):
            return None
        case None:
            return None
        case _:
            return str(value)


def _batch(texts: list[list[Any]], names: Sequence[str], *, as_cells: bool) -> pa.RecordBatch:
    arrays = [pa.array(column, pa.string()) for column in texts]
    return pa.RecordBatch.from_arrays(
        [cells(array) for array in arrays] if as_cells else arrays, names=list(names)
    )


def _open_parquet(file: Path, wanted: Sequence[str]) -> ParquetFile:
    """A Parquet file that has the wanted columns; what else it holds may be of any kind."""
    opened = open_parquet_file(Shard(file, tested=False))
    _require_columns(file, opened.schema.names, wanted)
    strange = [name for name in wanted if opened.kinds.get(name) not in ("numbers", "text")]
    if strange:
        faults = [
            f"column {name!r} is {opened.schema.field(name).type}, not numbers or text" for name in strange
        ]
        raise DataError(f"{file} has not the columns that the model takes", faults)
    return opened


def _require_columns(source: Source, header: Sequence[str], wanted: Sequence[str]) -> None:
    faults = [f"column {name!r} is not there" for name in wanted if name not in header]
    faults += [
        f"column {name!r} is there {header.count(name)} times" for name in wanted if header.count(name) > 1
    ]
    if faults:
        raise DataError(f"{source} has not the columns that the model takes", faults)


def _numbers(batch: pa.RecordBatch, names: Sequence[str], first: int, faults: Faults) -> NDArray[np.float32]:
    """These columns (B, columns), NaN where missing, of a batch that begins with row `first`."""
    return np.stack([_column(batch.column(name), name, first, faults) for name in names], axis=1)


def _column(values: pa.Array, name: str, first: int, faults: Faults) -> NDArray[np.float32]:
    numbers, wrong = to_numbers(values)
    faults.add_all(
        f"row {first + row}, column {name!r}: {text!r} is no number" for row, text in wrong.items()
    )
    faults.add_all(
        f"row {first + row}, column {name!r}: {values[row].as_py()!r} is infinite, or too large for 32 bits"
        for row in np.flatnonzero(np.isinf(numbers)).tolist()
    )
    return numbers


def _names(batch: pa.RecordBatch, names: Sequence[str]) -> NDArray[np.object_]:
    """The categories (B, columns) of these columns, '' where missing."""
    encoded = [encode(batch.column(name)) for name in names]
    spelled = [np.array([*column.names, ""], object)[column.codes] for column in encoded]
    return np.stack(spelled, axis=1)
