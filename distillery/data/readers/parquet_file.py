"""One Parquet file: what its schema says of each column, and its rows batch by batch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from distillery.data.readers.limits import refuse_bomb
from distillery.data.readers.several import Shard
from distillery.data.readers.values import is_text
from distillery.errors import DataError

Kind = Literal["numbers", "text", "picture"]
BUFFER = 32 << 20  # bytes that are read ahead, over all columns


@dataclass(frozen=True)
class ParquetFile:
    """An opened file. `tested`: its rows are the source's own test split."""

    path: Path
    tested: bool
    schema: pa.Schema
    rows: int
    unpacked: int  # bytes of all columns

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """What each column that can be read holds."""
        found = ((field.name, _kind(field.type)) for field in self.schema)
        return {name: kind for name, kind in found if kind is not None}

    def refused(self) -> list[str]:
        """Every column that cannot be read, and what to do about it."""
        names = self.schema.names
        twice = sorted({name for name in names if names.count(name) > 1})
        faults = [f"there is more than one column {name!r}: rename one" for name in twice]
        faults += ["a column has no name: give it one"] if "" in names else []
        return faults + [
            f"column {field.name} is {field.type}, which cannot be read: {_remedy(field.type)}"
            for field in self.schema
            if _kind(field.type) is None
        ]

    def differences(self, first: ParquetFile) -> list[str]:
        """Where the columns are not those of the first file; their order is free."""
        here, there = self.kinds, first.kinds
        faults = [f"lacks column {name}" for name in there if name not in here]
        faults += [f"has a column {name}" for name in here if name not in there]
        faults += [
            f"has {here[name]} in column {name}, not {there[name]}"
            for name in here
            if name in there and here[name] != there[name]
        ]
        return [f"{self.path.name} {fault}, unlike {first.path.name}" for fault in faults + self.refused()]

    def class_names(self, label: str) -> tuple[str, ...] | None:
        """The names of an integer label that a data hub wrote into the schema (`ClassLabel`), if it did."""
        if self.kinds[label] != "numbers":
            return None
        try:
            hub = json.loads((self.schema.metadata or {})[b"huggingface"])
            names = hub["info"]["features"][label]["names"]
        except (KeyError, ValueError, TypeError, RecursionError):
            return None
        listed = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
        return tuple(names) if listed and len(set(names)) == len(names) else None

    def batches(
        self, columns: Sequence[str], rows: int, dictionaries: Sequence[str] = ()
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Up to `rows` rows at a time, after the number of rows before them.

        Text, and the columns (paths in the schema) named in `dictionaries`, comes as dictionaries: a value
        that stands a million times takes its memory once.
        """
        text = [name for name in columns if is_text(self.schema.field(name).type)]
        first, ahead = 0, min(1 << 20, max(1 << 14, BUFFER // len(columns)))
        with faults_of(self.path), self.path.open("rb") as stream:
            file = pq.ParquetFile(
                stream, read_dictionary=[*text, *dictionaries], pre_buffer=False, buffer_size=ahead
            )
            for group in range(file.num_row_groups):  # each has dictionaries of its own: Arrow joins none
                for batch in file.iter_batches(rows, [group], columns=list(columns)):
                    self._require_whole(batch)
                    yield first, batch
                    first += len(batch)
        if first != self.rows:
            raise DataError(f"{self.path} says that it has {self.rows} rows, and has {first}: fetch it again")

    def _require_whole(self, batch: pa.RecordBatch) -> None:
        """Arrow checks neither text nor the codes of a dictionary by itself."""
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid as error:
                reason = str(error).partition("\n")[0]
                raise DataError(f"{self.path} is broken in column {name}: {reason}; fetch it again") from None


def open_parquet_file(shard: Shard) -> ParquetFile:
    """Read a file's footer. Raises DataError where it is broken, or promises absurdly much."""
    path = shard.file
    with faults_of(path), path.open("rb") as stream:
        file = pq.ParquetFile(stream)
        schema, metadata = file.schema_arrow, file.metadata
        schema.names  # noqa: B018 - raises where a name is not UTF-8
        # Not asked by column: what a damaged file says there makes Arrow end the whole process.
        unpacked = sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
        rows = metadata.num_rows
    most = max(unpacked, 4 * rows * len(schema))
    refuse_bomb(str(path), path.stat().st_size, most, "write it anew, or take out what never changes")
    return ParquetFile(path, shard.tested, schema, rows, unpacked)


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Whatever Arrow raises over a broken file becomes a DataError that names it."""
    try:
        yield
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(f"{path} cannot be read as Parquet: {reason}; fetch it again") from None


def _kind(column: pa.DataType) -> Kind | None:
    types = pa.types
    if is_text(column):
        return "text"
    if types.is_dictionary(column):
        return "text" if _kind(column.value_type) == "numbers" else None
    if any(test(column) for test in (types.is_integer, types.is_floating, types.is_decimal)):
        return "numbers"
    if types.is_boolean(column) or types.is_null(column):
        return "numbers"
    return "picture" if _is_picture(column) else None


def _is_picture(column: pa.DataType) -> bool:
    """Binary values, or the {bytes, path} of data hubs."""
    if pa.types.is_struct(column):
        at = column.get_field_index("bytes")
        return at >= 0 and _is_picture(column.field(at).type)
    return bool(pa.types.is_binary(column) or pa.types.is_large_binary(column))


def _remedy(column: pa.DataType) -> str:
    if pa.types.is_nested(column):
        return "flatten it into columns of numbers or text"
    if pa.types.is_temporal(column):
        return "make numbers of it, such as the hour, the weekday or the age in days"
    return "remove it, or make numbers or text of it"
