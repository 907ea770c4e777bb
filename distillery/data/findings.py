"""Findings gathered: all at once, but a kind that is found a thousand times is told in a few lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from distillery.data.chunks import Finding
from distillery.errors import DataError

SHOWN = 5  # places of one kind


class Findings:
    """What was found wrong with data: of each kind the first few places, and how many there are."""

    def __init__(self, found: Iterable[Finding] = ()) -> None:
        self._messages: dict[tuple[str, str], list[str]] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self.add(found)

    def add(self, found: Iterable[Finding]) -> None:
        """Take in some more."""
        for finding in found:
            kind = (finding.severity, finding.code)
            self._counts[kind] = self._counts.get(kind, 0) + 1
            kept = self._messages.setdefault(kind, [])
            if len(kept) < SHOWN:
                kept.append(finding.message)

    def lines(self, severity: Literal["error", "warning"]) -> tuple[str, ...]:
        """What to say, kind by kind."""
        said: list[str] = []
        for kind in sorted(kind for kind in self._messages if kind[0] == severity):
            said += self._messages[kind]
            hidden = self._counts[kind] - len(self._messages[kind])
            said += [f"... and {hidden} more of {kind[1]}"] if hidden else []
        return tuple(said)

    def raise_errors(self, what: str) -> None:
        """DataError with every error, if there is any."""
        errors = self.lines("error")
        if errors:
            raise DataError(f"{what} cannot be used", errors)
