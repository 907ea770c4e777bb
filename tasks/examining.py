"""A registered version held to its record before production loads it: tags, bytes, graph, recorded rows."""

from __future__ import annotations

import json
from dataclasses import dataclass

from distillery.artifacts import digest_bytes
from distillery.smoke import Smoke, smoke_test
from tasks.bundle import SMOKE
from tasks.recalling import altered_tags
from tasks.records import Version
from tasks.tracking import Registry


@dataclass(frozen=True)
class Examined:
    """A version, its file (None where that is gone), and what is wrong with it."""

    version: Version
    content: bytes | None
    smoke: Smoke


def examine(registry: Registry, version: Version) -> Examined:
    """Read the version's file and hold it to all that was recorded of it; nothing is raised for faults."""
    content = registry.read_file(version)
    faults = altered_tags(version.tags, registry.entered_tags(version))
    if content is None:
        faults.append("its ONNX file is gone")
    record, wrong = _record(registry, version)
    faults += wrong
    if faults or content is None:
        return Examined(version, content, Smoke(0, tuple(faults)))
    digest, variant = version.tags["onnx_digest"], version.tags["variant"]
    return Examined(version, content, smoke_test(content, digest, record, variant))


def _record(registry: Registry, version: Version) -> tuple[bytes | None, list[str]]:
    """The recorded rows, checked; None where the version is older than such records."""
    wanted = json.loads(version.tags.get("bundle_files", "{}")).get(SMOKE)
    if wanted is None:
        return None, []
    stored = registry.read_folder(version, version.tags["bundle"], SMOKE)
    record = stored.files.get(SMOKE)
    if record is None:
        return None, [f"its recorded rows, {SMOKE}, are gone from {stored.place}"]
    if digest_bytes(record) != wanted:
        return None, [f"its recorded rows, {SMOKE} in {stored.place}, were altered"]
    return record, []
