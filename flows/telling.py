"""Who is told of a flow as it goes: for people flows/terminal.py, for machines a JSON object a line."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from flows.logs import write_line
from tasks.work import Progress

Clock = Callable[[], float]


class Teller(Protocol):
    """Is told of messages and steps; what it makes of them is its own."""

    def say(self, message: str) -> None:
        """Something that a person should know."""

    def started(self, label: str) -> None:
        """A step begins to run."""

    def progressed(self, progress: Progress) -> None:
        """The running step's stream came forward."""

    def finished(self, label: str, status: str, seconds: float) -> None:
        """A step `ran`, or was `cached`."""

    def close(self) -> None:
        """The flow is over, also by a failure."""


@dataclass(frozen=True)
class Pace:
    """How fast a step comes forward: items a second, and the seconds that are left at that rate."""

    rate: float | None
    left: float | None

    @classmethod
    def of(cls, progress: Progress, elapsed: float) -> Pace:
        """The mean since the step began; None of both before anything is done."""
        if progress.done <= 0 or elapsed <= 0:
            return cls(None, None)
        rate = progress.done / elapsed
        return cls(rate, max(progress.total - progress.done, 0) / rate)

    def __str__(self) -> str:
        return (
            ""
            if self.rate is None or self.left is None
            else f"{told_rate(self.rate)}, {self.left:.0f} s left"
        )


def told_rate(rate: float) -> str:
    """A rate for people: `3.2/s`, or where an item takes longer than a second, `4.5 s each`."""
    return f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each"


class JsonLines:
    """One JSON object a line: message, started, progress, finished. Each names its step, and its variant."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._began = 0.0
        self._step: dict[str, str] = {}

    def say(self, message: str) -> None:
        """Event `message`."""
        write_line("message", message=message)

    def started(self, label: str) -> None:
        """Event `started`."""
        self._began, self._step = self._clock(), _named(label)
        write_line("started", **self._step)

    def progressed(self, progress: Progress) -> None:
        """Event `progress`: done, total, the metric, items a second, seconds left."""
        pace = Pace.of(progress, self._clock() - self._began)
        numbers = {"rate": _rounded(pace.rate), "seconds_left": _rounded(pace.left)}
        done = {"done": progress.done, "total": progress.total, "note": progress.note}
        write_line("progress", **self._step, **done, **numbers)

    def finished(self, label: str, status: str, seconds: float) -> None:
        """Event `finished`: status and seconds."""
        write_line("finished", **_named(label), status=status, seconds=round(seconds, 3))

    def close(self) -> None:
        """Nothing is open."""


def _named(label: str) -> dict[str, Any]:
    step, _, variant = label.partition(".")
    return {"step": step, "variant": variant or None}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
