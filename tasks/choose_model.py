"""Step `choose_model`: the smallest variant that keeps the budget on validation rows."""

from __future__ import annotations

from pathlib import Path

from distillery.artifacts import read_json, write_json
from distillery.choice import Candidate, choose
from distillery.params.budget import BudgetParams
from tasks.work import Work


def choose_model(
    evaluations: dict[str, Path],
    measurements: dict[str, Path],
    teacher: Path,
    budget: BudgetParams,
    *,
    work: Work,
) -> None:
    """Write choice.json: the chosen name or null, the reason, and every candidate's broken bounds."""
    reference = _validation_accuracy(teacher)
    candidates = {}
    for name, evaluation in evaluations.items():
        measured = read_json(measurements[name] / "measurement.json")
        footprint = (measured["file_bytes"], measured["latency_p50_ms"])
        candidates[name] = Candidate(_validation_accuracy(evaluation), reference, *footprint)
    write_json(work.into / "choice.json", choose(candidates, budget).to_json())


def _validation_accuracy(evaluation: Path) -> float:
    return float(read_json(evaluation / "evaluation.json")["validation"]["accuracy"])
