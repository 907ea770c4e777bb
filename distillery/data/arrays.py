"""Arrays on disk that are written row by row and read by mapping: memory never holds more than a chunk."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap, write_array_header_1_0
from numpy.typing import DTypeLike, NDArray

STEP_BYTES = 4 << 20


class ArrayWriter:
    """An .npy file of rows whose number is known only at its end. Equal rows give equal bytes."""

    def __init__(self, file: Path, dtype: DTypeLike, row: tuple[int, ...] = ()) -> None:
        self.dtype, self.row, self.rows = np.dtype(dtype), row, 0
        self._stream = file.open("wb")
        self._write_header()

    def append(self, rows: NDArray[Any]) -> None:
        """Write (B, *row) at the end."""
        if rows.shape[1:] != self.row:
            raise ValueError(f"rows are {rows.shape[1:]}, not {self.row}")
        self._stream.write(np.ascontiguousarray(rows, self.dtype).data)
        self.rows += len(rows)

    def close(self) -> None:
        """Say in the header how many rows there are; numpy leaves room in it for any number."""
        with self._stream:
            self._stream.seek(0)
            self._write_header()

    def drop(self) -> None:
        """Let go of a file that is of no use, or is closed already."""
        self._stream.close()

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        self.drop()

    def _write_header(self) -> None:
        description = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": description, "fortran_order": False, "shape": (self.rows, *self.row)}
        write_array_header_1_0(self._stream, header)


def mapped(file: Path) -> NDArray[Any]:
    """An .npy file as an array that stays on disk; never unpickles."""
    array: NDArray[Any] = open_memmap(file, mode="r")
    return array


def on_disk(rows: int, dtype: DTypeLike, folder: Path, row: tuple[int, ...] = ()) -> NDArray[Any]:
    """An array to write into that no file name leads to: its pages are the disk's, not anonymous memory.

    The space is taken at once, so that a full disk is an OSError here and no broken mapping later.
    """
    shape, kind = (rows, *row), np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if not size:
        return np.empty(shape, kind)
    with TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, kind, "r+", shape=shape)


def steps(rows: int, row_bytes: int) -> Iterator[slice]:
    """Slices that cover `rows` rows, each about `STEP_BYTES` of memory."""
    step = max(1, STEP_BYTES // max(1, row_bytes))
    yield from (slice(start, min(start + step, rows)) for start in range(0, rows, step))
