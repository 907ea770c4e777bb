"""Rows on their way into a data folder: named, coded, counted and written, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from distillery.data.arrays import ArrayWriter, mapped, steps
from distillery.data.canonical import LABELS, TESTED, Canonical, Shard
from distillery.data.chunks import Chunk, ColumnNames, Encoded, Finding, Kind
from distillery.data.encoding import Names, TableEncoder, sorted_codes
from distillery.data.form import Form, Shape, Table
from distillery.data.rows import Features
from distillery.data.sequences import SequenceCoder, sequence_values
from distillery.data.shards import ShardWriter, copy_shards
from distillery.data.statistics import Gathered

UNSORTED = "unsorted.npy"
COLOURS = {1: ("grey",), 3: ("red", "green", "blue")}


class Incoming:
    """A version that is being written, after the rows of `before` where there are such.

    A block of it closes its files, also where a source turns out to be broken half-way.
    """

    def __init__(self, kind: Kind, into: Path, before: Canonical | None) -> None:
        self._into, self._start = into, len(before) if before else 0
        self._coder = _coder(kind, before.schema.form if before else None)
        self._known = len(before.schema.classes) if before else 0
        self._classes = Names(before.schema.classes if before else ())
        self._shards = ShardWriter(into, copy_shards(before, into) if before else ())
        self._labels = ArrayWriter(into / UNSORTED, np.int64)
        self._tested = ArrayWriter(into / TESTED, np.bool_)
        self._any_tested = before is not None and before.tested is not None
        self.statistics: dict[str, Gathered] = {}
        if before is not None:
            self._repeat(before)

    def __enter__(self) -> Incoming:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in (self._shards, self._labels, self._tested):
            writer.drop()

    def _repeat(self, before: Canonical) -> None:
        """The labels and marks of the rows that were there."""
        for step in steps(len(before), before.labels.itemsize):
            labels = np.asarray(before.labels[step])
            self._labels.append(labels)
            self._tested.append(
                np.zeros(len(labels), np.bool_) if before.tested is None else np.asarray(before.tested[step])
            )

    def take(self, chunk: Chunk, *, tested: bool) -> Iterator[Finding]:
        """Write a chunk's rows; what was found wrong with them."""
        labels = self._classes.codes(chunk.labels).astype(np.int64)
        self._shards.append(self._encoded(chunk.features))
        self._labels.append(labels)
        self._tested.append(np.full(len(labels), tested, np.bool_))
        self._any_tested |= tested and len(labels) > 0
        yield from chunk.findings
        for at in np.flatnonzero(labels < 0).tolist():
            yield Finding("error", "no_label", f"{chunk.place(at)}: has no label; give it one or take it out")

    def _encoded(self, features: Features | tuple[NDArray[np.float32] | Encoded, ...]) -> Features:
        match self._coder:
            case Shape() if isinstance(features, np.ndarray):
                for at, channel in enumerate(channel_names(features.shape[-1])):
                    self._gathered(channel).add_bytes(features[..., at].astype(np.uint8, copy=False))
                return features
            case SequenceCoder() if isinstance(features, np.ndarray):
                for name, values in sequence_values(features):
                    self._gathered(name).add(values)
                return self._coder.encode(features)
            case TableEncoder() if isinstance(features, tuple):
                matrix = self._coder.encode(features)
                for column, numbers in zip(self._coder.columns.names, features, strict=True):
                    if not isinstance(numbers, Encoded):
                        self._gathered(column).add(numbers)
                return matrix
            case _:
                raise TypeError("a reader yields rows of the form that it promises")

    def _gathered(self, name: str) -> Gathered:
        return self.statistics.setdefault(name, Gathered())

    @property
    def form(self) -> Form:
        """What a row looks like, as far as was read."""
        return self._coder if isinstance(self._coder, Shape) else self._coder.form

    def finish(self) -> tuple[tuple[Shard, ...], tuple[str, ...], list[int]]:
        """Close the files. The shards; the classes, new ones sorted; how many new rows each class has."""
        shards = self._shards.close()
        self._labels.close()
        self._tested.close()
        if not self._any_tested:
            (self._into / TESTED).unlink()
        names = self._classes.names
        places = sorted_codes(names, self._known)
        counts = self._sort_labels(places)
        return shards, tuple(names[code] for code in np.argsort(places).tolist()), counts

    def _sort_labels(self, places: NDArray[np.int64]) -> list[int]:
        """Write the labels by the sorted classes."""
        counts, lookup = np.zeros(len(places), np.int64), np.append(places, -1)
        codes = mapped(self._into / UNSORTED)
        with ArrayWriter(self._into / LABELS, np.int64) as labels:
            for step in steps(len(codes), codes.itemsize):
                here = lookup[codes[step]]
                labels.append(here)
                fresh = here[max(0, self._start - step.start) :]
                counts += np.bincount(fresh[fresh >= 0], minlength=len(places))
        (self._into / UNSORTED).unlink()
        return [int(count) for count in counts]


def channel_names(channels: int) -> tuple[str, ...]:
    """What statistics call the channels of images."""
    return COLOURS.get(channels) or tuple(f"channel {at}" for at in range(channels))


def _coder(kind: Kind, before: Form | None) -> Shape | TableEncoder | SequenceCoder:
    match kind:
        case Shape():
            return kind
        case ColumnNames():
            return TableEncoder(kind, before if isinstance(before, Table) else None)
        case _:
            return SequenceCoder(kind, before)
