"""Raw sequences from a file for prediction: NPY, or NPZ with an array `input`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery.errors import DataError
from distillery.raw_arrays import read_array

KINDS = (".npy", ".npz")


def read_series(source: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Rows (N, L, C) for a `shape` of (L, C); (N, L) where C is 1. Raises DataError as `read_ids` does."""
    array = _read(source)
    if array.ndim == len(shape) and shape[-1] == 1:
        array = array[..., None]
    _require(source, array, shape, "fiu", "float32")
    with np.errstate(over="ignore"):
        rows = np.asarray(array, np.float32)
    wrong = np.argwhere(~np.isfinite(rows))
    if len(wrong):
        raise DataError(f"{source} row {wrong[0][0]} step {wrong[0][1]}: is no finite number; mend it")
    return rows


def read_ids(source: Path, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Rows of token ids (N, L) for a `shape` of (L,). An id that the model does not know counts as padding.

    Raises DataError naming the file, the row and what the model takes instead.
    """
    array = _read(source)
    _require(source, array, shape, "iu", "int64")
    if array.dtype == np.uint64 and (array > np.iinfo(np.int64).max).any():
        raise DataError(f"{source} has ids beyond 64-bit integers")
    return np.asarray(array, np.int64)


def _read(source: Path) -> NDArray[Any]:
    if not source.is_file():
        raise DataError(f"{source} is not a file: name an .npy or .npz of sequences")
    if source.suffix.lower() not in KINDS:
        given = source.suffix or "a file without suffix"
        raise DataError(
            f"{source}: {given} is not read here; the model takes sequences: {' or '.join(KINDS)}"
        )
    return read_array(source)


def _require(source: Path, array: NDArray[Any], shape: tuple[int, ...], kinds: str, dtype: str) -> None:
    if array.shape[1:] != shape or array.ndim == 0 or array.dtype.kind not in kinds:
        takes = f"{dtype} (N, {', '.join(map(str, shape))})"
        raise DataError(f"{source} holds {array.dtype} {array.shape}; the model takes {takes}")
