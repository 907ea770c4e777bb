"""The history as a registry keeps it: one event is one version of the registered model `NAME-history`.

Making a version is the one write of MLflow that is atomic and numbers itself, on SQLite and on a server.
Its tags: `event` (the JSON), `event_digest`, and `verdict`, all the numbers of the gates, where they fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from distillery.artifacts import canonical_json, digest_bytes
from distillery.history import Anchor, Chain, Entry, Event, Head, read_chain

SUFFIX = "-history"
ANCHOR = "history_anchor"  # the tag of a champion's version
EVENT, DIGEST, VERDICT = "event", "event_digest", "verdict"
LONGEST_TAG = 90_000  # MLflow takes 100,000 characters
TOLD = "One version is one event. Nothing here is ever edited: `distillery history --verify` would find it."


@dataclass(frozen=True)
class Ledger:
    """The history of one registered model."""

    client: Any  # an MlflowClient, which tasks/tracking.py alone imports
    model: str

    @property
    def name(self) -> str:
        """The registered model that the events are versions of."""
        return f"{self.model}{SUFFIX}"

    def append(self, event: Event, verdict: Mapping[str, Any] | None) -> None:
        """Add an event, whole, at the end, wherever that is by then: read the chain to see where."""
        self._make()
        tags = {EVENT: canonical_json(event.model_dump(mode="json")).decode(), DIGEST: event.digest}
        told = canonical_json(verdict).decode() if verdict is not None else ""
        if told and len(told) <= LONGEST_TAG:
            tags[VERDICT] = told
        self.client.create_model_version(self.name, f"models:/{self.model}/{event.version}", tags=tags)

    def chain(self) -> Chain:
        """All events in their places; that a kept verdict is the event's own is part of it."""
        found = all_versions(self.client, self.name)
        chain = read_chain(_entry(int(version.version), version.tags) for version in found)
        altered = tuple(
            f"event {version.version}: its gates' numbers were edited"
            for version in found
            if not _verdict_fits(version.tags)
        )
        return Chain(chain.links, chain.heads, (*chain.faults, *altered))

    def _make(self) -> None:
        if self.client.search_registered_models(f"name = '{self.name}'"):
            return
        try:
            self.client.create_registered_model(self.name, description=TOLD)
        except Exception as error:
            if getattr(error, "error_code", None) != "RESOURCE_ALREADY_EXISTS":  # another made it meanwhile
                raise


def all_versions(client: Any, name: str) -> list[Any]:
    """Every version of a registered model, as MLflow gives them, oldest first."""
    found, token = [], None
    while True:
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        found += page
        token = page.token
        if not token:
            return sorted(found, key=lambda version: int(version.version))


def anchor_of(place: str, text: str) -> Anchor:
    """The anchor in a tag; one that cannot be read lies on no history."""
    number, _, digest = text.partition(" ")
    return Anchor(place, Head(int(number) if number.isdecimal() else 0, digest))


def anchored(head: Head) -> str:
    """A head as a tag has it."""
    return f"{head.number} {head.digest}"


def _entry(number: int, tags: Mapping[str, str]) -> Entry:
    try:
        event = Event.model_validate_json(tags.get(EVENT, ""))
    except ValidationError:
        event = None
    return Entry(number, event, tags.get(DIGEST, ""))


def _verdict_fits(tags: Mapping[str, str]) -> bool:
    """Whether the kept verdict, if one is kept, has the digest that its event names."""
    kept, event = tags.get(VERDICT), _entry(0, tags).event
    return kept is None or event is None or digest_bytes(kept.encode()) == event.verdict_digest
