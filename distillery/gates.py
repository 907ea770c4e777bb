"""The gates: may a challenger take the champion's place? Pure: evidence and parameters in, a verdict out."""

from __future__ import annotations

from distillery import cost_gates, group_gates, quality_gates
from distillery.evidence import Evidence, Pair, paired
from distillery.params.promotion import (
    AccuracyGate,
    Asked,
    CalibrationGate,
    FootprintGate,
    ForgettingGate,
    GroupsGate,
    LatencyGate,
    MacroF1Gate,
    MustPassGate,
    PromotionParams,
    TeacherGate,
)
from distillery.verdict import GateResult, Verdict


def judge(evidence: Evidence, params: PromotionParams) -> Verdict:
    """Ask every gate. Where there is no champion yet, only those that compare with none."""
    pair = paired(evidence)
    asked = [result for gate in params.gates for result in ask(gate, evidence, pair)]
    told = [quality_gates.flips(pair)] if pair else []
    return Verdict(
        champion=evidence.champion.version if evidence.champion else None,
        challenger=evidence.challenger.version,
        rows=evidence.rows,
        gates=(cost_gates.smoke(evidence), *asked, *told),
    )


def ask(gate: Asked, evidence: Evidence, pair: Pair | None) -> list[GateResult]:
    """What one gate says; nothing where its bounds are null, or it needs a champion and there is none."""
    match gate:
        case MustPassGate():
            return quality_gates.must_pass(gate, evidence)
        case TeacherGate():
            return quality_gates.teacher(gate, evidence)
        case FootprintGate():
            return cost_gates.footprint(gate, evidence)
        case _:
            return compare(gate, pair) if pair else []


def compare(
    gate: AccuracyGate | MacroF1Gate | GroupsGate | ForgettingGate | CalibrationGate | LatencyGate, pair: Pair
) -> list[GateResult]:
    """What a gate says that holds the challenger against the champion."""
    match gate:
        case AccuracyGate():
            return [quality_gates.accuracy(gate, pair)]
        case MacroF1Gate():
            return [quality_gates.macro_f1(gate, pair)]
        case GroupsGate():
            return group_gates.per_class(gate, pair)
        case ForgettingGate():
            return group_gates.forgetting(gate, pair)
        case CalibrationGate():
            return quality_gates.calibration(gate, pair)
        case LatencyGate():
            return cost_gates.latency(gate, pair)
