"""Gates on the file itself: that it works, its bytes, its memory, its integer share and its speed."""

from __future__ import annotations

from distillery.deciding import SEED, at_least, at_most, listed, result, unknown, with_enough
from distillery.evidence import Evidence, Footprint, Pair
from distillery.params.promotion import FootprintGate, LatencyGate
from distillery.statistics.bootstrap import quantile_ratio
from distillery.statistics.power import sample_to_tell
from distillery.verdict import GateResult, Outcome


def smoke(evidence: Evidence) -> GateResult:
    """The file is what was registered and does what it did; unlooked at, it stops a promotion."""
    faults = evidence.smoke
    if faults is None:
        return GateResult("smoke", Outcome.UNDECIDED, True, "the file was not tried", {})
    if faults:
        return GateResult("smoke", Outcome.REFUSED, True, listed(faults), {"faults": list(faults)})
    return GateResult(
        "smoke", Outcome.PASSED, True, "the file is the one recorded and does what it did", {"faults": []}
    )


def footprint(gate: FootprintGate, evidence: Evidence) -> list[GateResult]:
    """Bytes, memory and integer share; ratios only where there is a champion."""
    file = evidence.challenger.footprint
    before = evidence.champion.footprint if evidence.champion else None
    results = (_size(gate, file, before), _memory(gate, file, before), _integers(gate, file))
    return [found for found in results if found is not None]


def _size(gate: FootprintGate, file: Footprint, before: Footprint | None) -> GateResult | None:
    bounds = {} if gate.max_bytes is None else {"max_bytes": gate.max_bytes}
    if gate.max_bytes_ratio is not None and before is not None:
        bounds["max_bytes_ratio"] = int(gate.max_bytes_ratio * before.file_bytes)
    if not bounds:
        return None
    outcome = Outcome.PASSED if file.file_bytes <= min(bounds.values()) else Outcome.REFUSED
    allowed = " and ".join(f"{name} allows {most:,}" for name, most in bounds.items())
    return result(
        "size",
        gate,
        outcome,
        f"{file.file_bytes:,} bytes; {allowed}",
        {"file_bytes": file.file_bytes, **bounds},
    )


def _memory(gate: FootprintGate, file: Footprint, before: Footprint | None) -> GateResult | None:
    """Every measurement against every other: where they do not all agree, it is undecided."""
    if gate.max_peak_ratio is None or before is None:
        return None
    if not file.peak_rss_bytes or not before.peak_rss_bytes:
        return unknown("memory", gate, "the peak memory of both files was not measured")
    low = min(file.peak_rss_bytes) / max(before.peak_rss_bytes)
    high = max(file.peak_rss_bytes) / min(before.peak_rss_bytes)
    said = f"{low:.2f} to {high:.2f} times the champion's peak, at most {gate.max_peak_ratio:g}"
    outcome = at_most((low, high), gate.max_peak_ratio)
    return result(
        "memory", gate, outcome, said, {"low": low, "high": high, "max_peak_ratio": gate.max_peak_ratio}
    )


def _integers(gate: FootprintGate, file: Footprint) -> GateResult | None:
    least, share = gate.min_integer_share, file.integer_op_share
    if least is None:
        return None
    said = f"{share:.1%} of the operations are integer, at least {least:.1%}"
    outcome = at_least((share, share), least)
    return result(
        "integer share", gate, outcome, said, {"integer_op_share": share, "min_integer_share": least}
    )


def latency(gate: LatencyGate, pair: Pair) -> list[GateResult]:
    """The intervals of the ratios of p50 and p95 against their bounds."""
    bounds = {"p50": (0.5, gate.max_p50_ratio), "p95": (0.95, gate.max_p95_ratio)}
    return [
        _ratio(f"latency {name}", gate, pair, share, most)
        for name, (share, most) in bounds.items()
        if most is not None
    ]


def _ratio(name: str, gate: LatencyGate, pair: Pair, share: float, most: float) -> GateResult:
    times = pair.evidence.times
    if times is None or not len(times.champion):
        return unknown(name, gate, "the files were not timed side by side")
    rounds = len(times.champion)
    found = quantile_ratio(times.champion, times.challenger, share, SEED)
    outcome = with_enough(at_most((found.low, found.high), most), rounds, gate.min_rounds)
    between = f"between {found.low:.3f} and {found.high:.3f}"
    said = f"{found.seen:.3f} times the champion's, {between}, at most {most:g}"
    if outcome is Outcome.UNDECIDED:
        said += (
            f": too noisy in {rounds:,} rounds{_rounds(gate, found.error, rounds, abs(most - found.seen))}"
        )
    numbers = {"ratio": found.seen, "low": found.low, "high": found.high, "max_ratio": most, "rounds": rounds}
    return result(name, gate, outcome, said, numbers)


def _rounds(gate: LatencyGate, error: float, rounds: int, distance: float) -> str:
    if distance == 0:
        return ""
    return f"; about {max(gate.min_rounds, sample_to_tell(error, rounds, distance)):,} would tell"
