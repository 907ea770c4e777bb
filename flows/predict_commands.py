"""The command that classifies rows."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from distillery.row_format import RowFormat
from flows.options import AsJson, ParamsFiles, Project, Settings, print_json, request_of, told

Rows = Annotated[
    Path,
    typer.Argument(
        metavar="FILE|-",
        help="CSV, JSON lines, Parquet, NPZ, NPY, IDX, an image or a folder of them; -: CSV or JSON lines.",
    ),
]
Model = Annotated[str, typer.Option("--model", help="An alias or a version of the registered model.")]
To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE", help="A .csv, .jsonl or .parquet that is there once all rows are."),
]
Kind = Annotated[
    RowFormat | None, typer.Option("--format", help="Default: as the ending of --to says, else csv.")
]
Every = Annotated[bool, typer.Option("--probabilities", help="The probabilities of all classes too.")]


@told
def predict(
    source: Rows,
    model: Model = "champion",
    to: To = None,
    kind: Kind = None,
    every: Every = False,
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Class and probability of every row, read and written some rows at a time."""
    request = request_of(project, params, settings)
    from distillery.raw_rows import Piped
    from flows import predicting

    output = predicting.Output(to, sys.stdout, kind, every, as_json)
    given = Piped(sys.stdin.buffer) if str(source) == "-" else source
    with _reader_may_leave(), _bar(shown=to is not None or not sys.stdout.isatty()) as tell:
        done = predicting.predict(request, model, given, output, tell)
        sys.stdout.flush()
    for sentence in predicting.tell_unknown(done.unknown, done.others):
        typer.echo(sentence, err=True)
    if to is not None and as_json:
        print_json({"version": done.version, "rows": done.rows, "to": str(to.absolute())})
    elif to is not None:
        typer.echo(f"{done.rows} rows, predicted with version {done.version}, are in {to}", err=True)


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """`| head` closes the pipe early, which is no failure."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at exit
        raise typer.Exit from None


@contextmanager
def _bar(*, shown: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Rows so far on standard error, if that is a terminal which the rows do not go to."""
    if not (shown and sys.stderr.isatty()):
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("  rows"), BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rows", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
