"""Which version of the data is meant, which is there, and whether it is what is pinned: no heavy import."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillery.artifacts import files_below
from distillery.errors import DataError, ProjectError
from tasks.memory import DigestMemory
from tasks.pointers import directory_md5, pinned_digest, read_listing, read_pointer, stored_in_cache
from tasks.repository import file_at_commit

CACHE = Path(".dvc/cache/files/md5")
DIGEST = re.compile(r"[0-9a-f]{6,64}(\.dir)?")


@dataclass(frozen=True)
class FolderState:
    """A folder as it is: its md5 (None where it is absent), what its pointer pins, whether that is safe."""

    md5: str | None
    pinned: str | None
    in_cache: bool  # what is there is in DVC's cache too, so that nothing is lost when it is replaced

    @property
    def word(self) -> str:
        """One word for it."""
        if self.md5 is None:
            return "absent"
        if self.pinned is None:
            return "not pinned"
        return "clean" if self.md5 == self.pinned else "changed"


def folder_state(project: Path, memory: DigestMemory, name: str = "data") -> FolderState:
    """What `data/`, or `models/`, is; files that have not changed since they were last seen are not read."""
    pinned = pinned_digest(project, name)
    folder = project / name
    files = {name: memory.digest(folder / name).md5 for name in files_below(folder)}
    md5 = directory_md5(files) if files else None
    memory.save()
    return FolderState(md5, pinned.md5 if pinned else None, bool(files) and stored_in_cache(project, files))


def read_schema(folder: Path) -> dict[str, Any]:
    """schema.json of a data folder, as it stands; DataError where there is none."""
    try:
        schema: dict[str, Any] = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
        return {key: schema[key] for key in ("name", "classes", "data_digest", "form", "versions", "source")}
    except FileNotFoundError:
        remedy = "`distillery data import SOURCE` makes it, `distillery data pull` brings it back"
        raise DataError(f"{folder} holds no data: {remedy}") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{folder / 'schema.json'} is damaged: restore the folder") from None


def find_version(project: Path, version: str) -> str:
    """The md5 (`….dir`) of a version: a git revision, the start of that md5, or of a data digest.

    Raises ProjectError where nothing, or more than one version, goes by this name.
    """
    pointer = file_at_commit(project, version, "data.dvc")
    if pointer is not None:
        return read_pointer(pointer, f"data.dvc at {version}").md5
    if not DIGEST.fullmatch(version):
        raise ProjectError(f"no version {version!r}: name a git revision that has a data.dvc, or a digest")
    found = sorted({md5 for md5, digest in known_versions(project) if _starts(version, md5, digest)})
    if len(found) != 1:
        told = f"{len(found)} versions begin so: {', '.join(found)}" if found else "no version begins so"
        raise ProjectError(f"digest {version}: {told}, of those that the cache or data.dvc know")
    return found[0]


def _starts(version: str, md5: str, digest: str | None) -> bool:
    return md5.startswith(version) or (digest or "").startswith(version)


def known_versions(project: Path) -> Iterator[tuple[str, str | None]]:
    """The md5 of every data folder in DVC's cache and of the pinned one, and its data digest where known."""
    pinned = pinned_digest(project, "data")
    if pinned is not None:
        yield pinned.md5, None
    for listing in sorted((project / CACHE).glob("??/*.dir")):
        try:
            schema = read_listing(listing.read_bytes())["schema.json"]
            content = json.loads((project / CACHE / schema[:2] / schema[2:]).read_bytes())
            yield listing.parent.name + listing.name, str(content["data_digest"])
        except (OSError, ValueError, KeyError, TypeError, DataError):
            continue  # a folder of another kind, or a damaged one: restoring says which
