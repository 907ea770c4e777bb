"""Raw image rows for prediction: images and folders of them, CSV, JSON lines, NPZ, NPY, IDX and Parquet."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery.errors import DataError
from distillery.raw_arrays import Blocks, Row, Taken, as_rows, is_idx, open_idx, open_numbers
from distillery.raw_pictures import IMAGES, open_parquet_pictures, open_pictures
from distillery.raw_rows import RawRows, Source
from distillery.raw_text import TEXT_SUFFIXES

READ = ", ".join((*TEXT_SUFFIXES, ".npz", ".npy", ".parquet", "idx3-ubyte (gzipped or not)", *IMAGES))


def open_images(source: Source, row: Row) -> RawRows:
    """The rows (N, H, W, C) of a source, for a `row` of (H, W, C).

    Raises DataError, also while they are read, naming the file, the row and what the model takes instead.
    """
    if isinstance(source, Path):
        if not source.exists():
            raise DataError(f"{source} is not there: name a CSV, an NPZ, an image or a folder of images")
        suffix = source.suffix.lower()
        if source.is_dir() or suffix in IMAGES:
            return open_pictures(source, row)
        if suffix == ".parquet":
            return open_parquet_pictures(source, row)
    return as_rows(open_numbers(source, Taken(row, "uint8"), _open_other), partial(_as_bytes, source))


def _open_other(file: Path, taken: Taken) -> Blocks:
    if is_idx(file):
        return open_idx(file, taken)
    raise DataError(f"{file}: {file.suffix or 'a file without suffix'} is not read here; use {READ}")


def _as_bytes(source: Source, numbers: NDArray[Any], first: int) -> NDArray[np.uint8]:
    if numbers.dtype == np.uint8:
        return np.ascontiguousarray(numbers)
    values = np.asarray(numbers, np.float64)
    wrong = ~((values >= 0) & (values <= 255) & (values == np.rint(values)))
    if wrong.any():
        row = first + int(np.argwhere(wrong)[0][0])
        raise DataError(
            f"{source} row {row}: values must be whole numbers from 0 to 255, as the raw rows have"
        )
    return values.astype(np.uint8)
