"""Raw rows of a table from a file for prediction: CSV or Parquet, whose columns are known by their names."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from distillery.errors import DataError
from distillery.feeding import Feed
from distillery.tensors import CATEGORIES, INPUT

SHOWN = 10  # faults
LARGEST = float(np.finfo(np.float32).max)
MISSING = ("", "NA", "NaN", "nan", "null", "NULL")  # as cells of a CSV
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|", re.ASCII | re.IGNORECASE)

Cells = dict[str, list[Any]]  # column -> its values, one a row


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
            cells = _csv(source, wanted)
        case ".parquet":
            cells = _parquet(source, wanted)
        case suffix:
            given = suffix or "a file without suffix"
            raise DataError(f"{source}: {given} is not read here; the model takes a table: .csv or .parquet")
    feed: Feed = {}
    if INPUT in columns:
        feed[INPUT] = _numbers(source, {name: cells[name] for name in columns[INPUT]})
    if CATEGORIES in columns:
        named = [[_name(cell) for cell in cells[name]] for name in columns[CATEGORIES]]
        feed[CATEGORIES] = np.array(named, dtype=object).T
    return len(cells[wanted[0]]), feed


def _csv(file: Path, wanted: Sequence[str]) -> Cells:
    """The wanted columns of a CSV with a header; blank lines are no rows."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            records = csv.reader(lines, strict=True)
            header = [name.strip() for name in next(records, [])]
            places = _places(file, header, wanted)
            rows, torn = _picked((record for record in records if record), places, len(header))
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{file} is not a readable CSV: {error}") from None
    if torn:
        raise DataError(f"{file} has torn rows", _first(torn))
    return {name: [_cell(row[i]) for row in rows] for i, name in enumerate(wanted)}


def _cell(text: str) -> str | None:
    """What a cell of a CSV holds; white space around it does not count."""
    trimmed = text.strip()
    return None if trimmed in MISSING else trimmed


def _picked(records: Iterable[list[str]], places: list[int], width: int) -> tuple[list[list[str]], list[str]]:
    """The cells at these places, row by row, and the rows that are not as wide as the header."""
    rows, torn = [], []
    for number, record in enumerate(records):
        if len(record) == width:
            rows += [[record[at] for at in places]]
        else:
            torn += [f"row {number} has {len(record)} cells, the header {width}"]
    return rows, torn


def _parquet(file: Path, wanted: Sequence[str]) -> Cells:
    """The wanted columns of a Parquet file."""
    try:
        header = list(pq.read_schema(file).names)
        places = _places(file, header, wanted)
        table = pq.read_table(file, columns=[header[at] for at in places])
        return {name: table.column(name).to_pylist() for name in wanted}
    except DataError:
        raise
    except Exception as error:  # broken bytes make the library raise nearly anything
        raise DataError(f"{file} is not a readable Parquet file: {error}") from None


def _places(file: Path, header: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where each wanted column stands."""
    faults = [f"column {name!r} is not there" for name in wanted if name not in header]
    faults += [
        f"column {name!r} is there {header.count(name)} times" for name in wanted if header.count(name) > 1
    ]
    if faults:
        raise DataError(f"{file} has not the columns that the model takes", faults)
    return [header.index(name) for name in wanted]


def _numbers(file: Path, cells: Cells) -> NDArray[np.float32]:
    """The cells as float32 (N, columns), NaN where missing."""
    faults = []
    numbers = np.empty((len(next(iter(cells.values()))), len(cells)))
    for at, (name, values) in enumerate(cells.items()):
        for row, cell in enumerate(values):
            number = _number(cell)
            numbers[row, at] = math.nan if number is None else number
            if number is None:
                faults += [f"row {row}, column {name!r}: {cell!r} is no number"]
    if faults:
        raise DataError(
            f"{file}: the model takes numbers, or empty cells where one is missing", _first(faults)
        )
    return numbers.astype(np.float32)


def _number(cell: object) -> float | None:
    """The value of a cell, NaN where it is missing; None where it holds no number that float32 has."""
    match cell:
        case None:
            return math.nan
        case str():
            text = cell.strip()
            number = float(text or "nan") if NUMBER.fullmatch(text) else math.inf
        case int() | float() | Decimal():
            number = float(cell)
        case _:
            return None
    return None if abs(number) > LARGEST else number


def _name(cell: object) -> str:
    """The category of a cell, '' where it is missing. A whole number is written alike whatever its type."""
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).lower()
        case float() | Decimal() if math.isfinite(cell) and cell == int(cell):
            return str(int(cell))
        case float() if math.isnan(cell):
            return ""
        case _:
            return str(cell)


def _first(faults: Sequence[str]) -> list[str]:
    more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
    return [*faults[:SHOWN], *more]
