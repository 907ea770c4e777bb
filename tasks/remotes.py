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
    """The objects of some versions: each one's name in words, the files of each folder, and what is unlisted."""

    names: dict[str, str] = field(default_factory=dict)
    folders: dict[str, dict[str, str]] = field(default_factory=dict)
    unlisted: list[str] = field(default_factory=list)


def push(project: Path, name: str | None) -> Pushed:
    """Send every pinned version to a remote and ask it for every object.

    Raises DistilleryError naming each object that is not there as it should be, or where the remote cannot be
    asked; ProjectError where there is no such remote or nothing is pinned.
    """
    pinned, remote = pinned_versions(project), choose_remote(project, name)
    with object_stores(project, [remote]) as (cache, store):
        try:
            pushed = Pushing(project, cache, store).push(pinned, remote)
        except Unanswered as error:
            remedy = "what was sent is kept: put it right and push again"
            raise DistilleryError(f"{remote} cannot be used: {error}; {remedy}") from error
    record_push(project, remote, [version.pointer.md5 for version in pinned.versions], pushed.objects)
    return pushed


class Pushing:
    """One push from DVC's cache to a remote."""

    def __init__(self, project: Path, cache: ObjectStore, store: ObjectStore) -> None:
        self.project, self.cache, self.store = project, cache, store
        self.memory = DigestMemory(project)

    def push(self, pinned: Pinned, remote: Remote) -> Pushed:
        """Compare, send what is missing or damaged, and compare again."""
        self.store.sizes(pinned.versions and [pinned.versions[0].pointer.md5])  # a dead remote says so at once
        wanted = take_inventory(pinned.versions, self.cache, self.store)
        here = sound_objects(self.cache, wanted.names, self.memory)
        before = self._troubles(wanted, here)
        damaged = [md5 for md5, trouble in before.items() if trouble.damaged and md5 in here]
        refused = self._send([md5 for md5 in before if md5 in here], damaged)
        after = self._troubles(wanted, here) if before else before
        sizes = self.store.sizes(wanted.names)
        faults = [self._fault(md5, wanted.names[md5], after[md5], refused) for md5 in after]
        faults += [*wanted.unlisted, *self._torn(pinned.versions, wanted, here, sizes, after)]
        self.memory.save()
        if faults:
            forget_push(self.project, remote)
            remedy = "push from a clone that still has these objects"
            raise DistilleryError(f"{remote} does not hold all that is pinned: {remedy}", faults)
        total = sum(size or 0 for size in sizes.values())
        repaired = tuple(f"{wanted.names[md5]}: {before[md5]}" for md5 in damaged)
        warnings = (*pinned.warnings, *_relative(remote))
        return Pushed(remote, len(pinned.versions), len(sizes), total, len(before), repaired, warnings)

    def _troubles(self, wanted: Inventory, here: Mapping[str, int]) -> dict[str, Trouble]:
        """What is wrong with each object in the remote; sound ones are left out."""
        found = {}
        for md5, size in self.store.sizes(wanted.names).items():
            trouble = self._trouble(md5, size, here.get(md5))
            if trouble is not None:
                found[md5] = trouble
        return found

    def _trouble(self, md5: str, size: int | None, right: int | None) -> Trouble | None:
        place = self.store.place
        if size is None:
            return Trouble(f"not in {place}")
        if right not in (None, size):
            return Trouble(f"damaged in {place}: {size:,} bytes there, and {right:,} bytes here", damaged=True)
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
            return "gone"
        return digest.hexdigest()

    def _send(self, md5s: Collection[str], damaged: Collection[str]) -> dict[str, str]:
        """Files before listings, so that a listing is never there without its files."""
        for md5 in damaged:
            self.store.remove(md5)
        refused: dict[str, str] = {}
        for listing in (False, True):
            batch = sorted(md5 for md5 in md5s if md5.endswith(".dir") is listing)
            refused |= self.store.receive(self.cache, batch) if batch and not refused else {}
        return refused

    def _fault(self, md5: str, name: str, trouble: Trouble, refused: Mapping[str, str]) -> str:
        cached = self.cache.file(md5)
        why = f"it could not be written: {refused[md5]}" if md5 in refused else None
        state = "altered in" if cached is not None and cached.exists() else "not in"
        return f"{name} ({md5}): {trouble}; {why or f'{state} {self.cache.place}'}"

    def _torn(
        self,
        versions: Collection[PinnedVersion],
        wanted: Inventory,
        here: Mapping[str, int],
        sizes: Mapping[str, int | None],
        after: Collection[str],
    ) -> list[str]:
        """Folders whose files are no longer here and are together not as big in the remote as was pinned."""
        faults = []
        for version in versions:
            md5s = wanted.folders.get(version.pointer.md5, {}).values()
            if all(md5 in here for md5 in md5s) or any(md5 in after for md5 in md5s):
                continue
            total = sum(sizes[md5] or 0 for md5 in md5s)
            if total != version.pointer.bytes:
                said = f"{total:,} bytes in {self.store.place}, and {version.pointer.bytes:,} were pinned"
                faults.append(f"the files of {version.where} ({version.pointer.md5}): {said}")
        return faults


@dataclass(frozen=True)
class Trouble:
    """What is wrong with an object in a remote; `damaged`: it is there, but not as it should be."""

    said: str
    damaged: bool = False

    def __str__(self) -> str:
        return self.said


def take_inventory(
    versions: Collection[PinnedVersion], cache: ObjectStore, store: ObjectStore
) -> Inventory:
    """Every object of some versions, from their listings in the cache or, where those went, in the remote."""
    inventory = Inventory()
    for version in versions:
        md5 = version.pointer.md5
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
