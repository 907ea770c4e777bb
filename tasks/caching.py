"""Records of what was made, and the check that a hit still has its bytes.

A record is the JSON result of a Prefect task, in the file that Prefect stores it in: `.distillery/results/`,
named `label.key`. It is read here without Prefect, which would serve whatever is valid JSON and never asks
whether the artifact behind it exists.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from distillery.artifacts import (
    ArtifactRef,
    canonical_json,
    digest_bytes,
    digest_json,
    files_below,
    is_inside,
    read_json,
)
from distillery.errors import DistilleryError
from tasks.keys import Key, Keys, Parts, changes, made_anew
from tasks.memory import DigestMemory
from tasks.steps import Call

RESULTS = Path(".distillery/results")
ARTIFACTS = Path(".distillery/artifacts")
SET_ASIDE = Path(".distillery/set-aside")
UNREADABLE = "record unreadable"
NEVER = "never run"


@dataclass(frozen=True)
class Record:
    """What one execution of a call made, of what, and in how many seconds."""

    artifact: ArtifactRef
    parts: Parts
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: the result of the Prefect task."""
        return {"artifact": self.artifact.to_json(), "parts": self.parts, "seconds": self.seconds}

    @classmethod
    def from_json(cls, plain: Any) -> Record:
        """Read back what `to_json` wrote; ValueError where it has another shape."""
        try:
            artifact = ArtifactRef.from_json(plain["artifact"])
            record = cls(artifact, dict(plain["parts"]), float(plain["seconds"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not a record: {error}") from None
        if canonical_json(record.to_json()) != canonical_json(plain) or not _is_sound(artifact):
            raise ValueError("not a record: it does not agree with itself")
        return record


@dataclass(frozen=True)
class Hit:
    """The call was done before, and its bytes are there."""

    key: Key
    record: Record


@dataclass(frozen=True)
class Miss:
    """The call must be done; `because` says in words why."""

    key: Key
    because: tuple[str, ...]


class Records:
    """The records of a project."""

    def __init__(self, project: Path) -> None:
        self.project = project.resolve()
        self.memory = DigestMemory(self.project)
        self.keys = Keys(self.project, self.memory)

    def lookup(self, call: Call, *, mend: bool = False) -> Hit | Miss:
        """Find the record of a call. With `mend`, what is broken is set aside: nothing finds it again."""
        key = self.keys.of(call)
        file = self.file_of(key)
        if file is None or not file.exists():
            return Miss(key, self._why_never(key))
        record = read_record(file)
        fault = UNREADABLE if record is None else self._fault(record.artifact)
        if record is not None and fault is None:
            return Hit(key, record)
        if mend:
            self._set_aside([file, *([self.project / record.artifact.path] if record else [])])
        return Miss(key, (str(fault),))

    def file_of(self, key: Key) -> Path | None:
        """Where the record of a key is stored; None while an input is unknown."""
        return self.project / RESULTS / key.name if key.name else None

    def artifact_folder(self, key: Key) -> Path:
        """Where the artifact of a key is made."""
        return self.project / ARTIFACTS / key.label / str(key.digest)[:16]

    def sweep(self) -> None:
        """Remove results that are no records: Prefect stores a failure under a random name."""
        for file in _files_in(self.project / RESULTS):
            if "." not in file.name:
                file.unlink(missing_ok=True)

    def _why_never(self, key: Key) -> tuple[str, ...]:
        newest = next(self._newest(key.label), None)
        if newest is None:
            return (NEVER,)
        return (*changes(newest.parts, key), *made_anew(key.unknown))

    def _newest(self, label: str) -> Iterator[Record]:
        """The readable records of a label, newest first."""
        files = [f for f in _files_in(self.project / RESULTS) if f.name.rpartition(".")[0] == label]
        for file in sorted(files, key=lambda f: f.stat().st_mtime_ns, reverse=True):
            record = read_record(file)
            if record is not None:
                yield record

    def _fault(self, artifact: ArtifactRef) -> str | None:
        """What is wrong with an artifact's bytes."""
        folder = self.project / artifact.path
        if not folder.is_dir():
            return f"artifact {artifact.path} is missing"
        if files_below(folder) != [file.name for file in artifact.files]:
            return f"artifact {artifact.path} is corrupt: it has not the files that were made"
        for file in artifact.files:
            found = self.memory.digest(folder / file.name)
            if (found.sha256, found.bytes) != (file.sha256, file.bytes):
                return f"artifact {artifact.path} is corrupt: {file.name} has changed"
        return None

    def _set_aside(self, broken: list[Path]) -> None:
        shelf = self.project / SET_ASIDE
        shelf.mkdir(parents=True, exist_ok=True)
        for path in broken:
            if path.exists():
                shelved = shelf / path.name
                path.replace(shelf / f"{path.name}-{secrets.token_hex(4)}" if shelved.exists() else shelved)


def read_record(file: Path) -> Record | None:
    """The record in a Prefect result file, if it is one, whole, and of the key that its name says."""
    try:
        stored = read_json(file)
        metadata = stored["metadata"]
        if metadata["serializer"]["type"] != "json" or metadata["expiration"] is not None:
            return None
        record = Record.from_json(json.loads(stored["result"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if file.name.endswith(f".{digest_json(record.parts)}") else None


def reads_of(project: Path, folder: Path) -> dict[str, str]:
    """What the step that made an artifact's folder read besides its inputs: name -> digest."""
    for file in sorted((project / RESULTS).glob(f"{folder.parent.name}.{folder.name}*")):
        record = read_record(file)
        if record is not None and project / record.artifact.path == folder:
            read = ((name.partition("read "), digest) for name, digest in record.parts.items())
            return {name: digest for (before, kind, name), digest in read if kind and not before}
    raise DistilleryError(
        f"{folder} has no record of what it was made of: run again with --refresh prepare_data"
    )


def _is_sound(artifact: ArtifactRef) -> bool:
    """Whether the digest is that of the files, and the path stays below the artifacts."""
    inside = PurePosixPath(artifact.path).is_relative_to(ARTIFACTS)
    inside = inside and all(is_inside(name) for name in (artifact.path, *(f.name for f in artifact.files)))
    listed = "".join(f"{file.name} {file.sha256}\n" for file in artifact.files)
    return inside and artifact.digest == digest_bytes(listed.encode())


def _files_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
