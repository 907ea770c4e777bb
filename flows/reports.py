"""Where the pages of runs are: `reports/RUN/index.html`; RUN is the beginning of the MLflow run's id."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from distillery.artifacts import digest_file, read_json, write_atomically
from distillery.errors import ProjectError
from flows.compress import Compressed

REPORTS, PAGE = Path("reports"), "index.html"


def page_of(run_id: str) -> Path:
    """Where the page of an MLflow run is, relative to the project."""
    return REPORTS / run_id[:12] / PAGE


def publish(project: Path, made: Compressed) -> Path:
    """Put the page of a finished flow where people find it, unless it is there already; returns its place."""
    run_id = read_json(made.registration.folder(project) / "registration.json")["run_id"]
    page, target = made.report.folder(project) / PAGE, project / page_of(run_id)
    if not target.is_file() or digest_file(target, PAGE) != digest_file(page, PAGE):
        write_atomically(target, page.read_bytes())
    return target


def find_report(project: Path, run: str) -> Path:
    """The page of a run, named by the first digits of its id; ProjectError with those that there are."""
    pages = sorted((project / REPORTS).glob(f"*/{PAGE}"), key=lambda page: (-page.stat().st_mtime_ns, page))
    found = [page for page in pages if page.parent.name.startswith(run)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(page.parent.name for page in pages)
    what = f"{len(found)} reports whose run begins with" if found else "no report of run"
    remedy = f"name one of {there}" if pages else "`distillery run` writes one"
    raise ProjectError(f"{project / REPORTS} has {what} {run!r}: {remedy}")


def open_page(page: Path) -> bool:
    """Show a page in the person's browser; False where there is none."""
    return webbrowser.open(page.resolve().as_uri())
