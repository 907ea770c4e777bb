"""NPZ archives: images, a table (N, columns) of numbers, or sequences; and labels."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from distillery.data.chunks import CHUNK_BYTES, Chunk, ColumnNames, Finding, Kind, TokenIds, describe
from distillery.data.form import Series, Shape, Table
from distillery.data.readers.labels import Place
from distillery.data.readers.npz_array import NpzArray, read_arrays
from distillery.data.readers.npz_sequences import (
    SERIES,
    TOKENS,
    guessed,
    sequence_fault,
    sequence_kind,
    sequences,
)
from distillery.data.readers.several import Shard, say_first
from distillery.data.readers.tables import Chunks, plan_columns, refuse_many_classes
from distillery.data.readers.values import encode
from distillery.data.rows import Features
from distillery.errors import DataError

FEATURES = ("images", "x", "features", "input", SERIES, TOKENS)
LABELS = ("labels", "y", "label")
PARTS = {"": False, "train": False, "val": False, "test": True}  # name: tested
CHANNELS = (1, 2, 3, 4)
LAST_LETTER = 0x10FFFF  # of Unicode
LABEL = "label"  # what the column of labels is called on its way
ACCEPTED = (
    f"an archive needs features ({', '.join(FEATURES)}) and labels ({', '.join(LABELS)}), or both with train,"
    " val or test before or after (x_train, y_train, x_test, y_test; train_images, train_labels...)"
)


@dataclass(frozen=True)
class Pair:
    """Features and labels of one part of an archive. `tested`: the source's own test split."""

    features: NpzArray
    labels: NpzArray
    tested: bool

    @property
    def rows(self) -> int:
        """How many make a chunk."""
        shape, dtype = self.features.shape, self.features.dtype
        as_numbers = 4 * math.prod(shape[1:]) if len(shape) == 2 or dtype != np.uint8 else 0
        return max(1, CHUNK_BYTES // max(self.features.row_bytes, as_numbers, self.labels.row_bytes))


Block = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class NpzReader:
    """The rows of NPZ archives: those that may train, then the source's own test rows."""

    form: Kind
    files: tuple[Path, ...]
    pairs: tuple[Pair, ...]
    findings: tuple[Finding, ...]
    format: str = "npz"

    def chunks(self) -> Iterator[Chunk]:
        """All rows. DataError where an archive is broken farther on."""
        return say_first(self.findings, self._chunks())

    def _chunks(self) -> Iterator[Chunk]:
        table = Chunks(self.form, LABEL) if isinstance(self.form, ColumnNames) else None
        classes: set[str] = set()
        for pair in self.pairs:
            with closing(_blocks(pair)) as blocks:  # at once, also where a row is refused
                yield from self._pairs_chunks(pair, blocks, table, classes)

    def _pairs_chunks(
        self, pair: Pair, blocks: Iterator[Block], table: Chunks | None, classes: set[str]
    ) -> Iterator[Chunk]:
        first = 0
        for features, labels in blocks:
            place = Place(f"{pair.features.file.name} {pair.features.name}", first)
            values = _as_arrow(labels.reshape(len(labels)), pair.labels)
            if table is not None:
                yield table.chunk(_batch(features, values), pair.tested, place)
            else:
                encoded = encode(values)
                refuse_many_classes(classes, encoded, f"{pair.labels.file.name}: {pair.labels.name}")
                taken, findings = self._taken(features, place)
                yield Chunk(taken, encoded, pair.tested, place, findings)
            first += len(labels)

    def _taken(self, features: NDArray[Any], place: Place) -> tuple[Features, tuple[Finding, ...]]:
        """Rows of no table as they are kept, and those that cannot be."""
        if isinstance(self.form, Series | TokenIds):
            return sequences(self.form, features, place)
        return _with_channels(features), ()


def _blocks(pair: Pair) -> Generator[Block, None, None]:
    """Features and labels of some rows at a time."""
    with (
        closing(pair.features.blocks(pair.rows)) as features,
        closing(pair.labels.blocks(pair.rows)) as labels,
    ):
        yield from zip(features, labels, strict=True)


def _with_channels(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(images if images.ndim == 4 else images[..., None])


def _batch(features: NDArray[Any], labels: pa.Array) -> pa.RecordBatch:
    """Columns f0, f1... and the labels."""
    wide = features.astype(np.float64) if features.dtype.itemsize > 8 else features
    columns = {f"f{at}": pa.array(np.ascontiguousarray(wide[:, at])) for at in range(wide.shape[1])}
    return pa.RecordBatch.from_pydict(columns | {LABEL: labels})


def _as_arrow(labels: NDArray[Any], array: NpzArray) -> pa.Array:
    try:
        match labels.dtype.kind:
            case "S":
                return pa.array([label.decode() for label in labels.tolist()], pa.string())
            case "U":
                if np.ascontiguousarray(labels).view(np.uint32).max(initial=0) > LAST_LETTER:
                    raise ValueError("no letter has such a code")  # numpy would make a text of it and crash
                return pa.array(labels.tolist(), pa.string())
            case "f":
                return pa.array(labels.astype(np.float64))
        return pa.array(labels)
    except ValueError:
        raise DataError(f"{array.file}: {array.name} has text that is not UTF-8: save it anew") from None


def open_npz(shards: Sequence[Shard], where: str, known: Table | None) -> NpzReader:
    """Archives of one form. Raises DataError with every array that is missing or cannot be used."""
    faults: list[str] = []
    findings: list[Finding] = []
    pairs = [pair for shard in shards for pair in _pairs(shard, faults, findings)]
    faults += [fault for pair in pairs for fault in _faults(pair)]
    if faults:
        raise DataError(f"{where} cannot be read; {ACCEPTED}", faults)
    forms = [_form(pair.features, known, where) for pair in pairs]
    findings += [note for pair in pairs for note in guessed(pair.features)]
    if any(form != forms[0] for form in forms):
        raise DataError(f"{where} has rows of several kinds", sorted({describe(form) for form in forms}))
    if not sum(pair.features.shape[0] for pair in pairs):
        raise DataError(f"{where} has no rows")
    ordered = tuple(sorted(pairs, key=lambda pair: pair.tested))
    return NpzReader(forms[0], tuple(sorted(shard.file for shard in shards)), ordered, tuple(findings))


def _pairs(shard: Shard, faults: list[str], findings: list[Finding]) -> Iterator[Pair]:
    arrays = read_arrays(shard.file)
    left, name = dict(arrays), shard.file.name
    for part, tested in PARTS.items():
        features = [array for array in arrays if array.lower() in _names(FEATURES, part)]
        labels = [array for array in arrays if array.lower() in _names(LABELS, part)]
        if len(features) > 1 or len(labels) > 1 or len(features) != len(labels):
            called = ", ".join([*features, *labels])
            faults.append(f"{name} has {called}: there must be one array of features, and one of labels")
        elif features:
            yield Pair(left.pop(features[0]), left.pop(labels[0]), tested or shard.tested)
    if len(left) == len(arrays) and not faults:
        faults.append(f"{name} has only {', '.join(arrays)}")
    findings += [
        Finding("warning", "array", f"{name}: array {other} is not read, because of its name")
        for other in left
    ]


def _names(stems: Sequence[str], part: str) -> frozenset[str]:
    if not part:
        return frozenset(stems)
    return frozenset(name for stem in stems for name in (f"{stem}_{part}", f"{part}_{stem}"))


def _faults(pair: Pair) -> list[str]:
    features, labels = pair.features, pair.labels
    where = f"{features.file.name}: {features.name}"
    faults = []
    if features.shape[0] != labels.shape[0]:
        faults.append(f"{where} has {features.shape[0]} rows but {labels.name} has {labels.shape[0]}")
    if labels.shape[1:] not in ((), (1,)):
        remedy = "one label a row, not one-hot: use argmax"
        faults.append(f"{labels.file.name}: {labels.name} is {labels.shape}: it must be {remedy}")
    if 0 in features.shape[1:]:
        faults.append(f"{where} is {features.shape}: its rows are empty")
    return faults + [f"{where} {fault}" for fault in _faults_of_features(features)]


def _faults_of_features(features: NpzArray) -> Iterator[str]:
    shape, dtype = features.shape, features.dtype
    fault = sequence_fault(features)
    if fault is not None:
        yield fault
    elif sequence_kind(features) is not None:
        return
    elif dtype.kind in "SU":
        yield f"is text ({dtype}): features must be numbers"
    elif len(shape) not in (2, 3, 4):
        yield f"is {shape}: it must be (N, H, W), (N, H, W, C) or (N, columns)"
    elif len(shape) > 2 and dtype != np.uint8:
        yield f"is {dtype}: images must be uint8, 0 to 255; sequences are called {SERIES} or {TOKENS}"
    elif len(shape) == 4 and shape[3] not in CHANNELS:
        first = shape[1] in CHANNELS
        remedy = "move its channels last with numpy.moveaxis(x, 1, -1)" if first else "1 to 4 are read"
        yield f"is {shape}, so it has {shape[3]} channels: {remedy}"


def _form(features: NpzArray, known: Table | None, where: str) -> Kind:
    kind = sequence_kind(features)
    if kind is not None:
        return kind
    if len(features.shape) == 2:
        names = [f"f{at}" for at in range(features.shape[1])]
        return plan_columns(names, [True] * len(names), known, where)
    _, height, width, *channels = features.shape
    return Shape(height=height, width=width, channels=channels[0] if channels else 1)
