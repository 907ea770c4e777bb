"""Back to the champion before, once its file has shown that it is what it was. Reads no rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillery.errors import ProjectError, Refused
from distillery.history import Kind, Link, line_of_champions
from distillery.params.budget import RegistryParams
from tasks.champion import Move, Say, Standing, crown, settle
from tasks.examining import examine
from tasks.registering import find_version
from tasks.tracking import Registry, open_registry


@dataclass(frozen=True)
class RolledBack:
    """What was done: the event, and how many recorded rows gave their recorded predictions."""

    link: Link
    rows: int

    def to_json(self) -> dict[str, Any]:
        """The object that `rollback --json` prints."""
        event = self.link.event
        return {
            "champion": event.version,
            "previous": event.previous,
            "reason": event.reason,
            "event": self.link.head.number,
            "digest": self.link.head.digest,
            "smoke_rows": self.rows,
        }


def roll_back(project: Path, params: RegistryParams, to: str | None, reason: str, say: Say) -> RolledBack:
    """Make the champion before, or `to`, champion again. Refused where its file is not what was registered.

    ProjectError where there is none before it; Busy where the champion changed meanwhile.
    """
    with open_registry(project, params) as registry:
        if not registry.exists:
            raise ProjectError(f"{registry} holds no version yet: `distillery run` registers some")
        standing = settle(registry, say)
        version = find_version(registry, _wanted(registry, standing, to))
        examined = examine(registry, version)
        if examined.smoke.faults:
            raise Refused(
                f"version {version.number} of {registry} is not what was registered; the champion stays "
                f"version {standing.champion}: name another with --to",
                examined.smoke.faults,
            )
        if not examined.smoke.rows:
            say(f"version {version.number} has no recorded rows: its file was only checked and loaded")
        link = crown(registry, standing, Move(Kind.ROLLED_BACK, version, reason))
    return RolledBack(link, examined.smoke.rows)


def _wanted(registry: Registry, standing: Standing, to: str | None) -> str:
    """The version to go back to: one that was champion."""
    if standing.champion is None:
        raise ProjectError(f"{registry} has no champion: `distillery promote VERSION` makes one")
    were = {link.event.version for link in standing.chain.links if not link.void}
    number = registry.aliases().get(to, to) if to else None
    if number is not None:
        if number == standing.champion:
            raise ProjectError(f"version {number} is the champion: there is nothing to roll back")
        if number not in were:
            told = ", ".join(sorted(were - {standing.champion}, key=int)) or "none other"
            remedy = f"`distillery promote {to}` judges it"
            raise ProjectError(f"{to} never was champion of {registry} ({told} was): {remedy}")
        return number
    line = line_of_champions(standing.chain)
    if len(line) < 2:
        remedy = "name one that was with --to, or promote another"
        raise ProjectError(f"version {standing.champion} has no champion before it to go back to: {remedy}")
    return line[-2]
