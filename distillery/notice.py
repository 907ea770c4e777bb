"""What is told to a webhook, and how a receiver knows that it is from us."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from distillery.artifacts import canonical_json


class Event(StrEnum):
    """What became of a retraining."""

    PROMOTED = "promoted"
    WAITING = "waiting"  # for a person's approval
    REFUSED = "refused"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Notice:
    """One message. `id` is the same at every attempt, so that a receiver can drop what it has seen."""

    id: str
    event: Event
    at: str  # ISO 8601, UTC
    model: str
    said: str
    details: Mapping[str, Any]  # plain JSON: triggers, versions, gates that failed

    @property
    def body(self) -> bytes:
        """Canonical JSON, as it is sent and signed."""
        return canonical_json(asdict(self))


def signature(secret: bytes, body: bytes, timestamp: int) -> str:
    """HMAC-SHA-256 (RFC 2104) over `TIMESTAMP.BODY`, in hex; the time lets a receiver refuse replays."""
    return hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
