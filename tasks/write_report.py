"""Step `write_report`: what a run came to, as one page to look at."""

from __future__ import annotations

from pathlib import Path

from distillery.artifacts import read_json, write_atomically
from distillery.params.project import Params
from distillery.report.page import render
from tasks.registering import list_models
from tasks.report_facts import Known, RunFolders, read_facts
from tasks.tracking import open_registry
from tasks.trending import read_trend
from tasks.work import Work

PAGE = "index.html"


def write_report(
    data: Path,
    networks: dict[str, Path],
    models: dict[str, Path],
    evaluations: dict[str, Path],
    measurements: dict[str, Path],
    decisions: dict[str, Path],
    params: Params,
    *,
    work: Work,
) -> None:
    """Write index.html, and store it with the run in the registry, as `report/index.html`.

    `networks`: what each variant's file was made from. `decisions`: `choice`, `registration`, and `verdict`
    where gates were asked.
    """
    run = RunFolders(data, networks, models, evaluations, measurements, decisions)
    write_page(work.project, run, params, work.into / PAGE)


def write_page(project: Path, run: RunFolders, params: Params, page: Path) -> None:
    """Write a run's page, and store it with the run in the registry."""
    registration = read_json(run.decisions["registration"] / "registration.json")
    chosen = [registration["chosen"]["version"]] if registration["chosen"] else []
    known = Known(
        tuple(list_models(project, params.registry)),
        tuple(read_trend(project, params.registry, every=False, also=frozenset(chosen))),
    )
    write_atomically(page, render(read_facts(project, run, params, known)).encode())
    with open_registry(project, params.registry) as registry:
        registry.attach(registration["run_id"], {"report": page})
