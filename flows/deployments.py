"""The flows as Prefect deploys them: what prefect.yaml names, with typed parameters for the form of its page.

Prefect imports this file in a process of its own, which ends with the one that started it. It reads the
annotations as values, so they are not postponed here.
"""

import os
import threading
import time
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.options import request_of
from flows.project import Request
from flows.terminal import Terminal

HOURS = 3600
PARENT = "DISTILLERY_SERVE_PID"  # whose death ends a run that it started
WATCH_SECONDS = 1.0

Project = Annotated[str, Field(description="The project: a folder with a params.yaml.")]
Settings = Annotated[list[str], Field(description="Parameters for this run alone, each as block.name=value.")]
Version = Annotated[str, Field(description="A version or an alias of the registered model.")]


@flow(name="compress", timeout_seconds=12 * HOURS)
def compress(project: Project = ".", settings: Settings = []) -> State:  # noqa: B006 - Prefect shows it
    """Teacher, student, int8, measured, chosen, registered."""
    from flows.once import compress_once

    outcome = compress_once(_request(project, settings), (), wait=True, terminal=Terminal())
    return Completed(message=outcome.reason, name="Chosen" if outcome.chosen else "Refused")


@flow(name="retrain", timeout_seconds=12 * HOURS)
def retrain(
    project: Project = ".",
    settings: Settings = [],  # noqa: B006
    force: Annotated[bool, Field(description="Retrain although nothing changed.")] = False,
) -> State:
    """Look for new data; train with what the champion knows; judge; promote, or keep the champion."""
    from flows.retrain import retrain as run

    update = run(_request(project, settings), force=force, wait=True, terminal=Terminal())
    return Completed(message=update.said, name=str(update.event).capitalize())


@flow(name="reproduce", timeout_seconds=12 * HOURS)
def reproduce(version: Version = "champion", project: Project = ".") -> State:
    """Make a registered version again from its record alone, and compare."""
    from flows.reproduce import reproduce as run

    done = run(_request(project, []), version, None, Terminal().say)
    return Completed(message="; ".join(done.judgement.reasons), name=done.judgement.verdict.capitalize())


@flow(name="promote", timeout_seconds=1 * HOURS)
def promote(
    version: Version = "challenger",
    reason: Annotated[str, Field(description="Why; kept in the history.")] = "",
    project: Project = ".",
) -> State:
    """Pass the gates, and make a version the champion."""
    from tasks.promoting import Asked
    from tasks.promoting import promote as run

    request = _request(project, [])
    done = run(request.project, request.params, Asked(version, reason), Terminal().say)
    failing = ", ".join(done.verdict.failing) if done.verdict else ""
    said = f"version {done.version}: {failing or 'every gate passed it'}"
    return Completed(message=said, name="Promoted" if done.link else "Refused")


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
