"""Gates on what a challenger predicts: accuracy, macro F1, flips, must-pass rows, calibration, teacher."""

from __future__ import annotations

import math

import numpy as np

from distillery.deciding import LISTED, SEED, at_least, at_most, listed, result, unknown, with_enough
from distillery.evidence import NO_CLASS, Booleans, Evidence, Judged, Pair, right
from distillery.params.promotion import AccuracyGate, CalibrationGate, MacroF1Gate, MustPassGate, TeacherGate
from distillery.statistics.bootstrap import Estimate, Says, calibration_difference, macro_f1_difference
from distillery.statistics.mcnemar import mcnemar_exact
from distillery.statistics.power import rows_to_pass, sample_to_tell
from distillery.statistics.tango import Z_ONE_SIDED, tango_interval
from distillery.statistics.wilson import wilson_interval
from distillery.verdict import GateResult, Outcome

SIGNIFICANT = 0.05


def accuracy(gate: AccuracyGate, pair: Pair) -> GateResult:
    """Non-inferiority: Tango's interval of the paired difference against -margin."""
    gained, lost, rows = int(pair.gained.sum()), int(pair.lost.sum()), pair.evidence.rows
    low, high = tango_interval(gained, lost, rows)
    seen, disagreement = (gained - lost) / rows, (gained + lost) / rows
    error = math.sqrt((disagreement - seen**2) / rows)
    found = Estimate(seen, float(low), float(high), error)
    return _against_margin("accuracy", gate, found, rows, rows_to_pass(disagreement, gate.margin / 100))


def macro_f1(gate: MacroF1Gate, pair: Pair) -> GateResult:
    """Non-inferiority: the paired bootstrap's interval of the difference against -margin."""
    said = (pair.champion.predicted, pair.challenger.predicted)
    found, rows = macro_f1_difference(pair.evidence.labels, *said, SEED), pair.evidence.rows
    return _against_margin(
        "macro F1", gate, found, rows, sample_to_tell(found.error, rows, gate.margin / 100)
    )


def _against_margin(
    name: str, gate: AccuracyGate | MacroF1Gate, found: Estimate, rows: int, needed: int
) -> GateResult:
    """`needed`: the rows on which an equally good challenger would most likely pass."""
    seen, low, high = points = _points(found)
    outcome = with_enough(at_least((low, high), -gate.margin), rows, gate.min_rows)
    needed = max(needed, gate.min_rows)
    match outcome:
        case Outcome.PASSED:
            said = f"{seen:+.2f} points, at worst {low:+.2f}: no more than {gate.margin:g} below"
        case Outcome.REFUSED:
            said = f"{seen:+.2f} points, at best {high:+.2f}: more than {gate.margin:g} below"
        case Outcome.UNDECIDED:
            said = f"{seen:+.2f} points, between {low:+.2f} and {high:+.2f}, margin {gate.margin:g}: "
            said += _what_would_decide(rows, needed)
    return result(name, gate, outcome, said, _numbers(points, gate.margin, rows, needed))


def _points(found: Estimate) -> tuple[float, float, float]:
    """What was seen and its bounds, in points."""
    return 100 * found.seen, 100 * found.low, 100 * found.high


def _numbers(points: tuple[float, float, float], margin: float, rows: int, needed: int) -> dict[str, float]:
    named = dict(zip(("difference", "low", "high"), points, strict=True))
    return {**named, "margin": margin, "rows": rows, "rows_to_decide": needed}


def _what_would_decide(rows: int, needed: int) -> str:
    if rows < needed:
        return f"{rows:,} rows are too few; about {needed:,} would show an equally good challenger to be one"
    return f"it is close to the margin; {needed:,} rows are enough for an equally good challenger"


def flips(pair: Pair) -> GateResult:
    """McNemar's exact test, and the rows that changed, the surest first; this never stops a promotion."""
    gained, lost = pair.gained, pair.lost
    gains, losses = int(gained.sum()), int(lost.sum())
    p = mcnemar_exact(gains, losses)
    worse = losses > gains and p < SIGNIFICANT
    said = f"{gains:,} rows corrected, {losses:,} rows broken, p = {p:.3g}" + (": worse" if worse else "")
    numbers = {
        "gained": gains,
        "lost": losses,
        "p": p,
        "gained_rows": _surest(pair.evidence, gained, pair.champion),
        "lost_rows": _surest(pair.evidence, lost, pair.challenger),
    }
    return GateResult("flips", Outcome.REFUSED if worse else Outcome.PASSED, False, said, numbers)


def _surest(evidence: Evidence, rows: Booleans, judged: Judged) -> list[str]:
    """Ids of the rows that a file was surest to have right, and had wrong."""
    at = np.flatnonzero(rows)
    order = np.argsort(-judged.probability[at], kind="stable")[:LISTED]
    return [str(row) for row in evidence.row_ids[at[order]]]


def must_pass(gate: MustPassGate, evidence: Evidence) -> list[GateResult]:
    """None of the named rows is wrong; one that is no test row was not predicted, and leaves it undecided."""
    if gate.file is not None and evidence.must_pass is None:
        return [unknown("must-pass rows", gate, f"{gate.file} was not read")]
    wanted = list(dict.fromkeys((*gate.rows, *(evidence.must_pass or ()))))
    if not wanted:
        return []
    known = dict(zip(evidence.row_ids.tolist(), right(evidence, evidence.challenger).tolist(), strict=True))
    wrong = [row for row in wanted if known.get(row) is False]
    missing = [row for row in wanted if row not in known]
    numbers = {"rows": len(wanted), "wrong": len(wrong), "missing": len(missing)}
    named = {"wrong_rows": wrong[:LISTED], "missing_rows": missing[:LISTED]}
    outcome, said = Outcome.PASSED, f"all {len(wanted):,} rows are right"
    if wrong:
        outcome, said = Outcome.REFUSED, f"{len(wrong):,} of {len(wanted):,} rows are wrong: {listed(wrong)}"
    elif missing:
        outcome, said = Outcome.UNDECIDED, f"{len(missing):,} are no test rows: {listed(missing)}"
    return [result("must-pass rows", gate, outcome, said, {**numbers, **named})]


def calibration(gate: CalibrationGate, pair: Pair) -> list[GateResult]:
    """The bootstrap's interval of the difference in expected calibration error against the margin."""
    if gate.margin is None:
        return []
    rows = pair.evidence.rows
    found = calibration_difference(_says(pair, pair.champion), _says(pair, pair.challenger), SEED)
    seen, low, high = points = _points(found)
    outcome = with_enough(at_most((low, high), gate.margin), rows, gate.min_rows)
    said = f"{seen:+.2f} points of error, between {low:+.2f} and {high:+.2f}, at most {gate.margin:+g}"
    needed = max(gate.min_rows, sample_to_tell(found.error, rows, gate.margin / 100))
    if outcome is Outcome.UNDECIDED:
        said += f": {_what_would_decide(rows, needed)}"
    return [result("calibration", gate, outcome, said, _numbers(points, gate.margin, rows, needed))]


def _says(pair: Pair, judged: Judged) -> Says:
    return Says(judged.probability.astype(np.float64), right(pair.evidence, judged))


def teacher(gate: TeacherGate, evidence: Evidence) -> list[GateResult]:
    """Wilson's interval of the share of rows on which challenger and teacher name the same class."""
    if gate.min_agreement is None:
        return []
    if evidence.teacher is None:
        return [unknown("teacher agreement", gate, "the teacher's predictions are not there")]
    same = (evidence.teacher == evidence.challenger.predicted) & (evidence.teacher != NO_CLASS)
    rows, agreed = evidence.rows, int(same.sum())
    low, high = wilson_interval(agreed, rows, Z_ONE_SIDED)
    outcome = with_enough(at_least((low, high), gate.min_agreement), rows, gate.min_rows)
    said = f"{agreed / rows:.2%} of {rows:,} rows, between {low:.2%} and {high:.2%}"
    said += f", at least {gate.min_agreement:.2%}"
    numbers = {"agreement": agreed / rows, "low": low, "high": high, "min_agreement": gate.min_agreement}
    return [result("teacher agreement", gate, outcome, said, {**numbers, "rows": rows})]
