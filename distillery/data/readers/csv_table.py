"""CSV files with a header (RFC 4180, UTF-8, commas) as tables.

A column holds numbers if all of its values are numbers, in all files; else categories. No value: an empty
cell, or NA, NaN or null. White space around a cell does not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import csv as arrow_csv

from distillery.data.chunks import Chunk, ColumnNames, Finding
from distillery.data.form import Table
from distillery.data.readers.csv_text import CsvText, diagnose, fault_of_last, read_text
from distillery.data.readers.labels import Place
from distillery.data.readers.several import Shard, say_first
from distillery.data.readers.tables import Chunks, pick_label, plan_columns
from distillery.data.readers.values import MISSING, are_numbers, cells, parse_numbers
from distillery.errors import DataError

BLOCK = 1 << 20  # bytes that become a batch: larger ones only take more memory


@dataclass(frozen=True)
class LinePlace:
    """Where the rows of a chunk stand, in a file each row of which is a line."""

    file: str
    first: int

    def __call__(self, row: int) -> str:
        """Row `row` of the chunk; the header is line 1."""
        return f"{self.file} line {self.first + row + 2}"


@dataclass(frozen=True)
class CsvFile:
    """One file that was read through. `tested`: its rows are the source's own test split."""

    text: CsvText
    tested: bool
    rows: int

    def place(self, first: int) -> Place | LinePlace:
        """Where the rows from number `first` stand: lines are known only where none is blank or in a cell."""
        kind = LinePlace if self.rows + 1 == self.text.lines else Place
        return kind(self.text.path.name, first)


@dataclass(frozen=True)
class CsvReader:
    """The rows of CSV files with the same columns."""

    form: ColumnNames
    files: tuple[Path, ...]
    shards: tuple[CsvFile, ...]
    label: str
    findings: tuple[Finding, ...]
    format: str = "csv"

    def chunks(self) -> Iterator[Chunk]:
        """All rows, file by file."""
        return say_first(self.findings, self._chunks())

    def _chunks(self) -> Iterator[Chunk]:
        chunks, columns = Chunks(self.form, self.label), [*self.form.names, self.label]
        for shard in self.shards:
            first = 0
            for batch in _batches(shard.text, columns):
                yield chunks.chunk(batch, shard.tested, shard.place(first))
                first += len(batch)


def open_csv(shards: Sequence[Shard], where: str, label: str | None, known: Table | None) -> CsvReader:
    """CSV files as a table; each is read through once, to know its columns and that it is whole.

    Raises DataError with every line that is not a row, and where columns differ or no row is there.
    """
    texts = [read_text(shard.file) for shard in shards]
    names = texts[0].names
    faults = [fault for text in texts[1:] for fault in _differences(text, texts[0])]
    if faults:
        raise DataError(f"{where}: its files have not the same columns", faults)
    target = pick_label(names, label, where)
    features = [name for name in names if name != target]
    kinds = Kinds(features)
    opened = tuple(
        CsvFile(text, shard.tested, _read_through(text, kinds))
        for text, shard in zip(texts, shards, strict=True)
    )
    if not sum(file.rows for file in opened):
        raise DataError(f"{where} has no rows below its header")
    numeric = [name in kinds.numeric for name in features]
    columns = plan_columns(features, numeric, known, where)
    findings = (*_torn(texts), *(kinds.mixed.values() if known is None else ()))
    return CsvReader(columns, tuple(sorted(text.path for text in texts)), opened, target, findings)


class Kinds:
    """Which columns hold numbers, as far as was read."""

    def __init__(self, names: Sequence[str]) -> None:
        self.numeric = list(names)
        self.mixed: dict[str, Finding] = {}

    def take(self, batch: pa.RecordBatch) -> None:
        """A column in which something is no number holds categories."""
        for name in [name for name in self.numeric if not are_numbers(batch.column(name))]:
            self.numeric.remove(name)
            _, wrong = parse_numbers(batch.column(name))
            if 2 * len(wrong) < len(batch) - batch.column(name).null_count:
                self.mixed[name] = _mixed(name, next(iter(wrong.values())))


def _mixed(name: str, text: str) -> Finding:
    return Finding(
        "warning",
        "mixed_column",
        f"column {name} is mostly numbers, but {text[:40]!r} is none: it is read as categories; for numbers,"
        f" mend or empty such cells ({', '.join(word for word in MISSING if word)} count as empty)",
    )


def _torn(texts: Sequence[CsvText]) -> Iterator[Finding]:
    for text in texts:
        if text.torn:
            message = f"{text.path.name} line {text.lines}: no line end follows; the last line may be torn"
            yield Finding("warning", "torn", message)


def _differences(text: CsvText, first: CsvText) -> list[str]:
    faults = [f"lacks column {name}" for name in first.names if name not in text.names]
    faults += [f"has a column {name}" for name in text.names if name not in first.names]
    return [f"{text.path.name} {fault}, unlike {first.path.name}" for fault in faults]


def _read_through(text: CsvText, kinds: Kinds) -> int:
    """How many rows a file has. Raises DataError with every fault of its lines.

    Arrow takes a quote that is never closed for a cell of many lines, so wherever there is such a cell, or
    the file ends in one, the strict parser has its say.
    """
    rows = 0
    for batch in _batches(text, text.names):
        rows += len(batch)
        kinds.take(batch)
    if text.quoted:
        by_line = rows + 1 == text.lines
        faults = [fault for fault in [fault_of_last(text)] if fault] if by_line else diagnose(text)
        if faults:
            raise DataError(f"{text.path} is not a whole CSV file", faults)
    return rows


def _batches(text: CsvText, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Columns as text, null where there is no value. Raises DataError with every line that is not a row."""
    if text.lines < 2:
        return
    block = max(BLOCK, 4 * text.longest)  # Arrow wants a whole row in it
    read = arrow_csv.ReadOptions(block_size=block, skip_rows=1, column_names=list(text.names))
    parse = arrow_csv.ParseOptions(newlines_in_values=text.quoted)
    convert = arrow_csv.ConvertOptions(
        column_types={name: pa.string() for name in text.names},
        include_columns=list(columns),
        strings_can_be_null=False,
        check_utf8=False,  # it was, when the file was read through
    )
    try:
        with pa.OSFile(str(text.path)) as stream, arrow_csv.open_csv(stream, read, parse, convert) as batches:
            for batch in batches:
                held = [cells(column) for column in batch.columns]
                yield pa.RecordBatch.from_arrays(held, names=batch.schema.names)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"{text.path} is not a whole CSV file", diagnose(text) or [reason]) from None
