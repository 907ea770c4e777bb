"""One run of the pipeline, or its plan: from what was asked to what came of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from distillery.data.locate import holds
from distillery.errors import DistilleryError
from flows.compress import Compressed, compress
from flows.outcome import Outcome, read_outcome
from flows.project import Request
from flows.reports import newest_report, publish, publish_verdict
from flows.telling import Teller
from tasks.caching import Records
from tasks.data_folder import ensure_data
from tasks.leftovers import remove_leftovers
from tasks.locking import project_lock
from tasks.planning import Plan, Planned
from tasks.pointers import models_kept
from tasks.records import TEACHER
from tasks.registry_store import ensure_store
from tasks.repository import ensure_repository, uncommitted_pointers
from tasks.steps import interpreted_by

Refresh = tuple[str, ...]


def plan_once(request: Request, refresh: Refresh) -> list[dict[str, Any]]:
    """What a run would do; nothing is made."""
    plan, _ = planned(request, Records(request.project), refresh)
    return [step.to_json() for step in plan.steps]


def compress_once(request: Request, refresh: Refresh, wait: bool, teller: Teller) -> Outcome:
    """Run what is missing; where nothing is, answer from the records without starting anything."""
    started = time.monotonic()
    with project_lock(request.project, wait, teller.say):
        _make_ready(request, teller.say)
        records = Records(request.project)
        plan, made = planned(request, records, refresh)
        if plan.all_hits and _models_kept(request, made):
            steps = [_cached(step) for step in plan.steps]
        else:
            again = ("register_model",) if plan.all_hits else ()  # which keeps the models
            made, steps = _run(request, (*refresh, *again), teller)
            for pointer in uncommitted_pointers(request.project):
                teller.say(f"{pointer} changed: commit it to keep which bytes these were")
        publish(request.project, made, request.params)
        return read_outcome(request.project, made, steps, time.monotonic() - started)


def present_report(request: Request, say: Callable[[str], None]) -> Path:
    """The page of the run that the present params name; the newest where they have not run to their end."""
    plan, made = planned(request, Records(request.project), ())
    if plan.all_hits:
        return publish(request.project, made, request.params)
    page = newest_report(request.project)
    say(f"these params have not run to their end: this is the newest page, of run {page.parent.name}")
    return page


def show_verdict(request: Request, verdict: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Put the gates' table into the page of the run that these params name, if it made the challenger.

    The page is what people look at, and not what was decided: where it cannot be written, that is only said.
    """
    plan, made = planned(request, Records(request.project), ())
    if not plan.all_hits:
        return
    try:
        publish_verdict(request.project, made, request.params, verdict)
    except (DistilleryError, OSError) as error:
        say(f"the report does not show the gates: {error}")


def planned(request: Request, records: Records, refresh: Refresh) -> tuple[Plan, Compressed]:
    """The flow read as a plan, and what of it is there."""
    plan = Plan(records, refresh)
    with interpreted_by(plan):
        made = compress(request.params)
    records.memory.save()
    return plan, made


def _make_ready(request: Request, say: Callable[[str], None]) -> None:
    for removed in remove_leftovers(request.project):
        say(f"removed what a killed run left: {removed}")
    for sentence in ensure_repository(request.project):
        say(sentence)
    ensure_store(request.project)
    if request.own_data:
        for sentence in ensure_data(request.project, request.params.data):
            say(sentence)


def _cached(step: Planned) -> dict[str, Any]:
    return {"name": step.name, "variant": step.variant, "status": "cached", "seconds": 0.0}


def _models_kept(request: Request, made: Compressed) -> bool:
    """Whether `models/` is what this run would keep there."""
    chosen = read_outcome(request.project, made, (), 0.0).chosen
    kept = {"model.onnx": made.models[chosen["name"]], "teacher.onnx": made.models[TEACHER]} if chosen else {}
    digests = {
        name: file.sha256
        for name, noun in kept.items()
        for file in (noun.artifact.files if noun.artifact else ())
        if file.name == "model.onnx"
    }
    own = holds(request.project / "data", request.params.data)
    return not own or chosen is None or models_kept(request.project, digests)


def _run(request: Request, refresh: Refresh, teller: Teller) -> tuple[Compressed, list[dict[str, Any]]]:
    """Prefect is imported here, while its server starts."""
    from tasks.bundle import named_functions, running_source
    from tasks.server import prefect_server

    running_source(named_functions(request.params))
    records = Records(request.project)
    with prefect_server(request.project) as server:
        from tasks.running import Run, run_flow

        server.wait_until_healthy()
        run = Run(records, teller, refresh)
        try:
            with redirect_stdout(sys.stderr):  # a library that prints must not spoil --json
                made = run_flow("compress", lambda: compress(request.params), run, records)
        finally:
            teller.close()
    return made, [done.to_json() for done in run.steps]
