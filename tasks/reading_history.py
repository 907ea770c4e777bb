"""The history as it is read: its events, and whether they, the alias and all anchors agree. Only reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillery.errors import DistilleryError
from distillery.history import Anchor, Chain, Link, verify
from distillery.params.budget import RegistryParams
from tasks.anchor_file import FILE, read_champion
from tasks.champion import CHAMPION, anchors, is_finished
from tasks.records import Version
from tasks.registry_store import identity_of
from tasks.tracking import Registry, open_registry

NEXT = "the next promote, rollback or run"


@dataclass(frozen=True)
class Remembered:
    """Events, oldest first; faults where something was altered, notes of what is only worth a word."""

    model: str
    champion: str | None
    links: tuple[Link, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The object that `history --verify --json` prints."""
        return {
            "model": self.model,
            "champion": self.champion,
            "events": [event_row(link) for link in self.links],
            "faults": list(self.faults),
            "notes": list(self.notes),
        }


def event_row(link: Link) -> dict[str, Any]:
    """An event as JSON gives it."""
    event = link.event
    return {
        "event": link.head.number,
        "kind": str(event.kind),
        "when": event.when,
        "who": event.who,
        "from": event.previous,
        "to": event.version,
        "onnx_digest": event.onnx_digest,
        "verdict": str(event.outcome) if event.outcome else None,
        "verdict_digest": event.verdict_digest,
        "forced": event.forced,
        "reason": event.reason,
        "void": link.void,
        "after": event.after,
        "after_digest": event.after_digest,
        "digest": link.head.digest,
    }


def remember(project: Path, params: RegistryParams) -> Remembered:
    """Read a registry's history and hold it to its anchors, the alias and the versions."""
    with open_registry(project, params) as registry:
        if not registry.exists:
            return Remembered(registry.name, None, (), *_held_to_file(registry, Chain((), (), ())))
        chain, champion = registry.history.chain(), registry.aliases().get(CHAMPION)
        versions = {version.number: version for version in registry.versions()}
        faults, notes = _held_to_file(registry, chain, anchors(registry))
        more, said = _held_to_alias(chain, champion, versions)
    return Remembered(
        registry.name,
        champion,
        chain.links,
        (*faults, *more, *_other_files(chain, versions)),
        (*notes, *said),
    )


def _held_to_file(
    registry: Registry, chain: Chain, tags: list[Anchor] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Faults of the chain against all its anchors; notes where the file is none."""
    kept = list(tags or [])
    try:
        file = read_champion(registry.project)
    except DistilleryError as error:
        return (*verify(chain, kept), str(error)), ()
    if file is None:
        note = (
            (f"{FILE} is not there: nothing outside the registry anchors its history",) if chain.links else ()
        )
        return tuple(verify(chain, kept)), note
    if (file.registry, file.model) != (identity_of(registry.project, registry.uri), registry.name):
        note = (f"{FILE} is of another registry, {file.model} at {file.registry}: it anchors nothing here",)
        return tuple(verify(chain, kept)), note
    return tuple(verify(chain, [*kept, file.anchor])), ()


def _held_to_alias(
    chain: Chain, champion: str | None, versions: Mapping[str, Version]
) -> tuple[list[str], list[str]]:
    """Whether the alias is where the last event put it: faults, and what was only cut off."""
    last = chain.last
    if last is None:
        unsaid = f"version {champion} is champion, and no event says so: {NEXT} records it"
        return ([unsaid] if champion else []), []
    event, number = last.event, last.head.number
    if event.version not in versions:
        return [f"version {event.version}, which event {number} made champion, is gone from the registry"], []
    if champion == event.version:
        return [], []
    if not is_finished(last, versions):
        return [], [
            f"event {number} made version {event.version} champion and was cut off: {NEXT} finishes it"
        ]
    named = f"names version {champion}" if champion else "is gone"
    return [f"alias champion {named}, but event {number} made version {event.version} champion"], []


def _other_files(chain: Chain, versions: Mapping[str, Version]) -> list[str]:
    """Events whose version is recorded with another file by now."""
    return [
        f"event {link.head.number}: version {link.event.version} had another file than its record has now"
        for link in chain.links
        if link.event.version in versions
        and versions[link.event.version].tags.get("onnx_digest", "") != link.event.onnx_digest
    ]
