"""How two model files' predictions compare on a project's test rows."""

from __future__ import annotations

from pathlib import Path

from distillery.agreement import agree
from distillery.data.rows import load_rows
from distillery.errors import ProjectError
from distillery.rebuild import Agreement
from flows.project import Request
from tasks.caching import Miss, Records
from tasks.steps import Call, prepare_data


def agree_on(request: Request, first: Path, second: Path) -> Agreement:
    """Compare two files; ProjectError where the project's rows are not prepared."""
    found = Records(request.project).lookup(Call(prepare_data, (request.params.data,), None))
    if isinstance(found, Miss):
        raise ProjectError(f"The rows of {request.project} are not prepared: `distillery run` prepares them")
    rows = load_rows(request.project / found.record.artifact.path)
    return agree(first.read_bytes(), second.read_bytes(), rows)
