"""The flow read as a plan: what would run, what is there already, and why. Nothing runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillery.artifacts import ArtifactRef
from distillery.errors import StepError
from tasks.caching import Hit, Miss, Records
from tasks.steps import STEPS, Call, Noun

REFRESH = "refresh was asked"


@dataclass(frozen=True)
class Planned:
    """One call of the flow: a hit with its artifact, or a miss and why."""

    name: str
    variant: str | None
    because: tuple[str, ...]
    artifact: ArtifactRef | None
    seconds: float  # that making the artifact took; 0 for a miss

    @property
    def status(self) -> str:
        """`hit` or `miss`."""
        return "miss" if self.artifact is None else "hit"

    def to_json(self) -> dict[str, Any]:
        """A row of `plan --json`."""
        because = list(self.because)
        return {"name": self.name, "variant": self.variant, "status": self.status, "because": because}


class Plan:
    """Interprets a flow by looking every call up."""

    def __init__(self, records: Records, refresh: Iterable[str] = ()) -> None:
        self._records = records
        self._refresh = known_steps(refresh)
        self.steps: list[Planned] = []

    def interpret(self, call: Call) -> Noun:
        """Look a call up; what it will make is unknown if it must run."""
        found = looked_up(self._records, call, self._refresh)
        artifact = found.record.artifact if isinstance(found, Hit) else None
        because = found.because if isinstance(found, Miss) else ()
        seconds = found.record.seconds if isinstance(found, Hit) else 0.0
        self.steps.append(Planned(call.step.name, call.variant, because, artifact, seconds))
        return Noun(call.step.name, call.variant, artifact)

    def folder(self, noun: Noun) -> Path | None:
        """Where a hit is."""
        return None if noun.artifact is None else noun.folder(self._records.project)

    @property
    def all_hits(self) -> bool:
        """Whether a run would do nothing."""
        return all(step.artifact is not None for step in self.steps)


def looked_up(records: Records, call: Call, refresh: frozenset[str], *, mend: bool = False) -> Hit | Miss:
    """Look a call up, as a miss if its step is to be refreshed."""
    found = records.lookup(call, mend=mend)
    return Miss(found.key, (REFRESH,)) if call.step.name in refresh else found


def known_steps(names: Iterable[str]) -> frozenset[str]:
    """The names as a set; StepError with a suggestion where the pipeline has no such step."""
    asked, known = frozenset(names), [step.name for step in STEPS]
    faults = []
    for name in sorted(asked.difference(known)):
        close = difflib.get_close_matches(name, known, n=1)
        faults.append(
            f"{name}: " + (f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}")
        )
    if faults:
        raise StepError("--refresh names a step that the pipeline does not have", faults)
    return asked
