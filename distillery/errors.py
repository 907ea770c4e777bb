"""The tree of errors, and the exit code that each one gives the command line.

DistilleryError              1    our fault, or the disk's
├── DiskError                1    a file could not be written: full, read-only, gone
├── Unreachable              1    a server does not answer: asked again, by those who can wait
├── UserMistake              2    what was asked cannot be done as asked
│   ├── ParamsError          2    params.yaml, --params or --set: every fault at once
│   ├── DataError            2    rows that cannot be read, or cannot be split
│   ├── ProjectError         2    the folder, a version or an alias is not there
│   └── StepError            2    a step was named that the pipeline does not have
├── Refused                  3    a budget or a gate said no
├── RebuiltDifferently       4    a rebuild that does not equal its record
└── Busy                     5    another process holds the project, or changed it meanwhile
"""

from __future__ import annotations

from collections.abc import Sequence

INTERRUPTED = 130


class DistilleryError(Exception):
    """Something failed; `faults` lists every one found, each with its place and its remedy."""

    exit_code = 1

    def __init__(self, message: str, faults: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  - {fault}" for fault in self.faults)])

    def __reduce__(self) -> tuple[type, tuple[str, tuple[str, ...]]]:
        return type(self), (self.message, self.faults)  # crosses process borders with its faults


class DiskError(DistilleryError):
    """A file could not be written or read back: the disk is full, read-only or gone."""


class Unreachable(DistilleryError):
    """A server does not answer; the same may succeed in a while."""


class UserMistake(DistilleryError):
    """What was asked cannot be done as asked; the message says what to do instead."""

    exit_code = 2


class ParamsError(UserMistake):
    """The parameters are not legal; every fault names its path in params.yaml and the legal range."""


class DataError(UserMistake):
    """The data cannot be read or cannot be split; every fault names its file or row."""


class ProjectError(UserMistake):
    """The project folder, or a version or alias named, is not there."""


class StepError(UserMistake):
    """A step was named that the pipeline does not have."""


class Refused(DistilleryError):
    """A budget or gate said no: nothing was promoted."""

    exit_code = 3


class RebuiltDifferently(DistilleryError):
    """A rebuilt model is not the one that was registered."""

    exit_code = 4


class Busy(DistilleryError):
    """Another process holds the project, or changed what was being changed."""

    exit_code = 5
