"""Rows on their way to a model, some at a time: what every reader for prediction yields, and how it fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from distillery.errors import DataError
from distillery.feeding import Feed

SHOWN = 10  # faults
Item = TypeVar("Item")


@dataclass(frozen=True)
class Piped:
    """A stream of bytes that comes from another program."""

    stream: BinaryIO

    def __str__(self) -> str:
        return "standard input"


Source = Path | Piped


@dataclass(frozen=True)
class RawBatch:
    """B rows: what each is called (its number from 0, or an image's file), and their tensors."""

    names: Sequence[str]
    feed: Feed


@dataclass(frozen=True)
class RawRows:
    """A source's rows; `total` is how many, where that is known before they are read."""

    batches: Iterator[RawBatch]
    total: int | None


class Faults:
    """What is wrong with a source's rows: the first few are kept, the others counted."""

    def __init__(self, message: str) -> None:
        self._message = message
        self._first: list[str] = []
        self.count = 0

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, fault: str) -> None:
        """One more."""
        self.count += 1
        if len(self._first) < SHOWN:
            self._first.append(fault)

    def add_all(self, faults: Iterable[str]) -> None:
        """Several more."""
        for fault in faults:
            self.add(fault)

    def refuse(self) -> None:
        """DataError with all of them, if there are any."""
        if self:
            hidden = self.count - len(self._first)
            raise DataError(self._message, [*self._first, *([f"and {hidden} more"] if hidden else [])])


def in_chunks(items: Iterable[Item], size: int) -> Iterator[tuple[int, list[Item]]]:
    """Up to `size` items at a time, after the number of those before them."""
    left, first = iter(items), 0
    while chunk := list(islice(left, size)):
        yield first, chunk
        first += len(chunk)


def numbered(first: int, rows: int) -> list[str]:
    """What rows without names are called."""
    return [str(number) for number in range(first, first + rows)]
