"""Raw sequences for prediction, series and token ids: CSV, JSON lines, NPZ and NPY."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery.errors import DataError
from distillery.raw_arrays import Blocks, Check, Row, Taken, as_rows, open_numbers
from distillery.raw_rows import RawRows, Source
from distillery.raw_text import TEXT_SUFFIXES

READ = ", ".join((*TEXT_SUFFIXES, ".npz", ".npy"))
FARTHEST = 2**63  # where ids of 64 bits end


def open_series(source: Source, row: Row) -> RawRows:
    """The rows (N, L, C) of a source, for a `row` of (L, C). Raises DataError as `open_ids` does."""
    return _opened(source, Taken(row, "float32"), partial(_as_series, source))


def open_ids(source: Source, row: Row) -> RawRows:
    """The rows of token ids (N, L) of a source, for a `row` of (L,). An id that is unknown counts as padding.

    Raises DataError, also while they are read, naming the file, the row and what the model takes instead.
    """
    return _opened(source, Taken(row, "int64"), partial(_as_ids, source))


def _opened(source: Source, taken: Taken, check: Check) -> RawRows:
    if isinstance(source, Path) and not source.is_file():
        raise DataError(f"{source} is not a file: name an .npy, an .npz, a .csv or a .jsonl of sequences")
    return as_rows(open_numbers(source, taken, _refuse), check)


def _refuse(file: Path, _: Taken) -> Blocks:
    given = file.suffix or "a file without suffix"
    raise DataError(f"{file}: {given} is not read here; the model takes sequences: use {READ}")


def _as_series(source: Source, numbers: NDArray[Any], first: int) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        series = np.ascontiguousarray(numbers, np.float32)
    _require(source, np.isfinite(series), first, "is no finite number; mend it")
    return series


def _as_ids(source: Source, numbers: NDArray[Any], first: int) -> NDArray[np.int64]:
    with np.errstate(over="ignore"):  # 16-bit floats end below it
        within = (numbers >= -FARTHEST) & (numbers < FARTHEST) & (numbers == np.rint(numbers))
    _require(source, within, first, "is no whole number of 64 bits, as token ids are")
    return np.ascontiguousarray(numbers, np.int64)


def _require(source: Source, right: NDArray[np.bool_], first: int, otherwise: str) -> None:
    wrong = np.argwhere(~right)
    if len(wrong):
        raise DataError(f"{source} row {first + wrong[0][0]} step {wrong[0][1]}: {otherwise}")
