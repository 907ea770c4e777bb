"""Whether a rebuilt file is the one that was registered: identical, equivalent or different.

Equal bytes are identical. In the recorded environment other bytes are different, however well they agree:
something that shapes a file is not recorded.

Other bytes are equivalent only where the environment differs in something that can shape them: a library,
the processor, the precision, the device. Training carries the rounding of another kernel through all its
steps, so that such a file is another draw of the same training, as with another seed. It must agree with the
registered file on as large a share of the test rows as that one is sure to get right (the lower end of its
accuracy's 95 % interval), and the accuracies' intervals must overlap. On the digits, AMX and AVX-512 kernels
give students that agree on 97.8 % to 98.6 % of 359 test rows and get 97.8 % to 99.4 % of them right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a rebuild came to."""

    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Cause:
    """One thing of the environment that is not as it was recorded."""

    name: str
    recorded: str
    here: str

    def __str__(self) -> str:
        return f"{self.name}: {self.recorded} -> {self.here}"


@dataclass(frozen=True)
class Agreement:
    """How two files' predictions compare on the same test rows; `share` of them is predicted alike."""

    rows: int
    share: float
    largest_logit_difference: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Made:
    """A file as it was made: the digests of it, of its network and of its teacher, and its numbers."""

    onnx: str
    weights: str
    teacher_weights: str
    numbers: Mapping[str, float]  # accuracy, accuracy_low, accuracy_high and others


@dataclass(frozen=True)
class Judgement:
    """The verdict and what it rests on, in words."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(recorded: Made, rebuilt: Made, causes: Sequence[Cause], agreement: Agreement | None) -> Judgement:
    """The verdict; `agreement` is None where there is no registered file to compare with."""
    if recorded.onnx == rebuilt.onnx:
        return Judgement(Verdict.IDENTICAL, ("the rebuilt file is the registered one, byte for byte",))
    against = tuple(_objections(recorded, rebuilt, causes, agreement))
    if against:
        return Judgement(Verdict.DIFFERENT, (_first_difference(recorded, rebuilt), *against))
    reason = "other bytes in another environment, as good, and predicting alike"
    return Judgement(Verdict.EQUIVALENT, (reason, _first_difference(recorded, rebuilt)))


def _objections(
    recorded: Made, rebuilt: Made, causes: Sequence[Cause], agreement: Agreement | None
) -> Iterable[str]:
    """What keeps other bytes from being equivalent."""
    if not causes:
        yield "nothing in the environment accounts for other bytes"
    if agreement is None:
        yield "the registered file is gone, so predictions cannot be compared"
    (low, high), (other_low, other_high) = _interval(recorded), _interval(rebuilt)
    if agreement and agreement.share < low:
        yield f"{agreement.share:.2%} of predictions agree; the registered one is sure to get {low:.2%} right"
    if other_high < low or high < other_low:
        yield (
            f"the accuracies' 95 % intervals are apart: {low:.2%} to {high:.2%} recorded, "
            f"{other_low:.2%} to {other_high:.2%} rebuilt"
        )


def _interval(made: Made) -> tuple[float, float]:
    return made.numbers["accuracy_low"], made.numbers["accuracy_high"]


def _first_difference(recorded: Made, rebuilt: Made) -> str:
    """Where, on the way from the rows to the file, the two part."""
    if recorded.teacher_weights != rebuilt.teacher_weights:
        return "they part at the teacher's weights"
    if recorded.weights != rebuilt.weights:
        return "the teacher's weights are the same; they part at the student's weights"
    return "the student's weights are the same; they part where the file is made from them"


def causes_of(
    recorded: Mapping[str, Any], here: Mapping[str, Any], libraries: Iterable[str], device: str
) -> list[Cause]:
    """What of two environments differs and can shape bytes on a device.

    Environments as a bundle's environment.json has them.
    """
    both = (recorded, here)
    names = ("python", "system", *(("gpus",) if device == "cuda" else ()))
    pairs = [(name, *(_text(environment.get(name)) for environment in both)) for name in names]
    cpus = [environment.get("cpu", {}) for environment in both]
    pairs += [(f"cpu {key}", *(_text(cpu.get(key)) for cpu in cpus)) for key in ("model", "features")]
    installed = [environment.get("distributions", {}) for environment in both]
    pairs += [(name, *(_text(versions.get(name)) for versions in installed)) for name in libraries]
    return [Cause(name, before, now) for name, before, now in pairs if before != now]


def _text(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    return text or "none"
