"""The history of a champion: events in a chain, each of which names all that came before it by a digest.

A registry appends events and numbers them; nothing else can be relied on. Two may append at once, each after
the same event. The first of them is valid, the other is void: it says that it came after an event that is not
the one right before it. So the append decides, and a chain with void events is sound.

The digest at event n is that of n, the digest at n - 1 and the event, void or not. An event holds the digest
at the event that it came after. So an edited, removed or moved event is found by any later event, and by
anchors: digests that are kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from distillery.artifacts import digest_json
from distillery.verdict import Outcome


class Kind(StrEnum):
    """How a version became champion."""

    FIRST = "first"  # there was no champion
    PROMOTED = "promoted"  # the gates passed it
    FORCED = "forced"  # a person promoted it against the gates, or without them
    ROLLED_BACK = "rolled back"
    FOUND = "found"  # the alias had been moved by other means


@dataclass(frozen=True)
class Head:
    """A digest of a history's first `number` events."""

    number: int
    digest: str

    def then(self, number: int, event_digest: str) -> Head:
        """The head after one more event."""
        return Head(number, digest_json([number, self.digest, event_digest]))


BEGINNING = Head(0, "0" * 64)


class Event(BaseModel):
    """A version became champion. `previous`: the champion until then; `who`: what their machine said."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Kind
    when: str  # ISO 8601, UTC
    who: str
    previous: str | None
    version: str
    onnx_digest: str  # of the version's file
    outcome: Outcome | None  # of the gates; None where they were not asked
    verdict_digest: str | None  # of all the gates' numbers
    reason: str
    after: int  # the number of the event that this one came after
    after_digest: str  # the digest there
    mark: str  # random: no two events are equal

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return digest_json(self.model_dump(mode="json"))

    @property
    def forced(self) -> bool:
        """Whether it was against the gates, or without them."""
        return self.kind is Kind.FORCED


@dataclass(frozen=True)
class Entry:
    """What a registry holds under a number: the event, None where it cannot be read, and its digest."""

    number: int
    event: Event | None
    digest: str


@dataclass(frozen=True)
class Link:
    """An event in its place. A void one lost a race: it moved nothing."""

    head: Head
    event: Event
    void: bool


@dataclass(frozen=True)
class Anchor:
    """A head that was kept elsewhere, and where."""

    place: str
    head: Head


@dataclass(frozen=True)
class Chain:
    """A history that was read; `faults` says in words where it is not as it was written."""

    links: tuple[Link, ...]
    heads: tuple[Head, ...]
    faults: tuple[str, ...]

    @property
    def head(self) -> Head:
        """The digest of it all."""
        return self.heads[-1] if self.heads else BEGINNING

    @property
    def last(self) -> Link | None:
        """The event that made the present champion."""
        return next((link for link in reversed(self.links) if not link.void), None)

    def find(self, event: Event) -> Link | None:
        """Where an event stands; the valid one where a repeated request appended it twice."""
        found = [link for link in self.links if link.event == event]
        return min(found, key=lambda link: link.void) if found else None


def read_chain(entries: Iterable[Entry]) -> Chain:
    """Put events in their places, valid or void; goes on behind a fault, so that each is said once."""
    head = BEGINNING
    heads: list[Head] = []
    links: list[Link] = []
    faults: list[str] = []
    known = {BEGINNING}
    for entry in sorted(entries, key=lambda entry: entry.number):
        number, event = entry.number, entry.event
        faults += _removed(head.number + 1, number)
        if event is None:
            faults.append(f"event {number} cannot be read")
        else:
            if event.digest != entry.digest:
                faults.append(f"event {number} was edited: it is not what its digest says")
            head, found = _before(event, number, head, known)
            faults += found
            void = event.after != head.number
        head = head.then(number, event.digest if event else entry.digest)
        heads.append(head)
        known.add(head)
        if event is not None:
            links.append(Link(head, event, void))
    return Chain(tuple(links), tuple(heads), tuple(faults))


def _before(event: Event, number: int, head: Head, known: set[Head]) -> tuple[Head, list[str]]:
    """The head that an event stands on, and what is wrong with the one that it says it came after."""
    claimed = Head(event.after, event.after_digest)
    if claimed in known:
        return head, []
    if claimed.number != number - 1:
        return head, [f"event {number} came after event {claimed.number}, which is not as it was then"]
    gap = head.number != claimed.number  # which was said
    wrong = f"event {claimed.number}, or one before it, is not what event {number} came after"
    known.add(claimed)
    return claimed, [] if gap else [wrong]


def _removed(first: int, found: int) -> Iterator[str]:
    if found > first + 1:
        yield f"events {first} to {found - 1} were removed"
    elif found > first:
        yield f"event {first} was removed"


def verify(chain: Chain, anchors: Sequence[Anchor]) -> list[str]:
    """In words, every fault of a chain, and every anchor that does not lie on it; empty where all is sound.

    Not found: a history rewritten from some event on by one who rewrites every anchor too.
    """
    digests = {head.number: head.digest for head in chain.heads}
    faults = list(chain.faults)
    for anchor in anchors:
        number, digest = anchor.head.number, digests.get(anchor.head.number)
        if digest is None and number > chain.head.number:
            ends = f"the history ends with event {chain.head.number}" if digests else "there is no history"
            faults.append(f"{anchor.place} names event {number}, but {ends}: later events were removed")
        elif digest != anchor.head.digest:
            faults.append(
                f"{anchor.place} names event {number} with another digest than the history has there"
            )
    return faults


def line_of_champions(chain: Chain) -> list[str]:
    """The champions that the present one rests on, itself last: a rollback takes those after it off again."""
    line: list[str] = []
    for event in (link.event for link in chain.links if not link.void):
        if event.kind is Kind.ROLLED_BACK and event.version in line:
            line = line[: line.index(event.version)]
        line = [*(version for version in line if version != event.version), event.version]
    return line
