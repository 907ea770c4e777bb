"""Raw image rows for prediction: images and folders of them, CSV, JSON lines, NPZ, NPY, IDX and Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery.errors import DataError
from distillery.raw_arrays import Blocks, Row, is_idx, open_idx, open_npy, open_npz
from distillery.raw_pictures import IMAGES, open_parquet_pictures, open_pictures
from distillery.raw_pixels import text_images
from distillery.raw_rows import RawBatch, RawRows, Source, numbered
from distillery.raw_text import TEXT_SUFFIXES
from distillery.tensors import INPUT

READ = ", ".join((*TEXT_SUFFIXES, ".npz", ".npy", ".parquet", "idx3-ubyte (gzipped or not)", *IMAGES))


def open_images(source: Source, row: Row) -> RawRows:
    """The rows (N, H, W, C) of a source, for a `row` of (H, W, C).

    Raises DataError, also while they are read, naming the file, the row and what the model takes instead.
    """
    if not isinstance(source, Path):
        return _as_rows(source, Blocks(text_images(source, row), None))
    if not source.exists():
        raise DataError(f"{source} is not there: name a CSV, an NPZ, an image or a folder of images")
    suffix = source.suffix.lower()
    if source.is_dir() or suffix in IMAGES:
        return open_pictures(source, row)
    if suffix == ".parquet":
        return open_parquet_pictures(source, row)
    return _as_rows(source, _open_blocks(source, suffix, row))


def _open_blocks(file: Path, suffix: str, row: Row) -> Blocks:
    match suffix:
        case ".npz":
            return open_npz(file, row)
        case ".npy":
            return open_npy(file, row)
        case _ if suffix in TEXT_SUFFIXES:
            return Blocks(text_images(file, row), None)
        case _ if is_idx(file):
            return open_idx(file, row)
    raise DataError(f"{file}: {suffix or 'a file without suffix'} is not read here; use {READ}")


def _as_rows(source: Source, given: Blocks) -> RawRows:
    return RawRows(_checked(source, given), given.total)


def _checked(source: Source, given: Blocks) -> Iterator[RawBatch]:
    """Blocks of numbers as pixels, each row called by its number."""
    first = 0
    for block in given.blocks:
        if len(block):
            yield RawBatch(numbered(first, len(block)), {INPUT: _as_bytes(block, source, first)})
        first += len(block)


def _as_bytes(numbers: NDArray[Any], source: Source, first: int) -> NDArray[np.uint8]:
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
