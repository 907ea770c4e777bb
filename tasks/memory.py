"""What is known of files that have not changed: digests need no second reading of the same bytes.

A file is the same while its size, inode and times are. The kernel stamps times in steps of some milliseconds,
so a file that was written just now is not trusted yet: a second write could carry the same stamp.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from distillery.artifacts import FileDigest, digest_file, digest_json, read_json, write_json

FILE = Path(".distillery/memory.json")
FORMAT = 1
SETTLED_NS = 100_000_000

Plain = TypeVar("Plain")  # plain JSON


class DigestMemory:
    """Remembers values by kind and file in `.distillery/memory.json`; losing it costs time, nothing else."""

    def __init__(self, project: Path) -> None:
        self._file = project / FILE
        self._known = _load(self._file)
        self._changed = False

    def recall(self, kind: str, path: Path, compute: Callable[[Path], Plain]) -> Plain:
        """What `compute(path)` gave for these bytes, or gives now; OSError without a file."""
        name = f"{kind} {os.path.abspath(path)}"  # noqa: PTH100 - resolving links would cost a call a folder
        stamp = _stamp(path)
        known = self._known.get(name)
        if known is not None and known["stamp"] == stamp:
            remembered: Plain = known["value"]
            return remembered
        value = compute(path)
        if _stamp(path) == stamp and time.time_ns() - max(stamp[1:3]) > SETTLED_NS:
            self._known[name] = {"stamp": stamp, "value": value}
            self._changed = True
        return value

    def digest(self, path: Path) -> FileDigest:
        """Both digests and the size of a file, read only if it may have changed."""
        return FileDigest(**self.recall("file", path, lambda file: asdict(digest_file(file, file.name))))

    def save(self) -> None:
        """Keep what was learnt, without the files that are gone; a full disk loses it, and nothing else."""
        if self._changed:
            kept = {name: known for name, known in self._known.items() if _exists(name)}
            with suppress(OSError):
                write_json(self._file, {"digest": digest_json([FORMAT, kept]), "known": kept})
            self._changed = False


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _exists(name: str) -> bool:
    return Path(name.partition(" ")[2]).exists()


def _load(file: Path) -> dict[str, dict[str, Any]]:
    try:
        plain = read_json(file)
        known: dict[str, dict[str, Any]] = plain["known"]
        return known if plain["digest"] == digest_json([FORMAT, known]) else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
