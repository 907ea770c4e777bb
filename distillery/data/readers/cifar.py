"""Folders of CIFAR's binary files (Krizhevsky 2009): records of label bytes and 32 x 32 planes R, G, B."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillery.data.chunks import CHUNK_BYTES, Chunk, Finding
from distillery.data.form import Shape
from distillery.data.readers.labels import named
from distillery.errors import DataError

FORM = Shape(height=32, width=32, channels=3)
PIXELS = 32 * 32 * 3


@dataclass(frozen=True)
class Layout:
    """One of the two data sets: its files, how many label bytes a record has, and which of them is read."""

    train: str  # a pattern
    test: str
    names: str  # the file of class names
    label_bytes: int  # the last one is the class; CIFAR-100's first is a group of classes
    classes: int

    def files(self, folder: Path) -> list[Path]:
        """The files of records that are there, sorted, test last."""
        return sorted(folder.glob(self.train)) + sorted(folder.glob(self.test))


CIFAR_10 = Layout("data_batch_*.bin", "test_batch.bin", "batches.meta.txt", 1, 10)
CIFAR_100 = Layout("train.bin", "test.bin", "fine_label_names.txt", 2, 100)


@dataclass(frozen=True)
class _Place:
    file: str
    rows: NDArray[np.intp]

    def __call__(self, row: int) -> str:
        return f"{self.file} row {self.rows[row]}"


@dataclass(frozen=True)
class CifarReader:
    """The records of a CIFAR folder; its test batch is the source's own test split."""

    files: tuple[Path, ...]
    layout: Layout
    batches: tuple[Path, ...]
    names: tuple[str, ...]
    form: Shape = FORM
    format: str = "cifar"

    def chunks(self) -> Iterator[Chunk]:
        """All records. One whose label has no name is left out and is a finding."""
        for batch in self.batches:
            first, record = 0, self.layout.label_bytes + PIXELS
            with batch.open("rb") as stream:
                while content := stream.read(CHUNK_BYTES // record * record):
                    records = np.frombuffer(content, np.uint8).reshape(-1, record)
                    yield self._chunk(batch, records, first)
                    first += len(records)

    def _chunk(self, batch: Path, records: NDArray[np.uint8], first: int) -> Chunk:
        labels = records[:, self.layout.label_bytes - 1]
        good = labels < len(self.names)
        findings = tuple(
            Finding(
                "error",
                "label_out_of_range",
                f"{batch.name} row {first + row}: label {labels[row]} is not one of 0 to"
                f" {len(self.names) - 1}; fetch the file again, and {self.layout.names} if it is there",
            )
            for row in np.flatnonzero(~good).tolist()
        )
        planes = records[good, self.layout.label_bytes :].reshape(-1, 3, 32, 32)
        return Chunk(
            np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),
            named(labels[good], self.names),
            batch.match(self.layout.test),
            _Place(batch.name, first + np.flatnonzero(good)),
            findings,
        )


def layout_of(folder: Path) -> Layout | None:
    """Which layout a folder has files of."""
    return next((layout for layout in (CIFAR_10, CIFAR_100) if layout.files(folder)), None)


def open_cifar(folder: Path) -> CifarReader:
    """The records of a folder. Raises DataError with every file that is not whole records."""
    layout = layout_of(folder)
    if layout is None:
        raise DataError(f"{folder} has none of CIFAR's binary files")
    batches = tuple(layout.files(folder))
    record = layout.label_bytes + PIXELS
    faults = [
        f"{batch} has {size:,} bytes, which is not a number of records of {record:,}: fetch it again"
        for batch in batches
        if (size := batch.stat().st_size) % record or not size
    ]
    if faults:
        raise DataError(f"{folder} is not a readable CIFAR folder", faults)
    meta = folder / layout.names
    known = meta.is_file()
    names = _read_names(meta) if known else [str(label) for label in range(layout.classes)]
    return CifarReader(tuple(sorted([*batches, *([meta] if known else [])])), layout, batches, tuple(names))


def _read_names(meta: Path) -> Sequence[str]:
    try:
        lines = meta.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{meta} cannot be read: {error}; fetch it again, or remove it") from None
    names = [name for line in lines if (name := line.strip())]
    if len(set(names)) < len(names) or not 1 <= len(names) <= 256:
        raise DataError(f"{meta} must hold one name a line, all different: fetch it again, or remove it")
    return names
