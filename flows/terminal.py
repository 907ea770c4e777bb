"""What a person sees while a flow runs: a line a step, and a bar with metric, rate and time in the long ones.

Everything here goes to standard error; standard output carries the result alone. Colours stay away where
NO_COLOR is set, and bars where there is no terminal.
"""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from flows.logs import Log
from flows.telling import Clock, JsonLines, Pace, Teller, told_rate
from tasks.work import Progress


def teller(log: Log, *, steps: bool = True) -> Teller:
    """Whom a command tells; without `steps`, as beside --json, messages alone."""
    return JsonLines() if log is Log.JSON else Terminal(log, steps=steps)


class RateColumn(ProgressColumn):
    """Items a second, once some are done."""

    def render(self, task: Task) -> Text:
        """As `3.2/s` or `4.5 s each`."""
        return Text(told_rate(task.speed) if task.speed else "", style="dim")


class Terminal:
    """Tells of steps as they go: bars only on a terminal, each epoch or batch as a line only if verbose."""

    def __init__(self, log: Log = Log.NORMAL, *, steps: bool = True, clock: Clock = time.monotonic) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._log = log
        self._steps = (steps and log is Log.NORMAL) or log is Log.VERBOSE
        self._clock = clock
        self._began, self._label = 0.0, ""
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def say(self, message: str) -> None:
        """One line that is always shown, unless quiet was asked for."""
        if self._log is not Log.QUIET:
            self.console.print(message, markup=False)

    def started(self, label: str) -> None:
        """A step begins to run."""
        self._began, self._label = self._clock(), label
        if self._log is Log.VERBOSE:
            self.console.print(f"start  {label}", markup=False)
        elif self._steps and self.console.is_terminal and not self.console.is_dumb_terminal:
            self._open_bar(label)

    def progressed(self, progress: Progress) -> None:
        """A step's stream came forward."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=progress.done, total=progress.total, note=progress.note)
        elif self._log is Log.VERBOSE:
            pace = Pace.of(progress, self._clock() - self._began)
            told = f"       {self._label} {progress.done}/{progress.total}  {progress.note}  {pace}"
            self.console.print(told.rstrip(), markup=False)

    def finished(self, label: str, status: str, seconds: float) -> None:
        """A step ran or was answered from the cache."""
        self.close()
        if self._steps:
            mark = {"ran": "[green]ran[/]   ", "cached": "[dim]cached[/]"}[status]
            self.console.print(
                f"{mark} {label:42} {seconds:8.1f} s" if status == "ran" else f"{mark} {label}"
            )

    def close(self) -> None:
        """Take the bar down, also after a failure."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None

    def _open_bar(self, label: str) -> None:
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            RateColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Bar(*columns, console=self.console, transient=True)
        self._task = self._bar.add_task(label, total=None, note="")
        self._bar.start()
