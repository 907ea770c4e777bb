"""A challenger judged, and made champion if the gates pass it, or if a person insists."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distillery.errors import Busy, ProjectError, Refused, UserMistake
from distillery.history import Kind, Link
from distillery.params.project import Params
from distillery.verdict import Outcome, Verdict
from tasks.champion import Move, Say, Standing, crown, settle
from tasks.examining import examine
from tasks.gathering import judge_versions
from tasks.records import Version
from tasks.registering import find_version
from tasks.tracking import Registry, open_registry

CANDIDATE = "candidate"


@dataclass(frozen=True)
class Asked:
    """What was asked of `promote`. `version` None: the last run's challenger, or what waits for approval."""

    version: str | None
    reason: str
    dry_run: bool = False
    force: bool = False
    approve: bool = False


@dataclass(frozen=True)
class Promotion:
    """What came of it: the verdict (None: it was forced and could not be judged), the event if made."""

    version: str
    champion: str | None  # until then
    verdict: Verdict | None
    link: Link | None
    waits: bool = False  # for approval

    def to_json(self) -> dict[str, Any]:
        """The object that `promote --json` prints."""
        head = self.link.head if self.link else None
        return {
            "version": self.version,
            "previous": self.champion,
            "promoted": self.link is not None,
            "waits": self.waits,
            "forced": self.link is not None and self.link.event.forced,
            "event": head.number if head else None,
            "digest": head.digest if head else None,
            "verdict": self.verdict.to_json() if self.verdict else None,
        }


def promote(project: Path, params: Params, asked: Asked, say: Say) -> Promotion:
    """Judge a version against the champion, and make it champion where it passed or is forced.

    Where the params ask for approval, what passed waits as `candidate` until it is asked with `approve`.
    ProjectError where there is nothing to promote; Busy where the champion changed meanwhile; Refused where a
    forced version's file is not what was registered.
    """
    if asked.force and not asked.reason.strip():
        raise UserMistake("--force goes against the gates and stays in the history: say why with --reason")
    with open_registry(project, params.registry) as registry:
        if not registry.exists:
            raise ProjectError(f"{registry} holds no version yet: `distillery run` registers some")
        standing = settle(registry, say)
        wanted = CANDIDATE if asked.approve and asked.version is None else asked.version
        challenger = _challenger(registry, standing, wanted)
        champion = find_version(registry, standing.champion) if standing.champion else None
        verdict = _judged(project, params, registry, champion, challenger, asked, say)
        kind = _kind(verdict, asked)
        before = Promotion(challenger.number, standing.champion, verdict, None)
        if kind is None or asked.dry_run:
            return before
        if kind is Kind.PROMOTED and params.promotion.approval == "manual" and not asked.approve:
            _nominate(registry, challenger)
            return replace(before, waits=True)
        if kind is Kind.FORCED:
            _require_sound(registry, challenger)
        link = crown(registry, standing, Move(kind, challenger, asked.reason, verdict))
        return replace(before, link=link)


def compare(project: Path, params: Params, first: str, second: str) -> Verdict:
    """What the gates say of putting `second` in the place of `first`; nothing is written."""
    with open_registry(project, params.registry) as registry:
        champion, challenger = (find_version(registry, wanted) for wanted in (first, second))
        return judge_versions(project, params, registry, champion, challenger)


def _challenger(registry: Registry, standing: Standing, wanted: str | None) -> Version:
    """The named version, or the last run's, unless that was champion already."""
    were = {link.event.version: link for link in standing.chain.links if not link.void}
    if wanted is not None:
        version = find_version(registry, wanted)
    else:
        number = registry.aliases().get("challenger")
        if number is None or number == standing.champion:
            raise ProjectError(f"{registry} has no challenger: `distillery run` makes one, or name a version")
        if number in were:
            event = were[number].head.number
            raise ProjectError(
                f"version {number}, the challenger, was made champion by event {event} and replaced since: "
                "name it to promote it again"
            )
        version = find_version(registry, number)
    if version.number == standing.champion:
        raise ProjectError(f"version {version.number} is the champion already")
    return version


def _nominate(registry: Registry, version: Version) -> None:
    """Let it wait. Approval judges it anew: the champion, or the data, may be others by then."""
    registry.set_alias(CANDIDATE, version.number)
    now = registry.aliases().get(CANDIDATE)
    if now != version.number:
        said = f"version {version.number} was made {CANDIDATE}, but version {now} reads back"
        raise Busy(f"{registry}: {said}: another is changing the registry; run again when it has finished")


def _judged(
    project: Path,
    params: Params,
    registry: Registry,
    champion: Version | None,
    challenger: Version,
    asked: Asked,
    say: Say,
) -> Verdict | None:
    """The gates' verdict; None where it cannot be had and the promotion is forced."""
    try:
        return judge_versions(project, params, registry, champion, challenger)
    except UserMistake as error:
        if not asked.force:
            raise
        say(f"version {challenger.number} could not be judged: {error}")
        return None


def _kind(verdict: Verdict | None, asked: Asked) -> Kind | None:
    """What kind of event it becomes; none where the gates did not pass it and nobody insists."""
    if verdict is not None and verdict.outcome is Outcome.PASSED:
        return Kind.PROMOTED
    return Kind.FORCED if asked.force else None


def _require_sound(registry: Registry, version: Version) -> None:
    """Nobody can insist on a file that is not the one that was registered."""
    faults = examine(registry, version).smoke.faults
    if faults:
        said = f"version {version.number} of {registry} is not what was registered, and cannot be forced"
        raise Refused(said, faults)
