"""The gates on groups of rows: no class, value of a column or earlier data version loses too much."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery.deciding import LISTED, Interval, at_least, listed, result, unknown, with_enough
from distillery.evidence import Booleans, Codes, Pair
from distillery.params.promotion import ForgettingGate, GroupsGate
from distillery.statistics.power import rows_to_pass
from distillery.statistics.tango import tango_interval
from distillery.verdict import GateResult, Outcome

TAIL = 0.05
SHOWN = 3  # groups in a sentence
WORST_FIRST = (Outcome.REFUSED, Outcome.UNDECIDED, Outcome.PASSED)


@dataclass(frozen=True)
class Group:
    """One class or value: its rows, the paired difference on them in points, and what that shows."""

    name: str
    rows: int
    difference: float
    low: float
    high: float
    outcome: Outcome

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        numbers = {key: round(getattr(self, key), 9) for key in ("difference", "low", "high")}
        return {"name": self.name, "rows": self.rows, **numbers, "outcome": str(self.outcome)}

    def __str__(self) -> str:
        bounds = f"{self.low:+.1f} to {self.high:+.1f}"
        return f"{self.name} ({self.difference:+.1f} points, {bounds}, {self.rows:,} rows)"


def per_class(gate: GroupsGate, pair: Pair) -> list[GateResult]:
    """One result for the classes, and one for each column of `slices`."""
    evidence = pair.evidence
    return [
        _over("classes", gate, pair, evidence.classes, evidence.labels),
        *(_slice(gate, pair, name) for name in gate.slices),
    ]


def forgetting(gate: ForgettingGate, pair: Pair) -> list[GateResult]:
    """One result for the versions of the data before the newest; none where there is only one version.

    To forget is to lose on what was taught earlier (backward transfer: Lopez-Paz, Ranzato 2017).
    """
    versions = pair.evidence.versions
    if versions is None:
        return [unknown("forgetting", gate, "it is not known which version of the data brought which row")]
    numbers, codes = np.unique(versions, return_inverse=True)
    if len(numbers) < 2:
        return []
    names = tuple(f"version {number}" for number in numbers.tolist())
    earlier = codes < len(numbers) - 1
    return [_over("forgetting", gate, pair, names[:-1], codes, earlier)]


def _slice(gate: GroupsGate, pair: Pair, column: str) -> GateResult:
    values = pair.evidence.slices.get(column)
    if values is None:
        return unknown(f"slice {column}", gate, f"the rows have no column {column}")
    names, codes = np.unique(values, return_inverse=True)
    return _over(f"slice {column}", gate, pair, tuple(names.tolist()), codes)


def _over(
    name: str,
    gate: GroupsGate | ForgettingGate,
    pair: Pair,
    names: tuple[str, ...],
    codes: Codes,
    among: Booleans | None = None,
) -> GateResult:
    """The result over groups of the rows `among` (N,), or of all of them."""
    groups = judged_groups(gate, pair, names, codes, among)
    worst, bound = groups[0].outcome, f"{gate.bound:g} points"
    those = [group for group in groups if group.outcome is worst]
    share, shown = f"{len(those):,} of {len(groups):,}", listed([str(group) for group in those], SHOWN)
    disagreement = float((pair.gained | pair.lost).mean())
    needed = max(gate.min_rows, rows_to_pass(disagreement, gate.bound / 100))
    match worst:
        case Outcome.PASSED:
            said = f"none of {len(groups):,} loses more than {bound}; the worst: {groups[0]}"
        case Outcome.REFUSED:
            said = f"{share} lose more than {bound}: {shown}"
        case Outcome.UNDECIDED:
            said = f"{share} cannot be held to {bound}, about {needed:,} rows each would do: {shown}"
    counts = {str(kind): sum(group.outcome is kind for group in groups) for kind in Outcome}
    told = {"bound": gate.bound, "rows_to_decide": needed}
    return result(
        name, gate, worst, said, {**counts, **told, "worst": [g.to_json() for g in groups[:LISTED]]}
    )


def judged_groups(
    gate: GroupsGate | ForgettingGate,
    pair: Pair,
    names: tuple[str, ...],
    codes: Codes,
    among: Booleans | None = None,
) -> list[Group]:
    """The groups, the worst first.

    That all keep the bound is shown by each at 95 %. That one breaks it is looked for among all, so the upper
    bounds share the 5 % (Bonferroni), or many classes would be many chances to be refused for nothing.
    """
    those = np.ones(len(codes), np.bool_) if among is None else among
    gained, lost, rows = (
        np.bincount(codes[chosen], minlength=len(names))
        for chosen in (pair.gained & those, pair.lost & those, those)
    )
    shared = NormalDist().inv_cdf(1 - TAIL / len(names))
    low, high = tango_interval(gained, lost, rows)[0], tango_interval(gained, lost, rows, shared)[1]
    seen: NDArray[np.float64] = (gained - lost) / np.maximum(rows, 1)
    columns = (values.tolist() for values in (rows, 100 * seen, 100 * low, 100 * high))
    groups = [
        Group(name, count, change, least, most, _outcome(gate, count, (least, most)))
        for name, count, change, least, most in zip(names, *columns, strict=True)
    ]
    return sorted(groups, key=lambda group: (WORST_FIRST.index(group.outcome), group.low, group.name))


def _outcome(gate: GroupsGate | ForgettingGate, rows: int, interval: Interval) -> Outcome:
    return with_enough(at_least(interval, -gate.bound), rows, gate.min_rows)
