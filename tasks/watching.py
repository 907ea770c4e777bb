"""A place that is watched for new rows: files that were not seen there before are of the next data version.

What was seen is remembered by its bytes: a file that was renamed or copied brings nothing new, and one that
was changed is read as new rows. A kill between the new version and the memory of it is noticed by the number
of versions.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillery.artifacts import digest_file, digest_json, files_below, read_json, scratch_folder, write_json
from distillery.errors import DataError
from tasks.environment import STATE
from tasks.memory import DigestMemory

FILE = STATE / "watched.json"
SETTLED_SECONDS = 5.0  # a file that was written just now may not be whole yet


@dataclass(frozen=True)
class Arrived:
    """New files of the watched place, in a folder of their own, under the names that they have there."""

    folder: Path
    files: Mapping[str, str]  # SHA-256 by name


@dataclass(frozen=True)
class Watch:
    """A watched place, and what was seen there."""

    project: Path
    place: str

    @property
    def is_remote(self) -> bool:
        """Whether it is an address, not a folder."""
        return "://" in self.place

    @contextmanager
    def arrived(self, versions: int) -> Iterator[Arrived | None]:
        """What is new, staged for as long as the block lasts; None where nothing is.

        `versions`: how many the data have. Raises DataError where the place is not there.
        """
        seen = self._seen(versions)
        stamp = self._stamp()
        if stamp is not None and stamp == seen["stamp"]:
            yield None
            return
        with scratch_folder(self.project / STATE) as scratch:
            files = self._stage(scratch / "new", set(seen["digests"]))
            if files:
                write_json(self._file, {**seen, "pending": sorted(files.values()), "versions": versions})
                yield Arrived(scratch / "new", files)
            else:
                yield None
            digests = sorted({*seen["digests"], *files.values()})
            write_json(self._file, {**_NOTHING, "place": self.place, "stamp": stamp, "digests": digests})

    @property
    def _file(self) -> Path:
        return self.project / FILE

    def _seen(self, versions: int) -> dict[str, Any]:
        """What was seen at this place; what was pending was seen, if it became a version before a kill."""
        try:
            seen = {**_NOTHING, **read_json(self._file)}
        except (OSError, ValueError, TypeError):
            seen = {**_NOTHING}
        if seen["place"] != self.place:
            return {**_NOTHING, "place": self.place}
        if seen["pending"] and versions > seen["versions"]:
            seen["digests"] = sorted({*seen["digests"], *seen["pending"]})
        return {**seen, "pending": []}

    def _stamp(self) -> str | None:
        """What an address says of its files without sending them: names, etags, sizes, times."""
        if not self.is_remote:
            return None
        from tasks.versioning import describe_address

        return digest_json(describe_address(self.place))

    def _stage(self, into: Path, known: set[str]) -> dict[str, str]:
        """Put the files that are not known there; their digests by name."""
        if self.is_remote:
            from tasks.versioning import fetch_address

            fetched = into.with_name("fetched")
            fetch_address(self.place, fetched)
            digests = {name: digest_file(fetched / name, name).sha256 for name in files_below(fetched)}
            return _copied(fetched, into, digests, known)
        folder = self.project / self.place
        if not folder.is_dir():
            raise DataError(f"retrain.watch: {folder} is not there: make the folder, or set it to null")
        memory, now = DigestMemory(self.project), time.time()
        settled = [n for n in files_below(folder) if now - (folder / n).stat().st_mtime > SETTLED_SECONDS]
        digests = {name: memory.digest(folder / name).sha256 for name in settled}
        memory.save()
        return _copied(folder, into, digests, known)


_NOTHING: dict[str, Any] = {"place": None, "stamp": None, "digests": [], "pending": [], "versions": 0}


def _copied(source: Path, into: Path, digests: Mapping[str, str], known: set[str]) -> dict[str, str]:
    """Copy what is not known; DataError where a file changed while it was copied."""
    new = {name: digest for name, digest in digests.items() if digest not in known}
    for name, digest in new.items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, into / name)
        if digest_file(into / name, name).sha256 != digest:
            raise DataError(f"{source / name} changed while it was read: it is looked at again next time")
    return new
