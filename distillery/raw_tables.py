"""Raw rows of a table from a file for prediction: CSV or Parquet, whose columns are known by their names.

What a cell means is what it means to an import: both ask `distillery.data.readers.values`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from distillery.data.readers.parquet_file import open_parquet_file
from distillery.data.readers.several import Shard
from distillery.data.readers.values import cells, encode, to_numbers
from distillery.errors import DataError
from distillery.feeding import Feed
from distillery.tensors import CATEGORIES, INPUT

SHOWN = 10  # faults
MOST_ROWS = 1 << 16  # that are looked at together


def read_table(source: Path, columns: Mapping[str, Sequence[str]]) -> tuple[int, Feed]:
    """How many rows a file has, and their values in the columns that each tensor takes; others are ignored.

    A cell that is empty, NaN or null is missing. Raises DataError with every fault: columns that are not
    there or there twice, rows that are torn, cells of a numeric column that hold no number.
    """
    wanted = [name for names in columns.values() for name in names]
    if not source.is_file():
        raise DataError(f"{source} is not a file: name a .csv or .parquet with the columns of the model")
    match source.suffix.lower():
        case ".csv":
            batches = [_csv(source, wanted)]
        case ".parquet":
            batches = list(_parquet(source, wanted))
        case suffix:
            given = suffix or "a file without suffix"
            raise DataError(f"{source}: {given} is not read here; the model takes a table: .csv or .parquet")
    feed: Feed = {}
    if INPUT in columns:
        feed[INPUT] = _numbers(source, batches, columns[INPUT])
    if CATEGORIES in columns:
        feed[CATEGORIES] = _names(batches, columns[CATEGORIES])
    return sum(len(batch) for batch in batches), feed


def _csv(file: Path, wanted: Sequence[str]) -> pa.RecordBatch:
    """The wanted columns of a CSV with a header, as text; blank lines are no rows."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            records = csv.reader(lines, strict=True)
            header = [name.strip() for name in next(records, [])]
            _require_columns(file, header, wanted)
            places = [header.index(name) for name in wanted]
            rows, torn = _picked((record for record in records if record), places, len(header))
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{file} is not a readable CSV: {error}") from None
    if torn:
        raise DataError(f"{file} has torn rows", _first(torn))
    texts = [cells(pa.array([row[i] for row in rows], pa.string())) for i in range(len(wanted))]
    return pa.RecordBatch.from_arrays(texts, names=list(wanted))


def _picked(records: Iterable[list[str]], places: list[int], width: int) -> tuple[list[list[str]], list[str]]:
    """The cells at these places, row by row, and the rows that are not as wide as the header."""
    rows, torn = [], []
    for number, record in enumerate(records):
        if len(record) == width:
            rows += [[record[at] for at in places]]
        else:
            torn += [f"row {number} has {len(record)} cells, the header {width}"]
    return rows, torn


def _parquet(file: Path, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The wanted columns of a Parquet file; what else it holds may be of any kind."""
    opened = open_parquet_file(Shard(file, tested=False))
    _require_columns(file, opened.schema.names, wanted)
    strange = [name for name in wanted if opened.kinds.get(name) not in ("numbers", "text")]
    if strange:
        faults = [
            f"column {name!r} is {opened.schema.field(name).type}, not numbers or text" for name in strange
        ]
        raise DataError(f"{file} has not the columns that the model takes", faults)
    return (batch for _, batch in opened.batches(wanted, MOST_ROWS))


def _require_columns(file: Path, header: Sequence[str], wanted: Sequence[str]) -> None:
    faults = [f"column {name!r} is not there" for name in wanted if name not in header]
    faults += [
        f"column {name!r} is there {header.count(name)} times" for name in wanted if header.count(name) > 1
    ]
    if faults:
        raise DataError(f"{file} has not the columns that the model takes", faults)


def _numbers(file: Path, batches: Sequence[pa.RecordBatch], names: Sequence[str]) -> NDArray[np.float32]:
    """These columns (N, columns), NaN where missing."""
    faults: list[str] = []
    numbers = [np.empty((0, len(names)), np.float32)]
    for batch in batches:
        first = sum(map(len, numbers))
        columns = [_column(batch.column(name), f"column {name!r}", first, faults) for name in names]
        numbers.append(np.stack(columns, axis=1))
    if faults:
        raise DataError(
            f"{file}: the model takes numbers, or empty cells where one is missing", _first(faults)
        )
    return np.concatenate(numbers)


def _column(values: pa.Array, name: str, first: int, faults: list[str]) -> NDArray[np.float32]:
    """One column (B,) of a batch that begins with row `first`."""
    numbers, wrong = to_numbers(values)
    faults += [f"row {first + row}, {name}: {text!r} is no number" for row, text in wrong.items()]
    faults += [
        f"row {first + row}, {name}: {values[row].as_py()!r} is infinite, or too large for 32 bits"
        for row in np.flatnonzero(np.isinf(numbers)).tolist()
    ]
    return numbers


def _names(batches: Sequence[pa.RecordBatch], names: Sequence[str]) -> NDArray[np.object_]:
    """The categories (N, columns) of these columns, '' where missing."""
    rows = [np.empty((0, len(names)), object)]
    for batch in batches:
        encoded = [encode(batch.column(name)) for name in names]
        spelled = [np.array([*column.names, ""], object)[column.codes] for column in encoded]
        rows.append(np.stack(spelled, axis=1))
    return np.concatenate(rows)


def _first(faults: Sequence[str]) -> list[str]:
    more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
    return [*faults[:SHOWN], *more]
