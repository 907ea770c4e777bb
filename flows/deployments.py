"""The flows as Prefect deploys them: what prefect.yaml names, with typed parameters for the form of its page.

Prefect imports this file in a process of its own, which ends with the one that started it. It reads the
annotations as values, so they are not postponed here, and what parameters mean from the docstrings.
"""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.states import Completed

from flows.options import request_of, teller_of
from flows.outcome import Outcome
from flows.project import Request
from flows.telling import Teller
from tasks.run_page import ProgressBar, show_report, show_table
from tasks.work import Progress

HOURS = 3600
APPROVAL_SECONDS = 72 * HOURS  # a long weekend
PARENT = "DISTILLERY_SERVE_PID"  # whose death ends a run that it started
WATCH_SECONDS = 1.0


@flow(name="compress", timeout_seconds=12 * HOURS)
def compress(project: str = ".", settings: list[str] = []) -> State:  # noqa: B006 - Prefect shows it
    """Teacher, student, int8, measured, chosen, registered.

    Args:
        project: The project, a folder with a params.yaml.
        settings: Parameters for this run alone, each as block.name=value.
    """
    from flows.once import compress_once

    request = _request(project, settings)
    outcome = compress_once(request, (), wait=True, teller=Page(teller_of()))
    _show_variants(request, outcome)
    return Completed(message=outcome.reason, name="Chosen" if outcome.chosen else "Refused")


@flow(name="retrain", timeout_seconds=12 * HOURS)
def retrain(
    project: str = ".",
    settings: list[str] = [],  # noqa: B006
    force: bool = False,
) -> State:
    """Look for new data; train with what the champion knows; judge; promote, or keep the champion.

    Args:
        project: The project, a folder with a params.yaml.
        settings: Parameters for this run alone, each as block.name=value.
        force: Retrain although nothing changed.
    """
    from flows.retrain import retrain as run

    request = _request(project, settings)
    update = run(request, force=force, wait=True, teller=Page(teller_of()))
    if update.outcome is not None:
        _show_variants(request, update.outcome)
    _show_gates(request, update.verdict)
    return Completed(message=update.said, name=str(update.event).capitalize())


@flow(name="reproduce", timeout_seconds=12 * HOURS)
def reproduce(version: str = "champion", project: str = ".") -> State:
    """Make a registered version again from its record alone, and compare.

    Args:
        version: A version or an alias of the registered model.
        project: The project, a folder with a params.yaml.
    """
    from flows.reproduce import reproduce as run

    done = run(_request(project, []), version, None, teller_of().say)
    return Completed(message="; ".join(done.judgement.reasons), name=done.judgement.verdict.capitalize())


@flow(name="promote", timeout_seconds=APPROVAL_SECONDS + 1 * HOURS)
def promote(
    version: str = "challenger",
    reason: str = "",
    project: str = ".",
    settings: list[str] = [],  # noqa: B006
) -> State:
    """Pass the gates, and make a version the champion; where approval is manual, pause for a person's.

    Args:
        version: A version or an alias of the registered model.
        reason: Why; kept in the history.
        project: The project, a folder with a params.yaml.
        settings: Parameters for this run alone, each as block.name=value.
    """
    from tasks.promoting import Asked
    from tasks.promoting import promote as run

    request = _request(project, settings)
    done = run(request.project, request.params, Asked(version, reason), teller_of().say)
    _show_gates(request, done.verdict.to_json() if done.verdict else None)
    if done.waits:
        approval = pause_flow_run(wait_for_input=Approval, timeout=APPROVAL_SECONDS)
        asked = Asked(done.version, approval.reason or reason, approve=True)
        done = run(request.project, request.params, asked, teller_of().say)  # judged anew
    failing = ", ".join(done.verdict.failing) if done.verdict else ""
    said = f"version {done.version}: {failing or 'every gate passed it'}"
    return Completed(message=said, name="Promoted" if done.link else "Refused")


class Approval(RunInput):  # type: ignore[misc] # Prefect's types are skipped
    """What a person is asked on the page of a paused promotion; to refuse, cancel the run."""

    reason: str = ""


class Page:
    """Tells another teller, and shows the progress of long steps on their pages too."""

    def __init__(self, teller: Teller) -> None:
        self.say, self.finished, self.close = teller.say, teller.finished, teller.close
        self._teller = teller

    def started(self, label: str) -> None:
        """A step begins to run."""
        self._teller.started(label)
        self._progress = ProgressBar(label)

    def progressed(self, progress: Progress) -> None:
        """The running step's stream came forward."""
        self._teller.progressed(progress)
        self._progress.advance(progress)


def _show_variants(request: Request, outcome: Outcome) -> None:
    model = request.params.registry.name
    show_table(model, "variants", outcome.to_json()["variants"], outcome.reason)
    show_report(model, request.project / outcome.report)


def _show_gates(request: Request, verdict: Mapping[str, Any] | None) -> None:
    gates = verdict["gates"] if verdict else []
    rows = [{key: gate[key] for key in ("gate", "outcome", "blocks", "said")} for gate in gates]
    show_table(request.params.registry.name, "gates", rows, str(verdict["outcome"]) if verdict else "")


def _request(project: str, settings: list[str]) -> Request:
    _end_with_parent()
    return request_of(Path(project), None, settings)


def _end_with_parent() -> None:
    """End this process when the `distillery serve` that started it is gone, however it went."""
    parent = int(os.environ.get(PARENT, "0"))
    if parent:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)  # at once: what was cut is made again, and nothing half-written counts
