"""Sources of several files of one kind: which of them are test rows, and warnings said first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distillery.data.chunks import Chunk, Finding

TEST_NAME = re.compile(r"test(?![a-z])", re.IGNORECASE)  # test.csv, test-00000-of-00002.parquet, test_1.npz


@dataclass(frozen=True)
class Shard:
    """One of a source's files. `tested`: its rows are the source's own test split."""

    file: Path
    tested: bool


def as_shards(files: Sequence[Path]) -> tuple[Shard, ...]:
    """Files by name, those that are called test last. A single file is not a test split, however called."""
    shards = [Shard(file, len(files) > 1 and bool(TEST_NAME.match(file.name))) for file in sorted(files)]
    return tuple(sorted(shards, key=lambda shard: shard.tested))


def say_first(findings: tuple[Finding, ...], chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The chunks, with findings about the whole source before those of the first one."""
    for chunk in chunks:
        yield replace(chunk, findings=findings + chunk.findings) if findings else chunk
        findings = ()
