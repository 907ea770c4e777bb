"""What a flow run's page on a Prefect server shows: tables, a link to the report, how far a long step is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from tasks.work import Progress

SECONDS = 5.0  # between two reports of progress


def key_of(model: str, name: str) -> str:
    """An artifact's key: lower case, digits and dashes."""
    return f"{model}-{name}".lower().replace("_", "-")


def show_table(model: str, name: str, rows: Sequence[Mapping[str, Any]], said: str) -> None:
    """A table on the page of the flow run that is running; nothing where there are no rows."""
    if rows:
        create_table_artifact([dict(row) for row in rows], key_of(model, name), said)


def show_report(model: str, page: Path) -> None:
    """A link to the report; its path too, because browsers follow no link from a server to a file."""
    said = f"[The report of this run]({page.as_uri()}) is a file: `{page}`"
    create_markdown_artifact(said, key_of(model, "report"), "Report")


class ProgressBar:
    """The progress of one step on its page; a step of a moment has none."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._artifact: UUID | None = None
        self._told = time.monotonic()

    def advance(self, progress: Progress) -> None:
        """The step came forward; the page is told now and then."""
        now, percent = time.monotonic(), 100.0 * progress.done / max(progress.total, 1)
        if now - self._told < SECONDS and not (self._artifact and progress.done == progress.total):
            return
        self._told = now
        if self._artifact is None:
            key = key_of(self._label.replace(".", "-"), "progress")
            self._artifact = create_progress_artifact(percent, key, progress.note)
        else:
            update_progress_artifact(self._artifact, percent, progress.note)
