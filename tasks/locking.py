"""One run at a time changes a project: the lock is the kernel's, which frees it when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from distillery.errors import Busy

LOCK = Path(".distillery/lock")
RETRAIN = Path(".distillery/retrain-lock")  # held for longer: a retraining looks, runs and judges


@contextmanager
def project_lock(project: Path, wait: bool, tell: Callable[[str], None], lock: Path = LOCK) -> Iterator[None]:
    """Hold the project. While another run does, wait and `tell` who it is; Busy if `wait` is false.

    The descriptor is not inherited, so a child that outlives us does not hold the lock. It is unlocked before
    it is closed, because a child that is just being started has it for a moment more.
    """
    file = project / lock
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _locked(descriptor):
            held = f"{project} is held by {holder(project, lock) or 'another run'}"
            if not wait:
                raise Busy(f"{held}; wait for it to end, or run without --no-wait to wait")
            tell(f"{held}; waiting for it to end")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        _write(descriptor, {"pid": os.getpid(), "command": _command(), "since": _now()})
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def holder(project: Path, lock: Path = LOCK) -> str | None:
    """Who the lock file says holds the project, in words; None where it does not say."""
    try:
        told = json.loads((project / lock).read_text(encoding="utf-8"))
        return f"process {told['pid']} ({told['command']}) since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_held(project: Path) -> bool:
    """Whether a living process holds the project."""
    try:
        descriptor = os.open(project / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(descriptor: int, value: object) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(value).encode(), 0)


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _now() -> str:
    return datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
