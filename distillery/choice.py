"""Which variant ships: the smallest file that keeps every bound of the budget on validation rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from distillery.params.budget import BudgetParams


@dataclass(frozen=True)
class Candidate:
    """What the budget asks of a variant; accuracies are on validation rows."""

    accuracy: float
    teacher_accuracy: float
    file_bytes: int
    latency_p50_ms: float

    @property
    def accuracy_drop(self) -> float:
        """Points (0.01 of accuracy) below the teacher."""
        return 100 * (self.teacher_accuracy - self.accuracy)


@dataclass(frozen=True)
class Choice:
    """The chosen variant, or None; why; and which bounds every candidate broke."""

    chosen: str | None
    reason: str
    broken: dict[str, list[str]]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def broken_bounds(candidate: Candidate, budget: BudgetParams) -> list[str]:
    """The bounds that a candidate breaks, each with both numbers."""
    broken = []
    if candidate.accuracy_drop > budget.max_accuracy_drop + 1e-9:  # 1e-9: rows are counted, not measured
        broken.append(
            f"max_accuracy_drop: {candidate.accuracy_drop:.2f} points > {budget.max_accuracy_drop:g}"
        )
    if candidate.file_bytes > budget.max_bytes:
        broken.append(f"max_bytes: {candidate.file_bytes:,} > {budget.max_bytes:,}")
    if candidate.latency_p50_ms > budget.max_p50_ms:
        broken.append(f"max_p50_ms: {candidate.latency_p50_ms:.3f} > {budget.max_p50_ms:g}")
    return broken


def choose(candidates: Mapping[str, Candidate], budget: BudgetParams) -> Choice:
    """The smallest candidate that keeps the whole budget; the more accurate, then the name, among equals."""
    broken = {name: broken_bounds(candidate, budget) for name, candidate in candidates.items()}
    kept = {name: candidates[name] for name, bounds in broken.items() if not bounds}
    if not kept:
        return Choice(None, f"none of {len(candidates)} variants keeps the budget", broken)
    chosen = min(kept, key=lambda name: (kept[name].file_bytes, -kept[name].accuracy, name))
    best = kept[chosen]
    reason = (
        f"smallest of the {len(kept)} (of {len(candidates)}) variants that keep the budget on validation: "
        f"{best.file_bytes:,} bytes, {_beside_the_teacher(best.accuracy_drop)}, "
        f"p50 {best.latency_p50_ms:.3f} ms"
    )
    return Choice(chosen, reason, broken)


def _beside_the_teacher(drop: float) -> str:
    return f"{abs(drop):.2f} points {'above' if drop < -0.005 else 'below'} the teacher"
