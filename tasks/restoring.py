"""A folder that a DVC pointer pins, had again: from DVC's cache, else from a remote, all verified.

DVC itself delivers an object of its cache unread, whatever became of it. Here every byte that is written is
digested on its way, and what is not what its name says is left out and looked for in the next store.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from distillery.artifacts import digest_file, is_inside, written_beside
from distillery.errors import DataError
from tasks.object_store import NotStored, ObjectStore, Unanswered
from tasks.pointers import MD5, read_listing
from tasks.remote_config import Remote
from tasks.versioning import object_stores

FOLDER = re.compile(MD5.pattern + r"\.dir")


@dataclass(frozen=True)
class Restored:
    """How much was restored, from where, and in words what was found damaged on the way."""

    files: int
    bytes: int
    places: tuple[str, ...]
    damaged: tuple[str, ...]


def restore_folder(project: Path, md5: str, to: Path, remotes: Sequence[Remote] | None = None) -> Restored:
    """Write the folder of this md5 (`….dir`) at `to`, which it replaces in one step.

    `remotes`: those to ask after DVC's cache; None for all that are configured.

    Raises DataError naming every object that no store has with the right bytes, and where it was looked for.
    """
    if not FOLDER.fullmatch(md5):
        raise DataError(f"{md5!r} is no folder's digest as DVC writes it: 32 hex digits and .dir")
    with object_stores(project, remotes) as stores, written_beside(to) as scratch:
        fetching = Fetching(stores)
        with tempfile.TemporaryFile() as listing:
            fetching.fetch(md5, "the folder's listing", listing)
            fetching.refuse_gaps(md5)
            listing.seek(0)
            files = read_listing(listing.read())
        size = 0
        for name, digest in sorted(files.items()):
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            with (scratch / name).open("wb") as file:
                fetching.fetch(digest, name, file)
                size += file.tell()
        fetching.refuse_gaps(md5)
        scratch.chmod(0o755)
    return Restored(len(files), size, tuple(fetching.places), tuple(fetching.damaged))


def copy_source(folder: Path, files: Mapping[str, str], to: Path) -> None:
    """Copy a source's files (SHA-256 by name) from the folder that they were last seen in; `to` is replaced.

    Raises DataError with every file that is gone or has other bytes now.
    """
    faults = [f"{name!r} leads out of the folder" for name in files if not is_inside(name)]
    with written_beside(to) as scratch:
        for name, digest in files.items() if not faults else ():
            try:
                shutil.copyfile(folder / name, scratch / name)
                found = digest_file(scratch / name, name).sha256
            except FileNotFoundError:
                faults.append(f"{name} is gone; it was last seen at {folder / name}")
            else:
                changed = f"{folder / name} has changed: its SHA-256 is {found}, and was {digest}"
                faults += [changed] if found != digest else []
        if faults:
            raise DataError(f"The source in {folder} is not what was read: put it back and try again", faults)
        scratch.chmod(0o755)


@dataclass(frozen=True)
class Trouble:
    """Why an object could not be had from a store; `altered`: it is there, but its bytes are others."""

    said: str
    altered: bool = False


class Fetching:
    """Fetches objects from the first of some stores that has their very bytes."""

    def __init__(self, stores: Sequence[ObjectStore]) -> None:
        self.stores = stores
        self.places: list[str] = []
        self.damaged: list[str] = []
        self.gone: list[str] = []

    def fetch(self, md5: str, name: str, into: BinaryIO) -> None:
        """Write an object; where no store has it, remember so, for `refuse_gaps` to say."""
        tried: list[Trouble] = []
        for store in self.stores:
            into.seek(0)
            into.truncate()
            trouble = _copy(store, md5, into)
            if trouble is None:
                altered = (before.said for before in tried if before.altered)
                self.damaged += [f"{name}: {said}; taken from {store.place}" for said in altered]
                self.places += [store.place] if store.place not in self.places else []
                return
            tried.append(trouble)
        self.gone.append(f"{name} ({md5}): {'; '.join(trouble.said for trouble in tried)}")

    def refuse_gaps(self, md5: str) -> None:
        """Raise DataError if anything could not be fetched."""
        if self.gone:
            remedy = (
                "put these objects back (`distillery data push` from where they still are), and try again"
            )
            raise DataError(f"The data {md5} cannot be restored: {remedy}", self.gone)


def _copy(store: ObjectStore, md5: str, into: BinaryIO) -> Trouble | None:
    """Write an object's bytes as a store has them; what is wrong with them, or None."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        for chunk in store.chunks(md5):
            digest.update(chunk)
            into.write(chunk)
    except NotStored:
        return Trouble(f"not in {store.place}")
    except Unanswered as error:
        return Trouble(f"{store.place} cannot be asked: {error}")
    if digest.hexdigest() != md5.removesuffix(".dir"):
        return Trouble(f"altered in {store.place}: its md5 there is {digest.hexdigest()}", altered=True)
    return None
