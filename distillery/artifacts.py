"""Artifacts: folders of files under a digest, written beside and renamed, and checked before use.

An artifact's digest is the SHA-256 of its sorted `name sha256` lines, so it depends on the bytes alone:
not on when, where or by whom they were written. DVC's md5 of every file is stored beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

CHUNK = 1 << 20


@dataclass(frozen=True)
class FileDigest:
    """One file of an artifact: its name inside the folder, digests (hex) and size in bytes."""

    name: str
    sha256: str
    md5: str
    bytes: int


@dataclass(frozen=True)
class ArtifactRef:
    """A folder of files: path relative to the project (POSIX), digest, total bytes, and its files."""

    path: str
    digest: str
    bytes: int
    files: tuple[FileDigest, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for a record."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> ArtifactRef:
        """Read back what `to_json` wrote; KeyError or TypeError when it has another shape."""
        files = tuple(FileDigest(**file) for file in plain["files"])
        return cls(str(plain["path"]), str(plain["digest"]), int(plain["bytes"]), files)


def digest_bytes(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def canonical_json(value: object) -> bytes:
    """The one spelling of a JSON value that digests are taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_json(value: object) -> str:
    """SHA-256 in hex of the canonical JSON."""
    return digest_bytes(canonical_json(value))


def digest_file(path: Path, name: str) -> FileDigest:
    """Read a file once and take both digests."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            sha256.update(chunk)
            md5.update(chunk)
            size += len(chunk)
    return FileDigest(name, sha256.hexdigest(), md5.hexdigest(), size)


def is_inside(name: str) -> bool:
    """Whether a file's relative POSIX name can only mean a file below the folder that it is joined to."""
    return "\0" not in name and "\\" not in name and not {"", ".", ".."} & set(name.split("/"))


def files_below(folder: Path) -> list[str]:
    """Names of all the files below a folder, relative, POSIX, sorted."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def describe(folder: Path, project: Path) -> ArtifactRef:
    """The reference of a finished folder that lies inside the project."""
    files = tuple(digest_file(folder / name, name) for name in files_below(folder))
    digest = digest_bytes("".join(f"{f.name} {f.sha256}\n" for f in files).encode())
    return ArtifactRef(folder.relative_to(project).as_posix(), digest, sum(f.bytes for f in files), files)


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """A scratch folder beside `target` that takes its place when the block ends well, or goes.

    A kill leaves at most a `.writing-*` folder, which the next run removes; never a half-written target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
    old = scratch.with_name(f"{scratch.name}-old")
    try:
        yield scratch
        if target.exists():
            target.replace(old)  # removing it in place could be cut half-way
        scratch.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder for the length of the block; what a kill leaves of it, the next run removes."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=parent) as scratch:
        yield Path(scratch)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file in one step: readers see the old bytes or the new ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, scratch = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write readable JSON with sorted keys, atomically; equal values give equal bytes."""
    write_atomically(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; ValueError where it is not JSON."""
    return json.loads(path.read_text(encoding="utf-8"))


def leftovers(*folders: Path) -> list[Path]:
    """What killed writers left below these folders."""
    return sorted(path for folder in folders if folder.is_dir() for path in folder.rglob(".writing-*"))


def discard(path: Path) -> None:
    """Remove a file or a whole folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
