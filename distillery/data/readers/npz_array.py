"""One array of an NPZ archive: its header, and its rows block by block. Nothing is ever unpickled."""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from distillery.data.readers.limits import MOST_UNPACKED, refuse_bomb, refuse_large_row
from distillery.errors import DataError

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
PLAIN = frozenset("biufSU")  # kinds of values that are not objects, dates or complex
ENCRYPTED = 1  # a bit of a member's flags


@dataclass(frozen=True)
class NpzArray:
    """An array (N, ...) in an archive; `start` is where its values begin in the member."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    columnwise: bool  # Fortran's order: the first rows are all over the file
    start: int

    @property
    def row_bytes(self) -> int:
        """Of one row, as it lies in the file."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def blocks(self, rows: int) -> Generator[NDArray[Any], None, None]:
        """Up to `rows` rows at a time, in the machine's byte order."""
        with faults_of(self.file, self.name), zipfile.ZipFile(self.file) as archive:
            yield from self._blocks(archive, rows)

    def _blocks(self, archive: zipfile.ZipFile, rows: int) -> Iterator[NDArray[Any]]:
        with archive.open(f"{self.name}.npy") as stream:
            _read(stream, self.start)
            if self.columnwise:
                table = self._take(stream, self.shape[0], "F")
                yield from (table[at : at + rows] for at in range(0, len(table), rows))
                return
            for first in range(0, self.shape[0], rows):
                yield self._take(stream, min(rows, self.shape[0] - first), "C")

    def _take(self, stream: IO[bytes], rows: int, order: Literal["C", "F"]) -> NDArray[Any]:
        block = np.frombuffer(_read(stream, self.row_bytes * rows), self.dtype)
        native = block.astype(self.dtype.newbyteorder("="), copy=False)
        return native.reshape((rows, *self.shape[1:]), order=order)


def read_arrays(file: Path) -> dict[str, NpzArray]:
    """The arrays of an archive. Raises DataError with what is wrong: pickles, a bomb, lies about a size."""
    with faults_of(file, "the archive"), zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if not members:
            raise DataError(f"{file} is a zip archive without arrays (.npy): unpack it first")
        return {member.filename[:-4]: _read_header(file, archive, member) for member in members}


def _read_header(file: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NpzArray:
    name = member.filename[:-4]
    where = f"{file}: array {name}"
    if member.flag_bits & ENCRYPTED or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{where} is encrypted, or packed in an unusual way: save it with numpy.savez")
    remedy = "save it without compression (numpy.savez)"
    refuse_bomb(where, member.compress_size, member.file_size, remedy)
    with faults_of(file, name), archive.open(member) as stream:
        shape, columnwise, dtype = _parse_header(stream, where)
        array = NpzArray(file, name, shape, dtype, columnwise and len(shape) > 1, stream.tell())
    if dtype.hasobject:
        raise DataError(
            f"{where} has objects, which are pickles and can run code: save plain numbers or text"
        )
    if dtype.kind not in PLAIN or not dtype.itemsize:
        raise DataError(f"{where} has values of type {dtype}: save plain numbers or text")
    values = math.prod(shape) * dtype.itemsize
    if not shape or min(shape) < 0 or array.start + values != member.file_size:
        raise DataError(f"{where} is broken: its header says {shape} of {dtype}, which is not its size")
    refuse_large_row(where, array.row_bytes)
    if array.columnwise and values > MOST_UNPACKED:
        raise DataError(f"{where} is stored column by column: save it after numpy.ascontiguousarray")
    return array


def _parse_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return HEADERS[npy.read_magic(stream)](stream)
    except (OSError, zlib.error, zipfile.BadZipFile):
        raise
    except Exception:  # numpy parses a broken header as Python: it raises nearly anything
        raise DataError(f"{where} has a header that cannot be read: save it anew with numpy.savez") from None


def _read(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError("it is truncated")
    return content


@contextmanager
def faults_of(file: Path, name: str) -> Iterator[None]:
    """Whatever a broken archive raises becomes a DataError that names the file."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{file}: {name} cannot be read: {error}; fetch it again") from None
