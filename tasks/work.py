"""What a task's body is handed besides its inputs and params."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar


class Progress(Protocol):
    """One item of a core function's stream that a person may watch."""

    @property
    def done(self) -> int:
        """How many of the total are done."""

    @property
    def total(self) -> int:
        """How many there will be at the most."""

    @property
    def note(self) -> str:
        """The metric, in a few words."""


Watched = TypeVar("Watched", bound=Progress)


@dataclass(frozen=True)
class Work:
    """Where a body writes (`into`, an empty folder that becomes the artifact) and whom it tells."""

    project: Path
    into: Path
    tell: Callable[[Progress], None]

    def watch(self, stream: Iterable[Watched]) -> Iterator[Watched]:
        """Pass a stream on, item by item, telling the watcher of each."""
        for item in stream:
            self.tell(item)
            yield item
