"""Predictions, written as they come: as CSV, JSON lines, one JSON array, or Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from distillery.artifacts import scratch_folder
from distillery.errors import UserMistake
from distillery.prediction import Predicted
from distillery.raw_rows import Source
from distillery.row_format import RowFormat, format_of

DIGITS = 6  # of a probability in a CSV


class Sink(Protocol):
    """Where predicted rows go."""

    def write(self, batch: Predicted) -> None:
        """Some rows."""

    def close(self) -> None:
        """Nothing follows."""


@contextmanager
def rows_file(
    to: Path, source: Source, wanted: RowFormat | None, classes: Sequence[str], every: bool
) -> Iterator[Sink]:
    """A file of rows that is there, whole, when the block ends well; else what was there before.

    A link stays one, and its file is replaced. Raises UserMistake where the place of a folder, a device, a
    pipe, or of what is read would be taken.
    """
    kind, file = wanted or format_of(to), to.resolve()
    if file.exists() and not file.is_file():
        raise UserMistake(f"{to} is {'a folder' if file.is_dir() else 'no file'}: name another one")
    if isinstance(source, Path) and file == source.resolve():
        raise UserMistake(f"{to} is what is read: name another file")
    with scratch_folder(file.parent) as scratch:
        written = scratch / "rows"
        if kind is RowFormat.PARQUET:
            with closing(ParquetRows(written, classes, every)) as sink:
                yield sink
        else:
            with written.open("w", encoding="utf-8", newline="") as text:
                yield rows_text(text, kind, classes, every)
        written.replace(file)


def rows_text(text: TextIO, kind: RowFormat, classes: Sequence[str], every: bool) -> Sink:
    """Rows on a stream of text. Raises UserMistake for Parquet, which is none."""
    match kind:
        case RowFormat.CSV:
            return CsvRows(text, classes, every)
        case RowFormat.JSON_LINES:
            return JsonLines(text, classes, every)
        case RowFormat.PARQUET:
            raise UserMistake("Parquet is not text: name a file by --to")


class CsvRows:
    """A header, and a line a row. With `every`, a column more for each class: `probability of NAME`."""

    def __init__(self, text: TextIO, classes: Sequence[str], every: bool) -> None:
        self._classes, self._every = classes, every
        self._write = csv.writer(text, lineterminator="\n").writerows
        self._write([_columns(classes, every)])

    def write(self, batch: Predicted) -> None:
        """Some rows."""
        numbers = zip(batch.rows, batch.codes.tolist(), batch.best().tolist(), strict=True)
        shares = batch.shares.tolist() if self._every else [[]] * len(batch.rows)
        self._write(
            [row, self._classes[code], f"{best:.{DIGITS}f}", *(f"{share:.{DIGITS}f}" for share in all_shares)]
            for (row, code, best), all_shares in zip(numbers, shares, strict=True)
        )

    def close(self) -> None:
        """Nothing follows."""


class JsonLines:
    """An object a line: `row`, `label`, `probability`, and with `every` the `probabilities` by class."""

    def __init__(self, text: TextIO, classes: Sequence[str], every: bool) -> None:
        self._text, self._classes, self._every = text, classes, every

    def write(self, batch: Predicted) -> None:
        """Some rows."""
        self._text.writelines(f"{line}\n" for line in self.objects(batch))

    def objects(self, batch: Predicted) -> Iterator[str]:
        """Each row as a JSON object."""
        for at, (row, code) in enumerate(zip(batch.rows, batch.codes.tolist(), strict=True)):
            shares = batch.shares[at].tolist()
            told: dict[str, Any] = {"row": row, "label": self._classes[code], "probability": shares[code]}
            if self._every:
                told["probabilities"] = dict(zip(self._classes, shares, strict=True))
            yield json.dumps(told, ensure_ascii=False)

    def close(self) -> None:
        """Nothing follows."""


class JsonArray(JsonLines):
    """All the rows as one JSON value; a reader that gets half of it knows."""

    def __init__(self, text: TextIO, classes: Sequence[str], every: bool) -> None:
        super().__init__(text, classes, every)
        self._before = "["

    def write(self, batch: Predicted) -> None:
        """Some rows."""
        for line in self.objects(batch):
            self._text.write(f"{self._before}{line}")
            self._before = ", "

    def close(self) -> None:
        """End the array."""
        self._text.write("]\n")


class ParquetRows:
    """A row group a batch: text, text and doubles."""

    def __init__(self, file: Path, classes: Sequence[str], every: bool) -> None:
        self._classes, self._every = classes, every
        types = [pa.string(), pa.string(), *[pa.float64()] * (1 + every * len(classes))]
        self._schema = pa.schema(list(zip(_columns(classes, every), types, strict=True)))
        self._writer = pq.ParquetWriter(file, self._schema)

    def write(self, batch: Predicted) -> None:
        """Some rows."""
        labels = [self._classes[code] for code in batch.codes.tolist()]
        shares = list(batch.shares.T) if self._every else []
        self._writer.write_batch(
            pa.RecordBatch.from_arrays(
                [pa.array(values) for values in (list(batch.rows), labels, batch.best(), *shares)],
                schema=self._schema,
            )
        )

    def close(self) -> None:
        """End the file."""
        self._writer.close()


def _columns(classes: Sequence[str], every: bool) -> list[str]:
    return ["row", "label", "probability", *(f"probability of {name}" for name in classes if every)]
