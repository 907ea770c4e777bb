"""What a person sees while a flow runs: a line a step, and a bar with the metric inside the long ones.

Everything here goes to standard error; standard output carries the result alone.
"""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from tasks.work import Progress as Work


class Terminal:
    """Tells of steps as they go. Without a terminal there is no bar; when `quiet` there are no step lines."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def say(self, message: str) -> None:
        """One line that is always shown."""
        self.console.print(message, markup=False)

    def started(self, label: str) -> None:
        """A step begins to run."""
        if self.quiet or not self.console.is_terminal:
            return
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = Progress(*columns, TimeRemainingColumn(), console=self.console, transient=True)
        self._task = self._bar.add_task(label, total=None, note="")
        self._bar.start()

    def progressed(self, progress: Work) -> None:
        """A step's stream came forward."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=progress.done, total=progress.total, note=progress.note)

    def finished(self, label: str, status: str, seconds: float) -> None:
        """A step ran or was answered from the cache."""
        self.close()
        if not self.quiet:
            mark = {"ran": "[green]ran[/]   ", "cached": "[dim]cached[/]"}[status]
            self.console.print(
                f"{mark} {label:42} {seconds:8.1f} s" if status == "ran" else f"{mark} {label}"
            )

    def close(self) -> None:
        """Take the bar down, also after a failure."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None
