"""Folders of MNIST-layout (IDX) files, gzipped or not (LeCun, Cortes and Burges 1998)."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from distillery.data.chunks import CHUNK_BYTES, Chunk
from distillery.data.form import Shape
from distillery.data.locate import idx_file
from distillery.data.readers.labels import Place, named
from distillery.data.readers.limits import refuse_bomb, refuse_large_row
from distillery.errors import DataError

IDX_UINT8 = 8
GZIP = b"\x1f\x8b"
TRAIN, TEST = "train", "t10k"
IDX_NAME = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")


@dataclass(frozen=True)
class IdxFile:
    """One IDX file of unsigned bytes: what its header says, and its rows."""

    path: Path
    shape: tuple[int, ...]

    def blocks(self, rows: int) -> Iterator[NDArray[np.uint8]]:
        """Up to `rows` rows at a time. Raises DataError where the file is shorter or longer than it says."""
        row_shape, left = self.shape[1:], self.shape[0]
        row_bytes = math.prod(row_shape)
        with _opened(self.path) as stream:
            _read(self.path, stream, _header_bytes(len(self.shape)))
            while left:
                block = min(rows, left)
                content = _read(self.path, stream, block * row_bytes)
                if len(content) < block * row_bytes:
                    read = (self.shape[0] - left) * row_bytes + len(content)
                    raise DataError(
                        f"{self.path} is truncated: {read} bytes after a header for {math.prod(self.shape)}"
                    )
                left -= block
                yield np.frombuffer(content, np.uint8).reshape(block, *row_shape)
            if _read(self.path, stream, 1):
                raise DataError(
                    f"{self.path} has a tail: more than the {math.prod(self.shape)} bytes of its header"
                )


def open_idx_file(file: Path, dimensions: int) -> IdxFile:
    """An IDX file, read through once; raises DataError naming the file and what is wrong with it."""
    with _opened(file) as stream:
        header = _read(file, stream, _header_bytes(dimensions))
    if len(header) < _header_bytes(dimensions) or header[:4] != bytes((0, 0, IDX_UINT8, dimensions)):
        raise DataError(f"{file} is not an IDX file of unsigned bytes in {dimensions} dimension(s)")
    shape = tuple(np.frombuffer(header, ">u4", dimensions, 4).tolist())
    if not math.prod(shape[1:]):
        raise DataError(f"{file} is not an IDX file of images: its header says {shape}")
    refuse_large_row(str(file), math.prod(shape[1:]))
    refuse_bomb(str(file), file.stat().st_size, math.prod(shape), "fetch it again, or store it without gzip")
    idx = IdxFile(file, shape)
    for _ in idx.blocks(_rows_of(math.prod(shape[1:]))):
        pass  # a fault at its end must be known before anything is written
    return idx


def _header_bytes(dimensions: int) -> int:
    return 4 + 4 * dimensions


def _rows_of(row_bytes: int) -> int:
    return max(1, CHUNK_BYTES // row_bytes)


def _opened(file: Path) -> BinaryIO:
    try:
        with file.open("rb") as stream:
            zipped = stream.read(2) == GZIP
        return gzip.open(file, "rb") if zipped else file.open("rb")  # type: ignore[return-value]
    except FileNotFoundError:
        raise DataError(f"{file} is not there: the folder needs it, gzipped (.gz) or not") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}") from None


def _read(file: Path, stream: BinaryIO, count: int) -> bytes:
    try:
        return stream.read(count)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} cannot be read: {error}; fetch it again") from None


@dataclass(frozen=True)
class Pair:
    """The images (N, H, W) and labels (N,) of one part."""

    part: str
    images: IdxFile
    labels: IdxFile


@dataclass(frozen=True)
class IdxReader:
    """The rows of an MNIST-layout folder: train, then t10k, which is the source's own test split."""

    form: Shape
    files: tuple[Path, ...]
    pairs: tuple[Pair, ...]
    format: str = "idx"

    def chunks(self) -> Iterator[Chunk]:
        """All rows. A class is called by its number."""
        for pair in self.pairs:
            first, rows = 0, _rows_of(self.form.height * self.form.width)
            blocks = zip(pair.images.blocks(rows), pair.labels.blocks(rows), strict=True)
            for images, labels in blocks:
                place = Place(pair.images.path.name, first)
                yield Chunk(images[..., None], named(labels), pair.part == TEST, place)
                first += len(labels)


def is_idx_name(name: str) -> bool:
    """Whether a file is called like one of such a folder."""
    return IDX_NAME.fullmatch(name) is not None


def parts_there(folder: Path) -> tuple[str, ...]:
    """Which parts a folder has some file of."""
    kinds = ("images", "labels")
    return tuple(
        part for part in (TRAIN, TEST) if any(idx_file(folder, part, kind).is_file() for kind in kinds)
    )


def open_idx(folder: Path, parts: Sequence[str]) -> IdxReader:
    """Those parts of an MNIST-layout folder.

    Raises DataError with every fault found: a missing, truncated or non-IDX file, counts or shapes that
    differ.
    """
    faults: list[str] = []
    pairs = tuple(pair for part in parts if (pair := _open_pair(folder, part, faults)))
    if not faults:
        faults = _disagreements(pairs)
    if faults:
        raise DataError(f"{folder} is not a readable MNIST-layout folder", faults)
    _, height, width = pairs[0].images.shape
    files = tuple(sorted(file.path for pair in pairs for file in (pair.images, pair.labels)))
    return IdxReader(Shape(height=height, width=width, channels=1), files, pairs)


def _open_pair(folder: Path, part: str, faults: list[str]) -> Pair | None:
    opened = []
    for kind, dimensions in (("images", 3), ("labels", 1)):
        try:
            opened.append(open_idx_file(idx_file(folder, part, kind), dimensions))
        except DataError as error:
            faults.append(error.message)
    return Pair(part, *opened) if len(opened) == 2 else None


def _disagreements(pairs: Sequence[Pair]) -> list[str]:
    faults = []
    for pair in pairs:
        images, labels = pair.images.shape[0], pair.labels.shape[0]
        if images != labels:
            files = pair.images.path.name, pair.labels.path.name
            faults.append(f"{pair.part}: {images} images in {files[0]} but {labels} labels in {files[1]}")
        if not images:
            faults.append(f"{pair.part}: there are no images")
    sizes = {pair.part: pair.images.shape[1:] for pair in pairs}
    if len(set(sizes.values())) > 1:
        faults.append(", ".join(f"{part} images are {size}" for part, size in sizes.items()))
    return faults
