"""The features of a data folder, in files of bounded size."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from distillery.data.arrays import ArrayWriter
from distillery.data.canonical import Canonical, Shard
from distillery.data.rows import Features

SHARD_BYTES = 128 << 20


class ShardWriter:
    """Writes features chunk by chunk; a file that is large enough is followed by another."""

    def __init__(self, folder: Path, before: Sequence[Shard] = ()) -> None:
        self._folder, self._written = folder, list(before)
        self._open: ArrayWriter | None = None

    def append(self, features: Features) -> None:
        """Write some rows, all of one type and shape."""
        row_bytes = features.dtype.itemsize * int(np.prod(features.shape[1:]))
        most = max(1, SHARD_BYTES // row_bytes)
        while len(features):
            if self._open is None:
                self._open = self._next(features)
            room = most - self._open.rows
            self._open.append(features[:room])
            features = features[room:]
            if self._open.rows >= most:
                self._end()

    def close(self) -> tuple[Shard, ...]:
        """End the last file; all of them, the older ones first."""
        self._end()
        return tuple(self._written)

    def drop(self) -> None:
        """Let go of a file that was not ended."""
        if self._open is not None:
            self._open.drop()

    def _next(self, features: Features) -> ArrayWriter:
        return ArrayWriter(self._folder / _name(len(self._written)), features.dtype, features.shape[1:])

    def _end(self) -> None:
        if self._open is not None:
            self._open.close()
            self._written.append(Shard(file=_name(len(self._written)), rows=self._open.rows))
            self._open = None


def _name(number: int) -> str:
    return f"features-{number:03}.npy"


def copy_shards(before: Canonical, into: Path) -> tuple[Shard, ...]:
    """The files of an older version, as they are."""
    for shard in before.schema.shards:
        shutil.copyfile(before.folder / shard.file, into / shard.file)
    return before.schema.shards
