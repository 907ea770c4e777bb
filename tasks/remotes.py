"""Push means stored: what is pinned is sent to a remote, which is then asked for every object.

DVC's own push takes a listing that is there for the proof that its files are, skips commits whose config
lacks the remote, and reports success. Here the objects of every pinned version are compared one by one: by
size, and by md5 where the bytes are at hand (a remote on this disk, and every folder's listing).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from distillery.errors import DistilleryError
from tasks.memory import DigestMemory
from tasks.object_store import NotStored, ObjectStore, Unanswered, sound_objects
from tasks.pinned import Pinned, PinnedVersion, pinned_versions
from tasks.pointers import read_listing
from tasks.pushed import forget_push, record_push
from tasks.remote_config import Remote, choose_remote
from tasks.restoring import Fetching
from tasks.versioning import object_stores


@dataclass(frozen=True)
class Pushed:
    """What a remote was seen to have: objects and bytes of how many versions; how much of it was sent now."""

    remote: Remote
    versions: int
    objects: int
    bytes: int
    sent: int
    repaired: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass
class Inventory:
    """The objects of some versions: each one's name in words, each folder's files, and what is unlisted."""

    names: dict[str, str] = field(default_factory=dict)
    folders: dict[str, dict[str, str]] = field(default_factory=dict)
    unlisted: list[str] = field(default_factory=list)


class Incomplete(DistilleryError):
    """A remote was asked, and does not have everything."""


def push(project: Path, name: str | None) -> Pushed:
    """Send every pinned version to a remote and ask it for every object.

    Raises DistilleryError naming each object that is not there as it should be, or where the remote cannot be
    asked; ProjectError where there is no such remote or nothing is pinned.
    """
    pinned, remote = pinned_versions(project), choose_remote(project, name)
    with object_stores(project, [remote]) as (cache, store):
        try:
            store.sizes([pinned.versions[0].pointer.md5])  # a remote that is gone says so at once
            wanted = take_inventory(pinned.versions, cache, store)
            pushed = _push(Pushing(project, cache, store, wanted), pinned, remote)
        except Unanswered as error:
            remedy = "what was sent is kept: put it right and push again"
            raise DistilleryError(f"{remote} cannot be used: {error}; {remedy}") from error
        except Incomplete:
            forget_push(project, remote)
            raise
    record_push(project, remote, [version.pointer.md5 for version in pinned.versions], pushed.objects)
    return pushed


def _push(pushing: Pushing, pinned: Pinned, remote: Remote) -> Pushed:
    """Compare, send what is missing or damaged, and compare again."""
    wanted, before = pushing.wanted, pushing.troubles()
    sent = pushing.send(before)
    after = pushing.troubles() if sent else before
    torn = [pushing.torn(version, after) for version in pinned.versions]
    faults = [pushing.fault(md5, trouble) for md5, trouble in after.items()]
    faults += [*wanted.unlisted, *filter(None, torn)]
    if faults:
        remedy = "push from a clone that still has these objects"
        raise Incomplete(f"{remote} does not hold all that is pinned: {remedy}", faults)
    total = sum(size or 0 for size in pushing.sizes.values())
    repaired = [f"{wanted.names[md5]}: {trouble.said}" for md5, trouble in before.items() if trouble.damaged]
    warnings = (*pinned.warnings, *_relative(remote))
    return Pushed(remote, len(pinned.versions), len(pushing.sizes), total, sent, tuple(repaired), warnings)


@dataclass(frozen=True)
class Trouble:
    """What is wrong with an object in a remote; `damaged`: it is there, but not as it should be."""

    said: str
    damaged: bool = False


class Pushing:
    """One push of some objects from DVC's cache to a remote."""

    def __init__(self, project: Path, cache: ObjectStore, store: ObjectStore, wanted: Inventory) -> None:
        self.cache, self.store, self.wanted = cache, store, wanted
        self.memory = DigestMemory(project)
        self.here = sound_objects(cache, wanted.names, self.memory)  # bytes by md5
        self.sizes: dict[str, int | None] = {}  # in the remote, when it was asked last
        self.refused: dict[str, str] = {}

    def troubles(self) -> dict[str, Trouble]:
        """Ask the remote for every object: what is wrong with each; sound ones are left out."""
        self.sizes = self.store.sizes(self.wanted.names)
        found = {md5: self._trouble(md5, size) for md5, size in self.sizes.items()}
        self.memory.save()
        return {md5: trouble for md5, trouble in found.items() if trouble is not None}

    def _trouble(self, md5: str, size: int | None) -> Trouble | None:
        place, right = self.store.place, self.here.get(md5)
        if size is None:
            return Trouble(f"not in {place}")
        if right not in (None, size):
            return Trouble(
                f"damaged in {place}: {size:,} bytes there, and {right:,} bytes here", damaged=True
            )
        other = self._md5_there(md5)
        if other not in (None, md5.removesuffix(".dir")):
            return Trouble(f"damaged in {place}: its md5 there is {other}", damaged=True)
        return None

    def _md5_there(self, md5: str) -> str | None:
        """The md5 of an object in the remote, None where reading it would cost a download."""
        file = self.store.file(md5)
        if file is not None:
            try:
                return self.memory.digest(file).md5
            except OSError as error:
                return f"not to be had ({error.strerror})"
        if not md5.endswith(".dir"):
            return None
        digest = hashlib.md5(usedforsecurity=False)
        try:
            for chunk in self.store.chunks(md5):
                digest.update(chunk)
        except NotStored:
            return "not to be had (gone meanwhile)"
        return digest.hexdigest()

    def send(self, troubles: Mapping[str, Trouble]) -> int:
        """Send what the cache has; files before listings: none is ever there without its files."""
        sending = sorted(md5 for md5 in troubles if md5 in self.here)
        for md5 in sending:
            if troubles[md5].damaged:
                self.store.remove(md5)
        for listing in (False, True):
            batch = [md5 for md5 in sending if md5.endswith(".dir") is listing]
            if batch and not self.refused:
                self.refused = self.store.receive(self.cache, batch)
        return len(sending)

    def fault(self, md5: str, trouble: Trouble) -> str:
        """An object that is still not as it should be, in words."""
        cached = self.cache.file(md5)
        why = f"{'altered' if cached is not None and cached.exists() else 'not'} in {self.cache.place}"
        if md5 in self.here:
            why = f"it could not be sent: {self.refused.get(md5, 'others were refused')}"
        return f"{self.wanted.names[md5]} ({md5}): {trouble.said}; {why}"

    def torn(self, version: PinnedVersion, troubles: Mapping[str, Trouble]) -> str | None:
        """What is wrong with a folder whose files, no longer here, are together not as big as was pinned."""
        md5s = self.wanted.folders.get(version.pointer.md5, {}).values()
        if any(md5 in troubles for md5 in md5s) or all(md5 in self.here for md5 in md5s):
            return None
        there, right = sum(self.sizes[md5] or 0 for md5 in md5s), version.pointer.bytes
        said = f"{there:,} bytes in {self.store.place}, and {right:,} bytes were pinned"
        return f"the files of {version.where} ({version.pointer.md5}): {said}" if there != right else None


def take_inventory(versions: Collection[PinnedVersion], cache: ObjectStore, store: ObjectStore) -> Inventory:
    """Every object of some versions, from their listings in the cache or, where those went, in the remote."""
    inventory = Inventory()
    for version in versions:
        md5 = version.pointer.md5
        if not md5.endswith(".dir"):  # a pointer of one file has no listing
            inventory.names.setdefault(md5, version.where)
            continue
        inventory.names.setdefault(md5, f"the listing of {version.where}")
        fetching, content = Fetching([cache, store]), BytesIO()
        fetching.fetch(md5, f"the listing of {version.where}", content)
        if fetching.gone:
            said = f"the files of {version.where} ({md5}) are not known: its listing cannot be read"
            inventory.unlisted.append(said)
            continue
        files = inventory.folders[md5] = read_listing(content.getvalue())
        for name, file in files.items():
            inventory.names.setdefault(file, f"{name} of {version.where}")
    return inventory


def _relative(remote: Remote) -> list[str]:
    if not remote.relative:
        return []
    return [
        f"the path of remote {remote.name} is relative to this project, so another clone looks elsewhere: "
        f"`dvc remote modify {remote.name} url {remote.place}` makes it absolute"
    ]
