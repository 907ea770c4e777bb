"""A deployment kept by this process, one run at a time, on the server that PREFECT_API_URL names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.flows import EntrypointType
from prefect.states import Crashed

from distillery.errors import UserMistake

UNFINISHED = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


def keep(
    flow: Flow[..., Any],
    name: str,
    parameters: dict[str, str],
    *,
    cron: str | None,
    interval: timedelta | None,
    pause: bool,
) -> None:
    """Serve a flow until this process is told to end; `pause` its schedule then.

    UserMistake where `cron` is no cron line.
    """
    if cron is not None:
        try:
            CronSchedule(cron=cron)
        except ValueError:
            raise UserMistake(f'{cron!r} is no cron line: "0 3 * * *" is every night at 3') from None
    flow.serve(
        name=name,
        cron=cron,
        interval=interval,
        parameters=parameters,
        limit=1,
        global_limit=1,  # across machines too
        pause_on_shutdown=pause,
        print_starting_message=False,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def end_interrupted_runs() -> list[str]:
    """Runs that a killed `serve` left unfinished would hold the one place for ever: they crashed.

    Sound only on a server that nobody else uses.
    """
    unfinished = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED)))
    said = []
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=unfinished):
            client.set_flow_run_state(run.id, Crashed(message="its process was killed"), force=True)
            if run.deployment_id is not None:
                said.append(f"run {run.name} was cut off, and counts as crashed")
    return said
