"""How predictions are written. Light: the command line reads it at once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from distillery.errors import UserMistake

JSON_SUFFIXES = (".jsonl", ".ndjson")


class RowFormat(StrEnum):
    """How predictions are written."""

    CSV = "csv"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


def format_of(to: Path) -> RowFormat:
    """What a file's ending says. Raises UserMistake where it says nothing."""
    suffix = to.suffix.lower()
    if suffix in JSON_SUFFIXES:
        return RowFormat.JSON_LINES
    if suffix.removeprefix(".") in list(RowFormat):
        return RowFormat(suffix.removeprefix("."))
    raise UserMistake(
        f"{to}: its ending says no format: use .csv, .jsonl or .parquet, or name one by --format"
    )
