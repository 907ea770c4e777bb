"""What the gates say of a challenger: a typed value that renders as a table, as JSON and in the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from distillery.artifacts import digest_json


class Outcome(StrEnum):
    """Passed: shown to hold. Refused: shown not to hold. Undecided: too little was seen to say."""

    PASSED = "passed"
    REFUSED = "refused"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class GateResult:
    """One gate: what it found, in a sentence and in numbers, and whether that can stop a promotion."""

    gate: str
    outcome: Outcome
    blocks: bool  # False: shown as a warning
    said: str
    numbers: Mapping[str, Any]  # plain JSON

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """What all gates together say of promoting the challenger in the champion's place."""

    champion: str | None  # versions
    challenger: str
    rows: int  # test rows that both were judged on
    gates: tuple[GateResult, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of the gates that can stop a promotion: refused, then undecided, then passed."""
        outcomes = {gate.outcome for gate in self.gates if gate.blocks}
        worst_first = (Outcome.REFUSED, Outcome.UNDECIDED)
        return next((outcome for outcome in worst_first if outcome in outcomes), Outcome.PASSED)

    @property
    def failing(self) -> list[str]:
        """The gates that stop it, by name."""
        return [gate.gate for gate in self.gates if gate.blocks and gate.outcome is not Outcome.PASSED]

    @property
    def digest(self) -> str:
        """SHA-256 of every gate's numbers; what the history keeps of them."""
        return digest_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "outcome": str(self.outcome),
            "champion": self.champion,
            "challenger": self.challenger,
            "rows": self.rows,
            "gates": [gate.to_json() for gate in self.gates],
        }
