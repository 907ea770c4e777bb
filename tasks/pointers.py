"""DVC's pointers (`data.dvc`, `models.dvc`) read and compared without importing DVC.

A folder's digest, as DVC takes it, is the md5 of the sorted JSON list of its files' md5s and names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from distillery.artifacts import digest_file, files_below, is_inside
from distillery.errors import DataError, ProjectError

MD5 = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Pointer:
    """What a pointer pins: a folder's md5 (ends in `.dir`), bytes and number of files."""

    md5: str
    bytes: int
    files: int


def pointer_file(project: Path, name: str) -> Path:
    """The pointer of the folder `name`: `data.dvc` for `data`."""
    return project / f"{name}.dvc"


def pinned_digest(project: Path, name: str) -> Pointer | None:
    """What `name.dvc` pins, or None without such a file; ProjectError where it is no pointer."""
    file = pointer_file(project, name)
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProjectError(f"{file} cannot be read: {error}") from None
    return read_pointer(content, str(file))


def read_pointer(content: bytes, where: str) -> Pointer:
    """What a pointer's bytes pin; ProjectError where they are no pointer."""
    try:
        (out,) = yaml.safe_load(content.decode("utf-8"))["outs"]
        md5 = re.fullmatch(r"[0-9a-f]{32}(\.dir)?", out["md5"])
        if md5 is None:
            raise ValueError("a digest of another kind, or a path in its place")
        return Pointer(md5[0], int(out["size"]), int(out.get("nfiles", 1)))
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError):
        remedy = "restore it (git checkout), or delete it and run again to pin what is there"
        raise ProjectError(f"{where} does not pin one folder as DVC writes it: {remedy}") from None


def directory_md5(files: Mapping[str, str]) -> str:
    """DVC's digest of a folder, from the md5 of every file by its relative POSIX name."""
    return hashlib.md5(directory_listing(files), usedforsecurity=False).hexdigest() + ".dir"


def directory_listing(files: Mapping[str, str]) -> bytes:
    """The bytes that DVC stores for a folder and takes its digest of."""
    return json.dumps([{"md5": files[name], "relpath": name} for name in sorted(files)]).encode()


def read_listing(content: bytes) -> dict[str, str]:
    """The md5 of every file by name, from what DVC stores for a folder.

    Raises DataError with every entry that is no name below a folder, stands twice, or has no md5.
    """
    try:
        entries = [(str(entry["relpath"]), str(entry["md5"])) for entry in json.loads(content)]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise DataError("a folder's listing in DVC's store is not one that DVC wrote: restore it") from None
    files = dict(entries)
    folders = {str(folder) for name in files for folder in PurePosixPath(name).parents}
    faults = [f"{name!r} leads out of the folder" for name in files if not is_inside(name)]
    faults += [f"{name!r} is a file and a folder" for name in files if name in folders]
    faults += [f"{name!r} has no md5" for name, md5 in files.items() if not MD5.fullmatch(md5)]
    if len(files) != len(entries):
        faults.append("a name stands twice")
    if faults:
        raise DataError("a folder's listing in DVC's store cannot be followed: nothing was restored", faults)
    return files


def file_md5s(folder: Path) -> dict[str, str]:
    """The md5 of every file below a folder, by name: reads all the bytes."""
    return {name: digest_file(folder / name, name).md5 for name in files_below(folder)}


def matches_pin(project: Path, name: str, files: Mapping[str, str] | None = None) -> bool:
    """Whether the folder `name` is what `name.dvc` pins; hand `files` (name to md5) to spare re-reading."""
    pinned = pinned_digest(project, name)
    if pinned is None or not (project / name).is_dir():
        return False
    if files is None:
        if _count_and_bytes(project / name) != (pinned.files, pinned.bytes):
            return False
        files = file_md5s(project / name)
    return directory_md5(files) == pinned.md5


def stored_in_cache(project: Path, files: Mapping[str, str]) -> bool:
    """Whether DVC's own cache in the project has the folder's listing and every file, unread."""
    wanted = {directory_md5(files), *files.values()}
    return all(_object(project, md5).is_file() for md5 in wanted)


def models_kept(project: Path, digests: Mapping[str, str]) -> bool:
    """Whether `models/` has exactly these files (name to SHA-256) besides its manifest, and is as pinned."""
    folder = project / "models"
    if not folder.is_dir():
        return False
    found = {name: digest_file(folder / name, name) for name in files_below(folder)}
    kept = {name: file.sha256 for name, file in found.items() if name != "manifest.json"}
    return kept == dict(digests) and matches_pin(project, "models", {n: f.md5 for n, f in found.items()})


def _object(project: Path, md5: str) -> Path:
    return project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def _count_and_bytes(folder: Path) -> tuple[int, int]:
    sizes = [(folder / name).stat().st_size for name in files_below(folder)]
    return len(sizes), sum(sizes)
