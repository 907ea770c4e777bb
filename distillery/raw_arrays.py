"""Images as arrays in files: NPY (mapped), NPZ (unpacked block by block, never whole) and IDX."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from distillery.data.chunks import CHUNK_BYTES
from distillery.data.readers.idx import GZIP, open_idx_file
from distillery.data.readers.npz import FEATURES
from distillery.data.readers.npz_array import NpzArray, read_arrays
from distillery.errors import DataError
from distillery.tensors import INPUT

IDX = b"\0\0\x08\x03"
Row = tuple[int, ...]  # (H, W, C)


@dataclass(frozen=True)
class Blocks:
    """Numbers (B, H, W, C) a block, which may yet be no pixels; `total` of rows, where it is known."""

    blocks: Iterable[NDArray[Any]]
    total: int | None


def at_once(row: Row) -> int:
    """How many images are held together: as numbers they take eight times their pixels."""
    return max(1, CHUNK_BYTES // (8 * math.prod(row)))


def _require(file: Path, found: Row, dtype: np.dtype[Any], row: Row) -> None:
    """Rows of this shape; grey ones may come without a channel."""
    grey = (*found, 1) if len(found) == len(row) and row[-1] == 1 else found
    if not found or grey[1:] != row or dtype.kind not in "uif":
        takes = f"uint8 (N, {', '.join(map(str, row))})"
        raise DataError(f"{file} holds {dtype} {found}; the model takes {takes}")


def open_npy(file: Path, row: Row) -> Blocks:
    """One array of rows."""
    try:
        array = open_memmap(file, mode="r")
    except Exception as error:  # numpy parses a broken header as Python: it raises nearly anything
        raise DataError(f"{file}: no readable array: {error}; pickled arrays are refused") from None
    _require(file, array.shape, array.dtype, row)
    size = at_once(row)
    blocks = (array[at : at + size].reshape(-1, *row) for at in range(0, len(array), size))
    return Blocks(blocks, len(array))


def open_npz(file: Path, row: Row) -> Blocks:
    """The array called `input`, or as an import calls features, or the only one.

    Raises DataError for a pickle, and for a header that promises a bomb.
    """
    arrays = read_arrays(file)
    named = [name for name in (INPUT, *FEATURES) if name in arrays] or list(arrays)
    if len(set(named)) > 1 and named[0] != INPUT:
        raise DataError(f"{file} has the arrays {', '.join(arrays)}: call the one with the rows `input`")
    array = arrays[named[0]]
    _require(file, array.shape, array.dtype, row)
    return Blocks(_unpacked(array, row), array.shape[0])


def _unpacked(array: NpzArray, row: Row) -> Iterable[NDArray[Any]]:
    done = 0
    try:
        for block in array.blocks(at_once(row)):
            yield block.reshape(-1, *row)
            done += len(block)
    except DataError as error:
        raise DataError(f"{error.message} (what is broken comes after row {done})") from None


def is_idx(file: Path) -> bool:
    """Whether a file's first bytes are those of an IDX file of images, or it is one that is gzipped."""
    with file.open("rb") as stream:
        head = stream.read(len(IDX))
    return head == IDX or (head.startswith(GZIP) and "idx3" in file.name)


def open_idx(file: Path, row: Row) -> Blocks:
    """Grey images; the file is read through once before the first of them."""
    idx = open_idx_file(file, 3)
    _require(file, idx.shape, np.dtype(np.uint8), row)
    return Blocks((block.reshape(-1, *row) for block in idx.blocks(at_once(row))), idx.shape[0])
