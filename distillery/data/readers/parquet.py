"""Parquet files: tables of numbers and categories, or a column of encoded images as data hubs have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distillery.data.chunks import CHUNK_BYTES, Chunk, ColumnNames, Finding, Reader
from distillery.data.form import Table
from distillery.data.readers.labels import Place, call
from distillery.data.readers.parquet_file import ParquetFile, open_parquet_file
from distillery.data.readers.parquet_images import PictureColumn, open_pictures
from distillery.data.readers.several import Shard, say_first
from distillery.data.readers.tables import Chunks, pick_label, plan_columns
from distillery.errors import DataError

MOST_ROWS = 1 << 16  # of a chunk
PANDAS_INDEX = "__index_level_"


@dataclass(frozen=True)
class ParquetReader:
    """The rows of Parquet files of one schema."""

    form: ColumnNames
    files: tuple[Path, ...]
    shards: tuple[ParquetFile, ...]
    label: str
    findings: tuple[Finding, ...]
    format: str = "parquet"

    def chunks(self) -> Iterator[Chunk]:
        """All rows, file by file. DataError where a file is broken farther on."""
        return say_first(self.findings, self._chunks())

    def _chunks(self) -> Iterator[Chunk]:
        chunks = Chunks(self.form, self.label)
        columns = [*self.form.names, self.label]
        rows = max(1, min(MOST_ROWS, CHUNK_BYTES // (4 * len(columns))))
        for shard in self.shards:
            names = shard.class_names(self.label)
            for first, batch in shard.batches(columns, rows):
                chunk = chunks.chunk(batch, shard.tested, Place(shard.path.name, first))
                labels, findings = call(chunk.labels, names, chunk.place)
                yield replace(chunk, labels=labels, findings=chunk.findings + findings)


def open_parquet(
    shards: Sequence[Shard],
    where: str,
    label: str | None,
    resize: tuple[int, int] | None,
    known: Table | None,
) -> Reader:
    """Parquet files as a table, or as images where they have a column of them.

    Raises DataError with every column that cannot be read, and where schemas differ or no row is there.
    """
    opened = tuple(open_parquet_file(shard) for shard in shards)
    first = opened[0]
    faults = [fault for other in opened[1:] for fault in other.differences(first)]
    faults += [f"{first.path.name}: {fault}" for fault in first.refused()]
    if faults:
        raise DataError(f"{where} cannot be read", faults)
    if not sum(file.rows for file in opened):
        raise DataError(f"{where} has no rows")
    kinds = first.kinds
    pictures = [name for name, kind in kinds.items() if kind == "picture"]
    others = [name for name in kinds if name not in pictures]
    target = pick_label(others, label, where)
    if pictures:
        return open_pictures(opened, PictureColumn(_only(pictures, where), target), where, resize)
    names = [name for name in others if name != target and not name.startswith(PANDAS_INDEX)]
    numeric = [kinds[name] == "numbers" for name in names]
    columns = plan_columns(names, numeric, known, where)
    files = tuple(sorted(file.path for file in opened))
    return ParquetReader(columns, files, opened, target, _passed_over(others))


def _only(pictures: list[str], where: str) -> str:
    if len(pictures) == 1:
        return pictures[0]
    raise DataError(f"{where} has several columns of images: {', '.join(pictures)}; keep one of them")


def _passed_over(names: Sequence[str]) -> tuple[Finding, ...]:
    return tuple(
        Finding("warning", "column", f"column {name} is pandas' index: it is passed over")
        for name in names
        if name.startswith(PANDAS_INDEX)
    )
