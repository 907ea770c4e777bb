"""How a gate decides: from an interval and a bound, and what becomes of it where too little was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distillery.params.promotion import Gate
from distillery.verdict import GateResult, Outcome

SEED = 0  # of the bootstrap: the same evidence gives the same verdict
LISTED = 10  # ids or names that a result lists; it counts them all

Interval = tuple[float, float]  # a one-sided 95 % bound each way


def at_least(interval: Interval, bound: float) -> Outcome:
    """Passed where the whole interval is at the bound or above, refused where it is below, else undecided."""
    low, high = interval
    if low >= bound:
        return Outcome.PASSED
    return Outcome.REFUSED if high < bound else Outcome.UNDECIDED


def at_most(interval: Interval, bound: float) -> Outcome:
    """Passed where the whole interval is at the bound or below, refused where it is above, else undecided."""
    low, high = interval
    return at_least((-high, -low), -bound)


def with_enough(outcome: Outcome, sample: int, least: int) -> Outcome:
    """Too few rows or rounds may show that a bound is broken, but never that it holds."""
    return Outcome.UNDECIDED if outcome is Outcome.PASSED and sample < least else outcome


def result(
    name: str, gate: Gate, outcome: Outcome, said: str, numbers: Mapping[str, float | Sequence[Any] | None]
) -> GateResult:
    """What a gate says; undecided blocks only where the gate's parameters want that."""
    blocks = outcome is not Outcome.UNDECIDED or gate.undecided == "block"
    return GateResult(name, outcome, blocks, said, {key: _plain(value) for key, value in numbers.items()})


def unknown(name: str, gate: Gate, why: str) -> GateResult:
    """Undecided, since what the gate reads is not there."""
    return result(name, gate, Outcome.UNDECIDED, why, {})


def listed(names: Sequence[str], most: int = LISTED) -> str:
    """Some names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def _plain(value: float | Sequence[Any] | None) -> Any:
    """Floats to nine digits after the point: further ones differ between machines and mean nothing."""
    return round(value, 9) if isinstance(value, float) else value
