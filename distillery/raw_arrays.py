"""Rows of numbers in files: NPY (mapped), NPZ (unpacked block by block, never whole), IDX and text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from distillery.data.chunks import CHUNK_BYTES
from distillery.data.readers.idx import GZIP, open_idx_file
from distillery.data.readers.npz import FEATURES
from distillery.data.readers.npz_array import NpzArray, read_arrays
from distillery.errors import DataError
from distillery.raw_numbers import text_numbers
from distillery.raw_rows import RawBatch, RawRows, Source, numbered
from distillery.raw_text import TEXT_SUFFIXES
from distillery.tensors import INPUT

IDX = b"\0\0\x08\x03"
Row = tuple[int, ...]  # (H, W, C), (L, C) or (L,)
Check = Callable[[NDArray[Any], int], NDArray[Any]]  # (a block, the number of its first row) -> as taken


@dataclass(frozen=True)
class Taken:
    """What a model takes: rows of this size, as numbers of this kind."""

    row: Row
    dtype: Literal["uint8", "float32", "int64"]


@dataclass(frozen=True)
class Blocks:
    """Numbers (B, ...) a block, which may yet be no pixels, or no ids; `total` of rows, where it is known."""

    blocks: Iterable[NDArray[Any]]
    total: int | None


def at_once(row: Row) -> int:
    """How many rows are held together: as numbers they take eight times their pixels."""
    return max(1, CHUNK_BYTES // (8 * math.prod(row)))


def open_numbers(source: Source, taken: Taken, otherwise: Callable[[Path, Taken], Blocks]) -> Blocks:
    """The rows of a source that holds an array, or text, as what is piped does; `otherwise` opens others."""
    if not isinstance(source, Path):
        return Blocks(text_numbers(source, taken.row), None)
    match source.suffix.lower():
        case ".npz":
            return open_npz(source, taken)
        case ".npy":
            return open_npy(source, taken)
        case suffix if suffix in TEXT_SUFFIXES:
            return Blocks(text_numbers(source, taken.row), None)
        case _:
            return otherwise(source, taken)


def as_rows(given: Blocks, check: Check) -> RawRows:
    """Rows called by their numbers, each block as `check` makes it."""
    return RawRows(_as_batches(given, check), given.total)


def _as_batches(given: Blocks, check: Check) -> Iterator[RawBatch]:
    first = 0
    for block in given.blocks:
        if len(block):
            yield RawBatch(numbered(first, len(block)), {INPUT: check(block, first)})
        first += len(block)


def _require(file: Path, found: Row, dtype: np.dtype[Any], taken: Taken) -> None:
    """Rows of this shape; those of one channel may come without it."""
    whole = (*found, 1) if len(found) == len(taken.row) and taken.row[-1] == 1 else found
    if not found or whole[1:] != taken.row or dtype.kind not in "uif":
        takes = f"{taken.dtype} (N, {', '.join(map(str, taken.row))})"
        raise DataError(f"{file} holds {dtype} {found}; the model takes {takes}")


def open_npy(file: Path, taken: Taken) -> Blocks:
    """One array of rows."""
    try:
        array = open_memmap(file, mode="r")
    except Exception as error:  # numpy parses a broken header as Python: it raises nearly anything
        raise DataError(f"{file}: no readable array: {error}; pickled arrays are refused") from None
    _require(file, array.shape, array.dtype, taken)
    row, size = taken.row, at_once(taken.row)
    blocks = (array[at : at + size].reshape(-1, *row) for at in range(0, len(array), size))
    return Blocks(blocks, len(array))


def open_npz(file: Path, taken: Taken) -> Blocks:
    """The array called `input`, or as an import calls features, or the only one.

    Raises DataError for a pickle, and for a header that promises a bomb.
    """
    arrays = read_arrays(file)
    named = [name for name in (INPUT, *FEATURES) if name in arrays] or list(arrays)
    if len(set(named)) > 1 and named[0] != INPUT:
        raise DataError(f"{file} has the arrays {', '.join(arrays)}: call the one with the rows `input`")
    array = arrays[named[0]]
    _require(file, array.shape, array.dtype, taken)
    return Blocks(_unpacked(array, taken.row), array.shape[0])


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


def open_idx(file: Path, taken: Taken) -> Blocks:
    """Grey images; the file is read through once before the first of them."""
    idx, row = open_idx_file(file, 3), taken.row
    _require(file, idx.shape, np.dtype(np.uint8), taken)
    return Blocks((block.reshape(-1, *row) for block in idx.blocks(at_once(row))), idx.shape[0])
