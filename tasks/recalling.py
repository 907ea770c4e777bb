"""A registered version as the registry has it, held against the digests that it was registered with.

The record is the version's tags. `record_digest` is of them, and the logged model has a copy of them as they
were entered, so that an altered tag can be named. The record has the digest of each file of the bundle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distillery.artifacts import digest_bytes
from distillery.errors import DistilleryError, ProjectError
from distillery.params.budget import RegistryParams
from tasks.records import Stored, Version, record_digest
from tasks.registering import find_version
from tasks.tracking import Registry, open_registry

SHOWN = 60


@dataclass(frozen=True)
class Entry:
    """A version whose record is as it was registered."""

    version: Version
    aliases: tuple[str, ...]
    registry: str  # in words, without credentials

    @property
    def name(self) -> str:
        """What it is called in a message."""
        return f"version {self.version.number} of {self.registry}"


@dataclass(frozen=True)
class Recalled:
    """A version with all that rebuilds it; `content` is its ONNX file, None where that is gone or altered."""

    entry: Entry
    bundle: Mapping[str, bytes]
    content: bytes | None

    @property
    def tags(self) -> Mapping[str, str]:
        """The record."""
        return self.entry.version.tags


def look_up(project: Path, params: RegistryParams, wanted: str) -> Entry:
    """A version by number or alias; DistilleryError naming each tag that is not as it was registered."""
    with open_registry(project, params) as registry:
        return _entry(registry, wanted)


def recall(project: Path, params: RegistryParams, wanted: str) -> Recalled:
    """A version and its bundle; names what is altered (DistilleryError) or gone (ProjectError)."""
    with open_registry(project, params) as registry:
        entry = _entry(registry, wanted)
        tags = entry.version.tags
        stored = registry.read_folder(entry.version, tags["bundle"])
        refuse_other_files(entry.name, tags, stored)
        content = registry.read_file(entry.version)
    intact = content is not None and digest_bytes(content) == tags["onnx_digest"]
    return Recalled(entry, stored.files, content if intact else None)


def _entry(registry: Registry, wanted: str) -> Entry:
    version = find_version(registry, wanted)
    held = tuple(alias for alias, number in registry.aliases().items() if number == version.number)
    entry = Entry(version, held, str(registry))
    entered = registry.entered_tags(version)
    if not any("bundle_files" in tags.get("record_keys", "").split(",") for tags in (version.tags, entered)):
        remedy = "versions that `distillery run` enters have one"
        raise ProjectError(f"{entry.name} has no record that it could be rebuilt from: {remedy}")
    faults = altered_tags(version.tags, entered)
    if faults:
        raise DistilleryError(f"The record of {entry.name} was altered after it was registered", faults)
    return entry


def altered_tags(tags: Mapping[str, str], entered: Mapping[str, str]) -> list[str]:
    """In words, which tags of a record are not as they were `entered`; empty where it is sound."""
    if record_digest(entered) == entered.get("record_digest"):
        kept = (*entered["record_keys"].split(","), "record_keys", "record_digest")
        return [
            f"{key} is {_shown(tags.get(key))}; it was registered as {_shown(entered.get(key))}"
            for key in kept
            if tags.get(key) != entered.get(key)
        ]
    if record_digest(tags) == tags.get("record_digest"):
        return []
    said = f"record_digest is {_shown(tags.get('record_digest'))}, but the tags give {record_digest(tags)}"
    return [f"{said}; which tag it is cannot be said, because the logged model's copy is gone or altered too"]


def refuse_other_files(name: str, tags: Mapping[str, str], stored: Stored) -> None:
    """Raise for files of a bundle that are not those of the record: each one, what it is, and where."""
    digests: dict[str, str] = json.loads(tags["bundle_files"])
    gone = [file for file in digests if file not in stored.files]
    found = {file: digest_bytes(stored.files[file]) for file in digests if file in stored.files}
    altered = [
        f"{file} was altered: its SHA-256 is {found[file]}, and was registered as {digests[file]}"
        for file in found
        if found[file] != digests[file]
    ]
    faults = [*altered, *(f"{file} is gone" for file in gone)]
    if not faults:
        return
    what = "was altered" if altered else "is gone" if len(gone) == len(digests) else "is not whole"
    error = DistilleryError if altered else ProjectError
    raise error(f"The bundle of {name} {what}; it was last seen in {stored.place}", faults)


def _shown(value: str | None) -> str:
    if value is None:
        return "absent"
    return repr(value if len(value) <= SHOWN else f"{value[:SHOWN]}...")
