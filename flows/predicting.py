"""Predicting with a registered model: rows in, some at a time, and rows out as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from distillery.predicted_rows import JsonArray, Sink, rows_file, rows_text
from distillery.prediction import Predicting, UnknownName
from distillery.raw_rows import Source
from distillery.row_format import RowFormat
from flows.project import Request
from tasks.registering import fetch_model

SHOWN = 10  # unknown categories


@dataclass(frozen=True)
class Output:
    """Where predictions go: a file, or else a stream of text, there as one JSON array where `as_json`.

    `kind` None: as the file's ending says, or CSV. `every`: with the probabilities of all classes.
    """

    to: Path | None
    text: TextIO
    kind: RowFormat | None
    every: bool
    as_json: bool

    def open(self, source: Source, classes: Sequence[str]) -> AbstractContextManager[Sink]:
        """What takes the rows; a file is there when all of them are."""
        if self.to is not None:
            return rows_file(self.to, source, self.kind, classes, self.every)
        if self.as_json:
            return closing(JsonArray(self.text, classes, self.every))
        return nullcontext(rows_text(self.text, self.kind or RowFormat.CSV, classes, self.every))


@dataclass(frozen=True)
class Told:
    """What was predicted, and with what."""

    version: str
    rows: int
    unknown: list[UnknownName]
    others: int  # cells with yet other unknown categories


def predict(
    request: Request,
    model: str,
    source: Source,
    output: Output,
    tell: Callable[[int, int | None], None],
) -> Told:
    """Classify a source's rows with a registered model, by alias or version; `tell` how many are done."""
    fetched = fetch_model(request.project, request.params.registry, model)
    predicting, done = Predicting(fetched.content, source), 0
    with output.open(source, predicting.classes) as sink:
        for batch in predicting:
            sink.write(batch)
            done += len(batch.rows)
            tell(done, predicting.total)
    return Told(fetched.version, done, *predicting.unknown())


def tell_unknown(unknown: Sequence[UnknownName], others: int) -> Iterator[str]:
    """A warning for each category that a model does not know, up to a few."""
    for name in unknown[:SHOWN]:
        yield (
            f"warning: column {name.column}: {name.name!r} is unknown to the model and counts as missing"
            f" ({name.rows} row{'s' if name.rows > 1 else ''})"
        )
    hidden = unknown[SHOWN:]
    if hidden:
        cells = sum(name.rows for name in hidden) + others
        more = f"{'more than ' if others else ''}{len(hidden)} more categories"
        yield f"warning: and {more} that are unknown to the model, in {cells} cells"
