"""Retraining on a schedule, for as long as the command runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from flows.project import Request
from tasks.environment import has_own_server
from tasks.server import prefect_server, scheduler

Say = Callable[[str], None]


def serve(request: Request, cron: str | None, interval: timedelta | None, port: int, say: Say) -> None:
    """Keep a schedule until Ctrl-C or SIGTERM, on the server that PREFECT_API_URL names or our own."""
    named = has_own_server()
    with prefect_server(request.project, scheduler(port)) as server:
        server.wait_until_healthy()
        from flows import deployments  # which imports Prefect, and that reads the address of its server
        from tasks.scheduling import Schedule, clear_interrupted, keep

        schedule, name = Schedule(cron, interval), request.params.registry.name
        schedule.require_legal()
        os.environ[deployments.PARENT] = str(os.getpid())
        for sentence in () if named else clear_interrupted():
            say(sentence)
        whose, page = "the server" if named else "a server of this command", server.url.removesuffix("/api")
        parameters = {"project": str(request.project)}
        with suppress(KeyboardInterrupt):  # from the moment that it is offered
            say(f"retrain/{name} is served, {schedule}; {whose} shows it at {page}; Ctrl-C ends it")
            keep(deployments.retrain, name, parameters, schedule, pause=named)  # runs would pile up there
