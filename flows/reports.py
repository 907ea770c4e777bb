"""Where the pages of runs are: `reports/RUN/index.html`; RUN is the beginning of the MLflow run's id.

The gates are asked after a run, so what they say comes into its page later: verdict.json beside the page is
their verdict, and judged.json says of which page, as the run wrote it, the present one is the judged form.
"""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distillery.artifacts import digest_file, read_json, write_atomically, write_json
from distillery.errors import ProjectError
from distillery.params.project import Params
from flows.compress import Compressed
from tasks.steps import Noun

REPORTS, PAGE = Path("reports"), "index.html"
VERDICT, JUDGED = "verdict.json", "judged.json"


def page_of(run_id: str) -> Path:
    """Where the page of an MLflow run is, relative to the project."""
    return REPORTS / run_id[:12] / PAGE


def publish(project: Path, made: Compressed, params: Params) -> Path:
    """Put the page of a finished flow where people find it, unless it is there already; returns its place."""
    run_id = read_json(made.registration.folder(project) / "registration.json")["run_id"]
    page, target = made.report.folder(project) / PAGE, project / page_of(run_id)
    written = _digest(page)
    if (target.parent / VERDICT).is_file():
        if _judged(target) != {"of": written, "page": _digest(target)}:
            _write_judged(project, made, params, target)
    elif _digest(target) != written:
        write_atomically(target, page.read_bytes())
    return target


def publish_verdict(
    project: Path, made: Compressed, params: Params, verdict: Mapping[str, Any]
) -> Path | None:
    """Put what the gates say of a version into the page of the run that made it; None for another run's."""
    registration = read_json(made.registration.folder(project) / "registration.json")
    if verdict["challenger"] not in registration["versions"].values():
        return None
    target = project / page_of(registration["run_id"])
    write_json(target.parent / VERDICT, dict(verdict))
    _write_judged(project, made, params, target)
    return target


def _write_judged(project: Path, made: Compressed, params: Params, target: Path) -> None:
    """The charts, and the libraries that draw them, are needed here alone."""
    from tasks.report_facts import RunFolders
    from tasks.write_report import write_page

    def folders(nouns: Mapping[str, Noun]) -> dict[str, Path]:
        return {name: noun.folder(project) for name, noun in nouns.items()}

    decided = {"choice": made.choice, "registration": made.registration}
    run = RunFolders(
        made.data.folder(project),
        folders(made.networks),
        folders(made.models),
        folders(made.evaluations),
        folders(made.measurements),
        {**folders(decided), "verdict": target.parent},
    )
    write_page(project, run, params, target)
    judged = {"of": _digest(made.report.folder(project) / PAGE), "page": _digest(target)}
    write_json(target.parent / JUDGED, judged)


def _judged(target: Path) -> Any:
    try:
        return read_json(target.parent / JUDGED)
    except (OSError, ValueError):
        return None


def _digest(page: Path) -> str | None:
    return digest_file(page, PAGE).sha256 if page.is_file() else None


def find_report(project: Path, run: str) -> Path:
    """The page of a run, named by the first digits of its id; ProjectError with those that there are."""
    pages = _pages(project)
    found = [page for page in pages if page.parent.name.startswith(run)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(page.parent.name for page in pages)
    what = f"{len(found)} reports whose run begins with" if found else "no report of run"
    remedy = f"name one of {there}" if pages else "`distillery run` writes one"
    raise ProjectError(f"{project / REPORTS} has {what} {run!r}: {remedy}")


def newest_report(project: Path) -> Path:
    """The page that was written last; ProjectError where there is none."""
    pages = _pages(project)
    if not pages:
        raise ProjectError(f"{project / REPORTS} has no report: `distillery run` writes one")
    return pages[0]


def _pages(project: Path) -> list[Path]:
    return sorted((project / REPORTS).glob(f"*/{PAGE}"), key=lambda page: (-page.stat().st_mtime_ns, page))


def open_page(page: Path) -> bool:
    """Show a page in the person's browser; False where there is none."""
    return webbrowser.open(page.resolve().as_uri())
