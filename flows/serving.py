"""Retraining on a schedule, for as long as the command runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from flows.project import Request
from tasks.environment import has_own_server
from tasks.server import Server, prefect_server, scheduler

Say = Callable[[str], None]


@dataclass(frozen=True)
class Schedule:
    """When to retrain: a cron line in UTC, or an interval; neither: only when it is asked for."""

    cron: str | None
    interval: timedelta | None

    def __str__(self) -> str:
        if self.cron:
            return f"at {self.cron!r} (UTC)"
        return f"every {self.interval}" if self.interval else "only when it is asked for"


def serve(request: Request, schedule: Schedule, port: int, say: Say) -> None:
    """Keep a schedule until Ctrl-C or SIGTERM; on the server that PREFECT_API_URL names or our own."""
    named = has_own_server()
    with prefect_server(request.project, scheduler(port)) as server:
        server.wait_until_healthy()
        from flows import deployments  # which imports Prefect, and that reads the address of its server
        from tasks.scheduling import end_interrupted_runs, keep

        os.environ[deployments.PARENT] = str(os.getpid())
        for sentence in () if named else end_interrupted_runs():
            say(sentence)
        say(_told(request, schedule, server, named=named))
        keep(
            deployments.retrain,
            request.params.registry.name,
            {"project": str(request.project)},
            cron=schedule.cron,
            interval=schedule.interval,
            pause=named,  # on a server that lives on, runs would pile up
        )


def _told(request: Request, schedule: Schedule, server: Server, *, named: bool) -> str:
    name, page = request.params.registry.name, server.url.removesuffix("/api")
    whose = "the server" if named else "a server of this command"
    return f"retrain/{name} is served, {schedule}; {whose} shows it at {page}; Ctrl-C ends it"
