"""The sources that params may name: the digits that scikit-learn ships, and folders of MNIST-layout files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from distillery.data.chunks import CHUNK_BYTES, Chunk, Encoded, Reader
from distillery.data.form import Shape
from distillery.data.readers.idx import TEST, TRAIN, IdxReader, Pair, open_idx
from distillery.errors import DataError
from distillery.params.data import DataParams


class MemoryReader:
    """A reader of rows that are in memory: images (N, H, W, C) uint8, and the name of each one's class."""

    files: tuple[Path, ...]

    def __init__(
        self,
        format: str,  # noqa: A002 - a reader's own word
        features: NDArray[np.uint8],
        labels: Encoded,
        tested: NDArray[np.bool_] | None = None,
        files: tuple[Path, ...] = (),
    ) -> None:
        _, height, width, channels = features.shape
        self.form, self.format, self.files = (
            Shape(height=height, width=width, channels=channels),
            format,
            files,
        )
        self._features, self._labels = features, labels
        self._tested = np.zeros(len(features), np.bool_) if tested is None else tested

    def chunks(self) -> Iterator[Chunk]:
        """The rows that may train, then the source's own test rows."""
        for tested in (False, True):
            rows = np.flatnonzero(self._tested == tested)
            if rows.size:
                labels = Encoded(self._labels.codes[rows], self._labels.names)
                yield Chunk(self._features[rows], labels, tested, _Places(rows).__getitem__)


class _Places:
    def __init__(self, rows: NDArray[np.intp]) -> None:
        self._rows = rows

    def __getitem__(self, at: int) -> str:
        return f"row {self._rows[at]}"


def read_source(data: DataParams, project: Path) -> Reader:
    """The source that the params name; `data.path` is relative to the project."""
    match data.source:
        case "digits":
            return read_digits()
        case "idx":
            return read_idx(project / str(data.path))
        case "imported":
            remedy = (
                "bring it back (`distillery data pull`), or import it again (`distillery data import SOURCE`)"
            )
            raise DataError(f"{project / 'data'} is not there, and data.source is imported: {remedy}")


def read_digits() -> MemoryReader:
    """1,797 handwritten digits of 8 x 8 with values 0 to 16 (Alpaydin and Kaynak 1998, UCI)."""
    bundle = load_digits()
    features = np.ascontiguousarray(bundle.images.astype(np.uint8)[..., None])
    labels = Encoded(bundle.target.astype(np.int32), tuple(map(str, bundle.target_names)))
    return MemoryReader("digits", features, labels)


def read_idx(folder: Path) -> IdxReader:
    """A folder of MNIST-layout files, gzipped or not, with both of its parts.

    Raises DataError with every fault found: a missing, truncated or non-IDX file, counts that differ,
    a label outside 0..classes-1.
    """
    reader = open_idx(folder, (TRAIN, TEST))
    faults = _labels_out_of_range(*(_labels(pair) for pair in reader.pairs))
    if faults:
        raise DataError(f"{folder} is not a readable MNIST-layout folder", faults)
    return reader


def _labels(pair: Pair) -> NDArray[np.uint8]:
    return np.concatenate(list(pair.labels.blocks(CHUNK_BYTES)))


def _labels_out_of_range(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> list[str]:
    present = set(np.unique(train).tolist())
    classes = next(label for label in range(257) if label not in present)
    faults = []
    for part, labels in (("train", train), ("t10k", test)):
        rows = np.flatnonzero(labels >= classes)
        if rows.size:
            row, label = int(rows[0]), int(labels[rows[0]])
            faults.append(
                f"{part}-labels row {row}: label {label} is out of range;"
                f" train has classes 0 to {classes - 1} without a gap ({rows.size} such rows)"
            )
    return faults
