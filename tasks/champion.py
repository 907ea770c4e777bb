"""Who is champion: an event decides, the alias follows, and anchors say where the history stood.

Four writes, in this order: the event is appended, the alias is set, the champion's version is tagged with the
head of the history, `champion.json` is written. The append decides a race; what a kill left undone after it,
`settle` does. An alias that was moved by other means is not moved back: it becomes an event of its own.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from distillery.errors import Busy
from distillery.history import Anchor, Chain, Event, Kind, Link
from distillery.verdict import Verdict
from tasks.anchor_file import champion_of, write_champion
from tasks.ledger import ANCHOR, anchor_of, anchored
from tasks.records import Version
from tasks.registry_store import identity_of
from tasks.tracking import Registry

CHAMPION = "champion"
TRIES = 5
Say = Callable[[str], None]


@dataclass(frozen=True)
class Move:
    """To make a version champion: why, and what the gates said, if they were asked."""

    kind: Kind
    version: Version
    reason: str
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Standing:
    """A history that the alias agrees with, and the champion, None where there is none."""

    chain: Chain
    champion: str | None


def settle(registry: Registry, say: Say) -> Standing:
    """Finish what a kill cut off, record what was moved by other means, and say so."""
    chain, alias = registry.history.chain(), registry.aliases().get(CHAMPION)
    for fault in chain.faults:
        say(f"the history of {registry} was altered: {fault}")
    versions, last = _by_number(registry), chain.last
    if last is None or last.event.version not in versions:
        return _found(registry, Standing(chain, alias), versions, say)
    event, number = last.event, last.head.number
    if alias == event.version:
        _anchor(registry, last, versions)
        return Standing(chain, alias)
    if alias is None or not is_finished(last, versions):
        _converge(registry)
        was = f"alias champion named version {alias}" if alias else "alias champion was gone"
        say(f"{was}: event {number} made version {event.version} champion, and that is finished now")
        return Standing(chain, event.version)
    return _found(registry, Standing(chain, alias), versions, say)


def crown(registry: Registry, standing: Standing, move: Move) -> Link:
    """Make a version champion, unless anything happened since this standing: Busy, and nothing moved."""
    head, verdict = standing.chain.head, move.verdict
    event = Event(
        kind=move.kind,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        who=_who(),
        previous=standing.champion,
        version=move.version.number,
        onnx_digest=move.version.tags.get("onnx_digest", ""),
        outcome=verdict.outcome if verdict else None,
        verdict_digest=verdict.digest if verdict else None,
        reason=move.reason,
        after=head.number,
        after_digest=head.digest,
        mark=secrets.token_hex(8),
    )
    registry.history.append(event, verdict.to_json() if verdict else None)
    link = registry.history.chain().find(event)
    if link is None or link.void:
        raise Busy(
            f"{registry}: the champion changed meanwhile; version {event.version} was not promoted, and must "
            "be judged anew: run it again"
        )
    _converge(registry)
    return link


def anchors(registry: Registry) -> list[Anchor]:
    """The anchors in the tags of versions that were champion."""
    return [
        anchor_of(f"the tag {ANCHOR} of version {version.number}", version.tags[ANCHOR])
        for version in registry.versions()
        if ANCHOR in version.tags
    ]


def is_finished(link: Link, versions: Mapping[str, Version]) -> bool:
    """Whether the move was finished: its version's tag names this event, or a later one."""
    tag = versions[link.event.version].tags.get(ANCHOR)
    return tag is not None and anchor_of("", tag).head.number >= link.head.number


def _found(registry: Registry, standing: Standing, versions: Mapping[str, Version], say: Say) -> Standing:
    """The alias was moved by other means, or before there was a history: that becomes an event."""
    alias = standing.champion
    if alias is None or alias not in versions:
        return Standing(standing.chain, None)
    last = standing.chain.last
    before = Standing(standing.chain, last.event.version if last else None)
    crown(registry, before, Move(Kind.FOUND, versions[alias], "the alias was moved by other means"))
    say(f"alias champion had been moved to version {alias} by other means: the history says so now")
    return Standing(registry.history.chain(), alias)


def _converge(registry: Registry) -> None:
    """Set the alias to what the history says, until both read back the same; then anchor.

    A slow process may set the alias after a faster one's event: it sees that here, and sets it again.
    """
    wanted = now = None
    for _ in range(TRIES):
        last, versions = registry.history.chain().last, _by_number(registry)
        if last is None or last.event.version not in versions:
            return
        wanted = last.event.version
        registry.set_alias(CHAMPION, wanted)
        now, newest = registry.aliases().get(CHAMPION), registry.history.chain().last
        if newest == last and now == wanted:
            _anchor(registry, last, versions)
            return
    raise Busy(
        f"{registry}: version {wanted} was made champion, but version {now} reads back: "
        "another is changing the registry; run again when it has finished"
    )


def _by_number(registry: Registry) -> dict[str, Version]:
    return {version.number: version for version in registry.versions()}


def _anchor(registry: Registry, link: Link, versions: Mapping[str, Version]) -> None:
    version = versions[link.event.version]
    if version.tags.get(ANCHOR) != anchored(link.head):
        registry.tag(version, ANCHOR, anchored(link.head))
    write_champion(
        registry.project, champion_of(identity_of(registry.project, registry.uri), registry.name, link)
    )


def _who() -> str:
    """The account and the machine, as they call themselves."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
