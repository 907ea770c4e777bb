"""Rows of numbers, images and sequences, as text: CSV, a row a line, or JSON lines, an array a line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from distillery.data.readers.values import parse_numbers
from distillery.errors import DataError
from distillery.raw_rows import Faults, Source, in_chunks
from distillery.raw_text import csv_records, json_values, open_text, rows_at_once, whole
from distillery.tensors import INPUT

Shape = tuple[int, ...]  # of a row: (H, W, C), (L, C) or (L,)
LABEL = "label"


def text_numbers(source: Source, shape: Shape) -> Iterator[NDArray[np.float64]]:
    """The rows (B, ...) of a CSV or of JSON lines, as numbers that may yet be no pixels, and no ids.

    Raises DataError with every line that is not a row.
    """
    with open_text(source) as (kind, lines):
        match kind:
            case "CSV":
                yield from _csv(source, lines, shape)
            case "JSON lines":
                yield from _json_lines(source, lines, shape)


def _csv(source: Source, lines: Iterator[str], shape: Shape) -> Iterator[NDArray[np.float64]]:
    """One row a line, its numbers in the order of `shape`; a header and a `label` column are fine."""
    records, torn = csv_records(lines), Faults(f"{source} has torn rows")
    first_record = next(records, None)
    if first_record is None:
        raise DataError(f"{source} has no rows")
    width, header = len(first_record), [cell.strip() for cell in first_record]
    if _is_row(header):
        records, header = chain([first_record], records), []
    places = [at for at in range(width) if not header or header[at] != LABEL]
    if len(places) != math.prod(shape):
        raise DataError(
            f"{source} has {len(places)} columns; the model takes {math.prod(shape)}, {shape} a row"
        )
    for first, chunk in in_chunks(records, rows_at_once(width)):
        rows = whole(chunk, first, width, torn)
        if not torn:
            flat, _ = parse_numbers(pa.array([row[at] for row in rows for at in places], pa.string()))
            yield flat.to_numpy(zero_copy_only=False).reshape(-1, *shape)
    torn.refuse()


def _is_row(cells: list[str]) -> bool:
    """Whether the first line holds numbers, and so is no header."""
    return not parse_numbers(pa.array(cells, pa.string()))[1]


def _json_lines(source: Source, lines: Iterator[str], shape: Shape) -> Iterator[NDArray[np.float64]]:
    """An array a line, nested by row or flat; or an object that has it as `input`."""
    faults = Faults(f"{source}: each line must be an array of {math.prod(shape)} numbers, {shape}")
    for _, chunk in in_chunks(json_values(lines, faults), rows_at_once(math.prod(shape))):
        rows = [read for row, value in chunk if (read := _row(row, value, shape, faults)) is not None]
        if not faults:
            yield np.stack(rows)
    faults.refuse()


def _row(row: int, value: Any, shape: Shape, faults: Faults) -> NDArray[np.float64] | None:
    given = value.get(INPUT) if isinstance(value, dict) else value
    try:
        numbers = np.array(given, np.float64)
    except (ValueError, TypeError, OverflowError):
        numbers = np.empty(0)
    if numbers.size == math.prod(shape) and isinstance(given, list):
        return numbers.reshape(shape)
    faults.add(f"row {row} is not that")
    return None
