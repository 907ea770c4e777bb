"""A model over time: its versions with their numbers, and which of them were champion since when."""

from __future__ import annotations

from pathlib import Path

from distillery.params.budget import RegistryParams
from distillery.trend import TrendPoint, point_of
from tasks.records import listed
from tasks.tracking import Registry, open_registry


def read_trend(
    project: Path, params: RegistryParams, *, every: bool, also: frozenset[str] = frozenset()
) -> list[TrendPoint]:
    """The versions that are or were champion, have an alias, or are in `also`; all of them where `every`.

    Oldest first. A version that lacks one of its numbers is left out. Nothing is written.
    """
    with open_registry(project, params) as registry:
        if not registry.exists:
            return []
        since, aliases = _champions(registry), registry.aliases()
        versions = registry.versions()
    points = []
    for version in versions:
        names = [alias for alias, number in aliases.items() if number == version.number]
        were = ["was champion"] if version.number in since and "champion" not in names else []
        if every or names or were or version.number in also:
            row = listed(version.number, version.tags, names)
            points.append(point_of(row, ", ".join((*names, *were)), since.get(version.number)))
    return [point for point in points if point is not None]


def _champions(registry: Registry) -> dict[str, str]:
    """When each version became champion for the first time."""
    since: dict[str, str] = {}
    for link in registry.history.chain().links:
        if not link.void:
            since.setdefault(link.event.version, link.event.when)
    return since
