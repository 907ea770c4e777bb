"""A deployment kept by this process, one run at a time, on the server that PREFECT_API_URL names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.flows import EntrypointType
from prefect.runner import Runner
from prefect.states import Crashed

from distillery.errors import UserMistake

UNFINISHED = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)


@dataclass(frozen=True)
class Schedule:
    """When to run: a cron line in UTC, or an interval; neither: only when it is asked for."""

    cron: str | None
    interval: timedelta | None

    def __str__(self) -> str:
        if self.cron:
            return f"at {self.cron!r} (UTC)"
        return f"every {self.interval}" if self.interval else "only when it is asked for"

    def require_legal(self) -> None:
        """Raises UserMistake where there is no such time."""
        if self.cron is None:
            return
        try:
            CronSchedule(cron=self.cron)
        except ValueError:
            told = f'{self.cron!r} is no cron line: "0 3 * * *" is every night at 3'
            raise UserMistake(told) from None


def keep(
    flow: Flow[..., Any], name: str, parameters: Mapping[str, str], schedule: Schedule, *, pause: bool
) -> None:
    """Serve a flow until SIGINT or SIGTERM raises KeyboardInterrupt; `pause` its schedule then."""
    runner = Runner(name=name, limit=1, pause_on_shutdown=pause)
    runner.handle_sigterm = _interrupt  # its own leaves a coroutine behind, and says so
    runner.add_flow(
        flow,
        name=name,
        cron=schedule.cron,
        interval=schedule.interval,
        parameters=dict(parameters),
        concurrency_limit=1,  # across machines too
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    asyncio.run(runner.start())


def clear_interrupted() -> list[str]:
    """What a killed `serve` left unfinished crashed, and would hold the one place for ever: says which.

    What was due while none ran is dropped, else it would all run now. Sound only on a server of our own.
    """
    with get_client(sync_client=True) as client:
        cut = _runs(client, *UNFINISHED)
        for run in cut:
            client.set_flow_run_state(run.id, Crashed(message="its process was killed"), force=True)
        now = datetime.now(UTC)
        due = (run for run in _runs(client, StateType.SCHEDULED) if run.expected_start_time)
        for run in due:
            if run.expected_start_time < now:
                client.delete_flow_run(run.id)
    return [f"run {run.name} was cut off, and counts as crashed" for run in cut if run.deployment_id]


def _runs(client: SyncPrefectClient, *states: StateType) -> list[FlowRun]:
    wanted = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states))))
    found: list[FlowRun] = client.read_flow_runs(flow_run_filter=wanted)
    return found


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
