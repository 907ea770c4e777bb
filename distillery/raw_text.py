"""Rows as lines of text, from a file or a pipe: CSV (RFC 4180) or JSON lines, a value a line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from distillery.data.readers.csv_text import LONGEST
from distillery.errors import DataError
from distillery.raw_rows import Faults, Source
from distillery.row_format import JSON_SUFFIXES

Kind = Literal["CSV", "JSON lines"]
TEXT_SUFFIXES = (".csv", *JSON_SUFFIXES)
MOST_CELLS = 1 << 18  # that are held as text at a time


def rows_at_once(cells: int) -> int:
    """How many rows of so many cells are looked at together."""
    return max(1, min(MOST_CELLS // max(1, cells), 1 << 13))


@contextmanager
def open_text(source: Source) -> Iterator[tuple[Kind, Iterator[str]]]:
    """How a source is written, and its lines.

    A file's ending says how; what is piped is JSON lines where it begins with a brace or a bracket. Raises
    DataError, also while it is read, where it is no text of that kind.
    """
    kind = _kind(source)
    try:
        with _as_text(source) as text:
            lines = _lines(text)
            if kind is None:
                first = next((line for line in lines if line.strip()), "")
                kind = "JSON lines" if first.lstrip()[:1] in ("{", "[") else "CSV"
                lines = chain([first] if first else [], lines)
            yield kind, lines
    except (csv.Error, ValueError, OSError) as error:
        raise DataError(f"{source} is not a readable {kind or 'text'}: {error}") from None


@contextmanager
def _as_text(source: Source) -> Iterator[io.TextIOWrapper]:
    if isinstance(source, Path):
        with source.open(encoding="utf-8-sig", newline="") as text:
            yield text
        return
    piped = io.TextIOWrapper(source.stream, "utf-8-sig", newline="")
    try:
        yield piped
    finally:
        piped.detach()  # who opened it closes it


def _kind(source: Source) -> Kind | None:
    if not isinstance(source, Path):
        return None
    return "JSON lines" if source.suffix.lower() in JSON_SUFFIXES else "CSV"


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    for line in iter(partial(text.readline, LONGEST + 1), ""):
        if len(line) > LONGEST:
            raise ValueError(f"a line is longer than {LONGEST >> 20} MiB: is a line end missing?")
        yield line


def csv_records(lines: Iterator[str]) -> Iterator[list[str]]:
    """The cells of every row; blank lines are no rows. Raises csv.Error."""
    return (record for record in csv.reader(lines, strict=True) if record)


def json_values(lines: Iterator[str], faults: Faults) -> Iterator[tuple[int, Any]]:
    """Every row's number and its value; a line that is no JSON is a fault. Blank lines are no rows."""
    for row, line in enumerate(line for line in lines if line.strip()):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            faults.add(f"row {row} is no JSON value: {error}")
        else:
            yield row, value


def whole(records: list[list[str]], first: int, width: int, faults: Faults) -> list[list[str]]:
    """The records that are as wide as the header; the others are faults."""
    faults.add_all(
        f"row {first + at} has {len(record)} cells, the header {width}"
        for at, record in enumerate(records)
        if len(record) != width
    )
    return [record for record in records if len(record) == width]
