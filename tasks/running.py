"""The flow run by Prefect: every call a task, cached by our key, its body imported when it must run.

Prefect is asked about hits too, some milliseconds each, so that its own view shows the whole flow. What it
answers is held against our own records: a result that it failed to store or served in another shape ends
the run instead of reaching a later step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

import prefect
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from distillery.artifacts import describe, written_beside
from distillery.errors import Busy, DiskError, Unreachable
from distillery.params.base import Block
from tasks.caching import RESULTS, Hit, Record, Records, read_record
from tasks.keys import Key
from tasks.planning import known_steps, looked_up
from tasks.steps import Call, Input, Noun, interpreted_by
from tasks.work import Progress, Work

Result = TypeVar("Result")
Plain = dict[str, Any]
DRAIN_SECONDS = 5.0


class Listener(Protocol):
    """Is told of the steps as they go."""

    def started(self, label: str) -> None:
        """A step begins to run."""

    def progressed(self, progress: Progress) -> None:
        """The running step's stream came forward."""

    def finished(self, label: str, status: str, seconds: float) -> None:
        """A step `ran`, or was `cached`."""


@dataclass(frozen=True)
class Done:
    """One call of a run: `ran` or `cached`, and the seconds that this run spent on it."""

    name: str
    variant: str | None
    status: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """A row of `run --json`."""
        return asdict(self)


class Run:
    """Interprets a flow by looking every call up and letting Prefect do what is missing."""

    def __init__(self, records: Records, listener: Listener, refresh: Iterable[str] = ()) -> None:
        self._records = records
        self._listener = listener
        self._refresh = known_steps(refresh)
        self._made: dict[str, Plain] = {}
        self.steps: list[Done] = []

    def interpret(self, call: Call) -> Noun:
        """Do a call, or find that it was done."""
        started = time.monotonic()
        found = looked_up(self._records, call, self._refresh, mend=True)
        execution = Execution(self._records, call, found.key, self._listener)
        stored = _task_of(call, execution, anew=not isinstance(found, Hit))(
            inputs=[self._made[noun.label] for noun in call.nouns], key=found.key.name
        )
        record = self._checked(found.key, stored)
        self._made[call.label] = stored  # the very object: Prefect draws the graph by identity
        seconds, status = time.monotonic() - started, "ran" if execution.ran else "cached"
        self.steps.append(Done(call.step.name, call.variant, status, round(seconds, 3)))
        self._listener.finished(call.label, status, seconds)
        return Noun(call.step.name, call.variant, record.artifact)

    def folder(self, noun: Noun) -> Path:
        """Where what was made is."""
        return noun.folder(self._records.project)

    def _checked(self, key: Key, answered: Plain) -> Record:
        """The record as it is on disk, which must be what Prefect answered."""
        file = self._records.project / RESULTS / str(key.name)
        record = read_record(file)
        if record is None or record != Record.from_json(answered):
            raise DiskError(f"The result of {key.label} could not be stored in {file}: is the disk full?")
        return record


class Execution:
    """One call's body as it is run: in a scratch folder, which becomes the artifact."""

    def __init__(self, records: Records, call: Call, key: Key, listener: Listener) -> None:
        self._records = records
        self._call = call
        self._key = key
        self._listener = listener
        self.storage = records.project / RESULTS
        self.ran = False

    def __call__(self) -> Plain:
        """Run the body and describe what it made; Busy where its code or data changed meanwhile."""
        self.ran, started = True, time.monotonic()
        self._listener.started(self._call.label)
        target = self._records.artifact_folder(self._key)
        with written_beside(target) as into:
            self._body()(
                *self._arguments(), work=Work(self._records.project, into, self._listener.progressed)
            )
            self._refuse_changes()
        artifact = describe(target, self._records.project)
        return Record(artifact, self._key.parts, round(time.monotonic() - started, 3)).to_json()

    def _body(self) -> Callable[..., None]:
        body: Callable[..., None] = getattr(import_module(self._call.step.module), self._call.step.name)
        return body

    def _arguments(self) -> list[object]:
        return [_argument(value, self._records.project) for value in self._call.inputs]

    def _refuse_changes(self) -> None:
        """What was imported before a file changed is not what its digest says now."""
        changed = self._records.keys.changed_since(self._call, self._key)
        if changed:
            raise Busy(
                f"{self._call.label} is not kept: what it is made of changed while it ran; run again", changed
            )


def run_flow(name: str, body: Callable[[], Result], run: Run, records: Records) -> Result:
    """Run a flow's body as a Prefect flow named `name`; its errors come out as they are."""
    results: list[Result] = []

    def flow() -> None:
        with interpreted_by(run):
            results.append(body())

    try:
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # ending it costs a second a flow
            prefect.flow(flow, name=name, validate_parameters=False)()
    finally:
        EventsWorker.drain_all(
            timeout=DRAIN_SECONDS
        )  # at exit it would look for a server that is gone, a minute
        records.sweep()
        records.memory.save()
    return results[0]


def _task_of(call: Call, execution: Execution, *, anew: bool) -> Callable[..., Plain]:
    """A Prefect task of one call. Its inputs are there for Prefect's graph; `execution` has its own."""

    def body(inputs: list[Plain], key: str) -> Plain:
        return execution()

    task: Callable[..., Plain] = prefect.task(
        body,
        name=call.step.name,
        task_run_name=call.label,
        cache_key_fn=lambda _context, parameters: parameters["key"],
        cache_result_in_memory=False,
        persist_result=True,
        refresh_cache=anew,
        retries=len(call.step.pauses),
        retry_delay_seconds=list(call.step.pauses),
        retry_condition_fn=_is_worth_a_retry,
        result_serializer="json",
        result_storage=execution.storage,
    )
    return task


def _is_worth_a_retry(_task: Any, _run: Any, state: Any) -> bool:
    """Whether a server did not answer; anything else would fail again."""
    try:
        state.result()
    except Unreachable:
        return True
    except Exception:
        return False
    return False


def _argument(value: Input, project: Path) -> object:
    """What a body is handed: folders for nouns, blocks as they are."""
    if isinstance(value, Block):
        return value
    if isinstance(value, Noun):
        return value.folder(project)
    return {name: noun.folder(project) for name, noun in value.items()}
