"""What a run's report is made of, read from the run's artifacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml

from distillery.artifacts import digest_file, read_json
from distillery.data.locate import holds
from distillery.data.rows import Rows, Split, load_rows
from distillery.machine import cpu_model, library_version
from distillery.params.project import Params
from distillery.report.facts import Answers, Curve, DataFacts, DataVersion, Earlier, Facts, Registered
from distillery.report.layers import Layer, layers_of
from distillery.report.variants import Variant, variant_of
from distillery.trend import TrendPoint
from distillery.verdict import GateResult, Outcome, Verdict
from tasks.data_versions import read_schema
from tasks.evaluate_model import FILE
from tasks.params_identity import params_digest
from tasks.records import CONTROL, LIBRARIES
from tasks.repository import commit_label

FLOAT = "-fp32"
Folders = Mapping[str, Path]  # by variant
SPLITS = ("train", "validation", "test", "left_out", "calibration")


@dataclass(frozen=True)
class RunFolders:
    """A run's artifacts. `networks`: what each variant's file was made from."""

    data: Path
    networks: Folders
    models: Folders
    evaluations: Folders
    measurements: Folders
    decisions: Mapping[str, Path]  # choice, registration, and verdict where gates were asked


@dataclass(frozen=True)
class Known:
    """What the registry says: its versions, as `models --json` gives them, and its champions over time."""

    versions: tuple[Mapping[str, Any], ...]
    trend: tuple[TrendPoint, ...]


def read_facts(project: Path, run: RunFolders, params: Params, known: Known) -> Facts:
    """The facts of a run, and what of the registry they are compared with."""
    choice = read_json(run.decisions["choice"] / "choice.json")
    registration = read_json(run.decisions["registration"] / "registration.json")
    rows, chosen = load_rows(run.data), registration["chosen"]
    measured = {name: read_json(folder / "measurement.json") for name, folder in run.measurements.items()}
    data = _data(project, run.data, params)
    return Facts(
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        variants=tuple(_variant(run, name, measured[name], choice["broken"]) for name in run.models),
        control=CONTROL if CONTROL in run.models else None,
        tested={name: _tested(folder, rows) for name, folder in run.evaluations.items()},
        operators={name: numbers["operators"] for name, numbers in measured.items()},
        layers=dict(_layers(run)),
        curves=tuple(_curves(run)),
        chosen=chosen["name"] if chosen else None,
        reason=choice["reason"],
        budget=params.budget,
        registered=_registered(params.registry.name, registration),
        earlier=_earlier(known.versions, set(registration["versions"].values()), data.digest),
        trend=known.trend,
        rows=rows,
        data=data,
        lineage=_lineage(project, params),
        digests={n: digest_file(f / "model.onnx", "model.onnx").sha256 for n, f in run.models.items()},
        rebuild=_rebuild(chosen),
        params=yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        verdict=_verdict(run.decisions.get("verdict")),
    )


def _variant(
    run: RunFolders, name: str, measured: Mapping[str, Any], broken: Mapping[str, Sequence[str]]
) -> Variant:
    evaluated = read_json(run.evaluations[name] / "evaluation.json")
    return variant_of(name, evaluated, measured, broken.get(name, []))


def _registered(registry: str, registration: Mapping[str, Any]) -> Registered:
    alias = registration["chosen"]["alias"] if registration["chosen"] else None
    return Registered(registry, registration["run_id"], registration["versions"], alias)


def _tested(evaluation: Path, rows: Rows) -> Answers:
    """The test rows of predictions.parquet, which has the held-out rows in the order of the data."""
    columns = ["split", "label", "predicted", "probability"]
    table = pq.read_table(evaluation / FILE, columns=columns)
    test = np.asarray(table["split"].cast("string").to_numpy(zero_copy_only=False) == "test", np.bool_)
    label, predicted, probability = (table[name].to_numpy()[test] for name in columns[1:])
    return Answers(rows.where(Split.TEST), label, predicted, probability)


def _layers(run: RunFolders) -> Iterator[tuple[str, tuple[Layer, ...]]]:
    """The weights of every file but the teacher's, each beside the float file of the same network."""
    floats = {run.networks[name]: name for name in run.models if name.endswith(FLOAT)}
    for name in list(run.models)[1:]:
        beside = floats.get(run.networks[name])
        reference = (run.models[beside] / "model.onnx").read_bytes() if beside and beside != name else None
        yield name, layers_of((run.models[name] / "model.onnx").read_bytes(), reference)


def _curves(run: RunFolders) -> list[Curve]:
    """Every training of the run, once: the networks', and those of files that were trained further."""
    folders = {folder: name for name, folder in reversed(list(run.networks.items()))}
    folders |= {folder: name for name, folder in run.models.items()}
    found = []
    for folder, name in sorted(folders.items(), key=lambda item: list(run.models).index(item[1])):
        epochs = read_json(folder / "epochs.json") if (folder / "epochs.json").is_file() else []
        if epochs:  # a round of pruning that finds nothing to take trains none
            best = max(number for number, epoch in enumerate(epochs, 1) if epoch["best"])
            found.append(Curve(name, tuple(epoch["accuracy"] for epoch in epochs), best))
    return found


def _earlier(models: Sequence[Mapping[str, Any]], own: set[str], data_digest: str) -> tuple[Earlier, ...]:
    """Other versions that were tested on the same rows and have all their numbers."""
    numbers = ("accuracy", "file_bytes", "latency_p50_ms")
    return tuple(
        Earlier(model["version"], str(model["name"]), *(model[number] for number in numbers))
        for model in models
        if model["version"] not in own
        and model["data_digest"] == data_digest
        and all(model[n] for n in numbers)
    )


def _data(project: Path, prepared: Path, params: Params) -> DataFacts:
    schema = read_json(prepared / "schema.json")
    versions: list[DataVersion] = []
    name = params.data.source
    if holds(project / "data", params.data):
        own = read_schema(project / "data")
        name, fields = own["name"], ("number", "rows", "format", "warnings", "shift")
        versions = [DataVersion(**{field: version[field] for field in fields}) for version in own["versions"]]
    counts = {split: schema["counts"][split] for split in SPLITS if schema["counts"].get(split)}
    return DataFacts(name, schema["data_digest"], counts, tuple(schema.get("warnings", ())), tuple(versions))


def _lineage(project: Path, params: Params) -> tuple[tuple[str, str], ...]:
    runtime = params.runtime
    libraries = ", ".join(f"{name} {library_version(name)}" for name in LIBRARIES)
    return (
        ("params", f"SHA-256 {params_digest(params)}"),
        ("code", str(commit_label(project))),
        ("seed", f"{runtime.seed}, {runtime.threads} threads, {runtime.precision} on {runtime.device}"),
        ("processor", cpu_model()),
        ("libraries", libraries),
    )


def _rebuild(chosen: Mapping[str, str] | None) -> tuple[str, ...]:
    """The commands that make the run's model again."""
    if chosen is None:
        return ("distillery run",)
    version = chosen["version"]
    return (
        f"distillery reproduce {version}   # from its record alone, and compared",
        f"distillery lineage {version}",
    )


def _verdict(folder: Path | None) -> Verdict | None:
    """The gates' verdict, where a step left one as verdict.json."""
    if folder is None:
        return None
    plain = read_json(folder / "verdict.json")
    gates = tuple(
        GateResult(g["gate"], Outcome(g["outcome"]), g["blocks"], g["said"], g["numbers"])
        for g in plain["gates"]
    )
    return Verdict(plain["champion"], plain["challenger"], plain["rows"], gates)
