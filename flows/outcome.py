"""What a finished flow left, read from its artifacts: the same for a run and for one with nothing to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillery.artifacts import read_json
from distillery.report.cautions import cautions
from distillery.report.variants import Variant, variant_of
from flows.compress import Compressed
from flows.reports import page_of
from tasks.steps import Noun

JSON_FIELDS = (
    "name", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "file_bytes", "parameters", "macs",
    "latency_p50_ms", "latency_p95_ms", "throughput_rows_per_second", "peak_rss_bytes", "integer_op_share",
    "teacher_agreement", "transport_bytes", "zero_share", "broken",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Steps as they went, variants as measured, and the choice as registered."""

    steps: list[dict[str, Any]]
    variants: list[Variant]
    chosen: dict[str, Any] | None  # name, version, alias
    reason: str
    cautions: list[str]  # where a good number hides something
    report: str  # where the page is, relative to the project
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The object that `run --json` prints."""
        variants = [{field: getattr(variant, field) for field in JSON_FIELDS} for variant in self.variants]
        return {
            "steps": self.steps,
            "variants": variants,
            "chosen": self.chosen,
            "reason": self.reason,
            "cautions": self.cautions,
            "report": self.report,
            "seconds": round(self.seconds, 3),
        }


def read_outcome(project: Path, made: Compressed, steps: Sequence[dict[str, Any]], seconds: float) -> Outcome:
    """Read the artifacts of a flow in which every step ran or was cached."""
    choice = read_json(_file(project, made.choice, "choice.json"))
    evaluations = {
        name: read_json(_file(project, noun, "evaluation.json")) for name, noun in made.evaluations.items()
    }
    variants = [
        variant_of(
            name,
            evaluations[name],
            read_json(_file(project, made.measurements[name], "measurement.json")),
            choice["broken"].get(name, []),
        )
        for name in made.models
    ]
    registration = read_json(_file(project, made.registration, "registration.json"))
    report = page_of(registration["run_id"]).as_posix()
    chosen = registration["chosen"]
    confusion = evaluations[chosen["name"]]["test"]["confusion"] if chosen else None
    classes = read_json(_file(project, made.data, "schema.json"))["classes"]
    compared = parities(project, made.models)
    told = list(cautions(variants, chosen["name"] if chosen else None, confusion, classes, compared))
    return Outcome(list(steps), variants, chosen, choice["reason"], told, report, seconds)


def parities(project: Path, models: Mapping[str, Noun]) -> dict[str, dict[str, Any]]:
    """How the files that were exported compare with their networks; those made from a file have none."""
    files = {name: _file(project, noun, "parity.json") for name, noun in models.items()}
    return {name: read_json(file) for name, file in files.items() if file.is_file()}


def _file(project: Path, noun: Noun, name: str) -> Path:
    if noun.artifact is None:
        raise ValueError(f"{noun.step} has not run: a finished flow has all its artifacts")
    return project / noun.artifact.path / name
