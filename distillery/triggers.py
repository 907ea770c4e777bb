"""What begins a retraining: what differs from the state that was last judged, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Why a retraining begins."""

    FIRST = "first"
    DATA = "data"
    WATCHED = "watched"
    SHIFT = "shift"
    PARAMS = "params"
    CODE = "code"
    CHAMPION = "champion"
    FORCED = "forced"


@dataclass(frozen=True)
class Trigger:
    """One reason to retrain."""

    kind: Kind
    said: str

    def to_json(self) -> dict[str, str]:
        """Plain JSON."""
        return {"kind": str(self.kind), "said": self.said}


@dataclass(frozen=True)
class State:
    """What a retraining was judged on: digests, and the champion after it."""

    data: str
    params: str  # that shape a file
    gates: str  # the other params: budgets, gates, what is remembered
    code: str
    champion: str | None  # identity of the version

    def to_json(self) -> dict[str, str | None]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> State:
        """Read back what `to_json` wrote; KeyError where something is missing."""
        return cls(**{field.name: plain[field.name] for field in fields(cls)})


CHANGED = {
    "data": (Kind.DATA, "the data changed"),
    "params": (Kind.PARAMS, "the params changed"),
    "gates": (Kind.PARAMS, "the budget, the gates or what is remembered changed"),
    "code": (Kind.CODE, "the code changed"),
    "champion": (Kind.CHAMPION, "the champion is another"),
}


def find_changes(before: State | None, now: State) -> list[Trigger]:
    """What changed since the state that was judged before; None: nothing ever was."""
    if before is None:
        return [Trigger(Kind.FIRST, "there is no champion yet")]
    old, new = before.to_json(), now.to_json()
    return [
        Trigger(kind, f"{said}: {_short(old[name])} -> {_short(new[name])}")
        for name, (kind, said) in CHANGED.items()
        if old[name] != new[name]
    ]


def find_shift(shift: Mapping[str, float] | None, threshold: float | None) -> list[Trigger]:
    """The columns and classes whose shift (PSI) against the version before is above the threshold."""
    if threshold is None or not shift:
        return []
    above = sorted((name for name, psi in shift.items() if psi > threshold), key=lambda name: -shift[name])
    if not above:
        return []
    told = ", ".join(f"{name} {shift[name]:.2f}" for name in above[:5])
    more = f" and {len(above) - 5} more" if len(above) > 5 else ""
    return [Trigger(Kind.SHIFT, f"shift above retrain.max_shift {threshold:g} (PSI): {told}{more}")]


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "none"
