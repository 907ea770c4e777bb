"""What a CSV file is as text: its encoding, lines and header; and why Arrow refused it, to the line."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from distillery.data.readers.magic import UTF_16
from distillery.errors import DataError

BLOCK = 1 << 20
LONGEST = 8 << 20  # bytes of a line
MOST_FAULTS = 20
SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars"}


@dataclass(frozen=True)
class CsvText:
    """A file that is UTF-8 without NUL bytes, and has a header."""

    path: Path
    names: tuple[str, ...]
    lines: int  # physical ones, the header among them
    longest: int  # bytes of a line
    quoted: bool  # there is some quote
    last: str  # the last line
    torn: bool  # it has no end


class _Lines:
    """Counts the lines of a file that comes in blocks, and keeps the last one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._ended, self._longest, self._open, self._whole, self._quoted = 0, 0, b"", b"", False

    def take(self, block: bytes, *, final: bool) -> None:
        """Raises DataError with the line of what is not text."""
        if (at := block.find(0)) >= 0:
            raise self._fault(block[:at], "holds a NUL byte: the file is damaged")
        try:
            self._decoder.decode(block, final)
        except UnicodeDecodeError as error:
            byte, before = error.object[error.start], error.object[: error.start]
            raise self._fault(
                before, f"is not UTF-8 (byte 0x{byte:02x}): save the whole file as UTF-8"
            ) from None
        self._quoted = self._quoted or b'"' in block
        text = self._open + block
        lines = text.split(b"\n")
        self._longest = max(self._longest, *map(len, lines))
        if self._longest > LONGEST:
            above = next(at for at, line in enumerate(lines) if len(line) > LONGEST)
            reason = f"is longer than {LONGEST >> 20} MiB: is a line end missing?"
            raise self._fault(b"\n" * above, reason)
        whole, end, self._open = text.rpartition(b"\n")
        if end:
            self._ended += _line_ends(whole + end)
            self._whole = whole

    def _fault(self, before: bytes, reason: str) -> DataError:
        return DataError(f"{self._path} line {self._ended + _line_ends(before) + 1} {reason}")

    def finish(self, names: tuple[str, ...]) -> CsvText:
        """What was found, once all blocks are taken."""
        torn = bool(self._open) and not self._open.endswith(b"\r")
        lines = self._ended + _line_ends(self._open) + torn
        last = (self._open or self._whole).removesuffix(b"\r").replace(b"\r", b"\n").rpartition(b"\n")[2]
        return CsvText(self._path, names, lines, self._longest, self._quoted, last.decode(), torn)


def _line_ends(text: bytes) -> int:
    """LF, CR LF, or CR alone."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def read_text(path: Path) -> CsvText:
    """Read a file through as bytes. Raises DataError with the line of what is not text, or a bad header."""
    lines = _Lines(path)
    try:
        with path.open("rb") as stream:
            block = stream.read(BLOCK)
            if not block:
                raise DataError(f"{path} is empty: it has 0 bytes")
            if block.startswith(UTF_16):
                raise DataError(f"{path} is UTF-16: save it as UTF-8")
            while block:
                following = stream.read(BLOCK)
                lines.take(block, final=not following)
                block = following
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return lines.finish(_read_header(path))


def _read_header(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        line = stream.readline()
    try:
        cells = next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise DataError(f"{path} line 1: {error}: the column names must stand in one line") from None
    names = tuple(cell.strip() for cell in cells)
    faults = _faults_of_header(names, line)
    if faults:
        raise DataError(f"{path} line 1 must hold the names of the columns", faults)
    return names


def _faults_of_header(names: tuple[str, ...], line: str) -> list[str]:
    if len(names) < 2:
        found = [word for separator, word in SEPARATORS.items() if separator in line]
        hint = f": it is separated by {found[0]}, save it with commas" if found else ""
        return [f"it has {len(names)} column(s), and a table needs a label and a feature{hint}"]
    if all(_is_number(name) for name in names):
        return ["it holds numbers: put a line of column names above it"]
    faults = [
        f"more than one column is called {name!r}" for name in sorted(set(names)) if names.count(name) > 1
    ]
    nameless = [str(at) for at, name in enumerate(names, 1) if not name]
    if nameless:
        where = ", ".join(nameless)
        faults.append(f"column {where} has no name (pandas writes its index so: use to_csv(index=False))")
    return faults


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def diagnose(text: CsvText) -> list[str]:
    """Every line that has not as many cells as the header, and a quote that does not end (RFC 4180).

    A second, slower parser: it knows lines where Arrow knows none, and refuses what Arrow lets pass.
    """
    with _long_cells(), text.path.open(encoding="utf-8-sig", newline="") as stream:
        found = (_fault_of_row(text, *record) for record in _records(stream))
        faults = [fault for fault in found if fault]
    more = len(faults) - MOST_FAULTS
    return faults[:MOST_FAULTS] + ([f"... and {more} more such lines"] if more > 0 else [])


def _records(stream: TextIO) -> Iterator[tuple[list[str] | csv.Error, int, int]]:
    """Every row, and the lines that it goes from and to; at last the error that nothing is read after."""
    rows, start = csv.reader(stream, strict=True), 1
    try:
        for row in rows:
            yield row, start, rows.line_num
            start = rows.line_num + 1
    except csv.Error as error:
        yield error, start, start


def _fault_of_row(text: CsvText, row: list[str] | csv.Error, start: int, end: int) -> str | None:
    if isinstance(row, csv.Error):
        return f"line {start}: {_in_words(row)}"
    return _wrong_count(text, row, start, end) if row and len(row) != len(text.names) else None


def fault_of_last(text: CsvText) -> str | None:
    """Whether the last line alone is not a whole row; Arrow closes a quote at the end of the file itself."""
    try:
        with _long_cells():
            next(csv.reader([text.last], strict=True), None)
    except csv.Error as error:
        return f"line {text.lines}: {_in_words(error)}"
    return None


def _wrong_count(text: CsvText, row: Sequence[str], start: int, end: int) -> str:
    lines = f"line {start}" if start == end else f"lines {start} to {end}"
    torn = ": the last line is torn" if end == text.lines and len(row) < len(text.names) else ""
    return f"{lines}: {len(row)} cells where the header has {len(text.names)}{torn}"


def _in_words(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quote is opened here and never closed"
    if "expected after" in str(error):
        return "a quote is closed in the middle of a cell: write quotes inside a cell twice"
    return str(error)


@contextmanager
def _long_cells() -> Iterator[None]:
    """The limit belongs to the process: it is put back."""
    before = csv.field_size_limit(LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)
