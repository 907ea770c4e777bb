"""What a registered version says about itself, from a run's artifacts: plain values, no heavy import.

A version's identity is the digest of its ONNX file, its data and the parameters that shaped the file; the
same identity is never registered twice. Budgets decide what is chosen, not what a file is: they stay outside.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillery.artifacts import digest_file, digest_json, read_json
from distillery.data.locate import origin_of
from distillery.machine import cpu_features, library_version
from distillery.params.data import DataParams
from distillery.params.project import Params
from tasks.bundle import SOURCE
from tasks.origins import DataOrigin
from tasks.params_identity import params_digest
from tasks.repository import commit_label

TEACHER = "teacher-fp32"
CONTROL = "control-fp32"
MEASURED = frozenset(
    {"latency_p50_ms", "latency_p95_ms", "latency_runs", "throughput_rows_per_second", "peak_rss_bytes"}
)
LIBRARIES = (
    "torch",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "scikit-learn",
    "pandas",
    "mlflow",
    "distillery",
)

Numbers = dict[str, float]


@dataclass(frozen=True)
class VariantRecord:
    """One variant of a run: its ONNX file with its digest, its numbers, and the budgets that it broke."""

    variant: str
    file: Path
    onnx_digest: str
    weights_digest: str  # of the network that the file was made from
    network: Path  # the folder of that network
    numbers: Numbers
    broken: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The budgets that it broke, in one line; empty when it kept them all."""
        return "; ".join(self.broken)

    @property
    def measured(self) -> dict[str, str]:
        """What a later run of the same file may find otherwise: times, memory, and the budgets' verdict."""
        numbers = {name: repr(value) for name, value in self.numbers.items() if name in MEASURED}
        return {**numbers, "budget_broken": self.verdict}

    @property
    def role(self) -> str:
        """What the variant is there for: to be chosen, or to be compared with."""
        return {TEACHER: "teacher", CONTROL: "control"}.get(self.variant, "candidate")


@dataclass(frozen=True)
class RunRecord:
    """One pipeline run: its variants, which was chosen, and the facts that all share."""

    variants: Mapping[str, VariantRecord]
    chosen: str | None
    facts: Mapping[str, str]

    @property
    def compressed(self) -> dict[str, VariantRecord]:
        """The variants that become versions, the chosen one last, so that it is the newest."""
        names = sorted(
            (name for name in self.variants if name != TEACHER), key=lambda name: name == self.chosen
        )
        return {name: self.variants[name] for name in names}

    @property
    def result_identity(self) -> str:
        """Names the run by what it found, so that a run cut off and resumed is found again."""
        found = {name: (self.identity(v), v.broken) for name, v in self.variants.items()}
        return digest_json([found, self.chosen, self.facts["code_digest"]])

    def identity(self, variant: VariantRecord) -> str:
        """The identity of a version: ONNX digest + data digest + params digest."""
        return digest_json([variant.onnx_digest, self.facts["data_digest"], self.facts["params_digest"]])

    def tags(self, variant: VariantRecord) -> dict[str, str]:
        """All that a version carries; `record_digest` is of all that no later run may find otherwise."""
        tags = {
            **self.facts,
            **{name: repr(number) for name, number in variant.numbers.items() if name not in MEASURED},
            "variant": variant.variant,
            "role": variant.role,
            "onnx_digest": variant.onnx_digest,
            "weights_digest": variant.weights_digest,
            "identity": self.identity(variant),
        }
        tags["record_keys"] = ",".join(sorted(tags))
        return {**tags, "record_digest": record_digest(tags), **variant.measured}


@dataclass(frozen=True)
class Version:
    """A registered version: its number, the run and the logged model that it came from, and its tags."""

    number: str
    run_id: str
    source: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Stored:
    """Files that a registry keeps, by name, and where, as it may be shown."""

    place: str
    files: Mapping[str, bytes]


def network_folder(weights_digest: str) -> str:
    """Where an MLflow run keeps the network with these weights, for a later student to begin from."""
    return f"network-{weights_digest[:16]}"


def record_digest(tags: Mapping[str, str]) -> str:
    """The digest of a version's record; a later run's budgets and people's own tags are no part of it."""
    return digest_json({key: tags.get(key) for key in tags.get("record_keys", "").split(",")})


def describe_data(schema: Mapping[str, Any], data: DataParams, origin: DataOrigin) -> dict[str, str]:
    """The data version, from what `prepare_data` says of its rows."""
    return {
        "data_digest": schema["data_digest"],
        "data_md5": origin.md5 or "none",
        "data_counts": json.dumps(schema["counts"], sort_keys=True),
        "data_classes": str(len(schema["classes"])),
        "data_source": json.dumps({**origin_of(data), **origin.source}, sort_keys=True),
    }


def describe_bundle(digests: Mapping[str, str]) -> dict[str, str]:
    """The bundle: its files' SHA-256 by name, and the folder that it has in its MLflow run."""
    return {
        "bundle": f"bundle-{digest_json(digests)[:16]}",
        "bundle_files": json.dumps(digests, sort_keys=True),
        "code_digest": digests[SOURCE],
    }


def describe_facts(project: Path, params: Params, teacher: VariantRecord) -> dict[str, str]:
    """What else all the versions of a run share: what they come from, and what they were made with."""
    label = commit_label(project)
    versions = {name: library_version(name) for name in LIBRARIES}
    return {
        "teacher_onnx_digest": teacher.onnx_digest,
        "teacher_weights_digest": teacher.weights_digest,
        "params_digest": params_digest(params),
        "git_commit": label.commit,
        "git_dirty": str(label.dirty).lower(),
        "seed": str(params.runtime.seed),
        "threads": str(params.runtime.threads),
        "precision": params.runtime.precision,
        "device": params.runtime.device,
        "python": platform.python_version(),
        "libraries": json.dumps(versions, sort_keys=True),
        "cpu_features": " ".join(cpu_features()),
    }


def describe_variant(
    name: str, network: Path, model: Path, evaluation: Path, measurement: Path, broken: Sequence[str]
) -> VariantRecord:
    """Read a variant's artifacts into its record."""
    file, weights = model / "model.onnx", network / "weights.safetensors"
    if not weights.exists():
        weights = network / "model.onnx"  # a teacher that was brought as a file of outputs
    evaluated = read_json(evaluation / "evaluation.json")
    validated = {key: evaluated["validation"].get(key) for key in ("accuracy", "macro_f1")}
    numbers = {
        **_numbers(evaluated["test"]),
        **_numbers({f"validation_{key}": value for key, value in validated.items()}),
        **_numbers(read_json(measurement / "measurement.json")),
    }
    onnx_digest, weights_digest = (digest_file(path, path.name).sha256 for path in (file, weights))
    return VariantRecord(name, file, onnx_digest, weights_digest, network, numbers, tuple(broken))


def _numbers(values: Mapping[str, Any]) -> Numbers:
    return {key: value for key, value in values.items() if _is_number(value)}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def listed(version: str, tags: Mapping[str, str], aliases: list[str]) -> dict[str, Any]:
    """A version as `models --json` gives it, from its tags; None where a tag is missing or no number."""
    numbers = ("accuracy", "accuracy_low", "accuracy_high", "macro_f1", "latency_p50_ms", "latency_p95_ms")
    words = ("role", "onnx_digest", "data_digest", "params_digest", "code_digest", "git_commit", "identity")
    counted = {name: _number(tags.get(name)) for name in ("file_bytes", "transport_bytes", "rows")}
    whole = {name: None if number is None else int(number) for name, number in counted.items()}
    return {
        "version": version,
        "name": tags.get("variant"),
        "aliases": aliases,
        **{name: _number(tags.get(name)) for name in numbers},
        "file_bytes": whole["file_bytes"],
        "transport_bytes": whole["transport_bytes"],
        "zero_share": _number(tags.get("zero_share")),
        "test_rows": whole["rows"],
        "data_version": _data_version(tags.get("data_source")),
        **{name: tags.get(name) for name in words},
        "broken": [broken for broken in tags.get("budget_broken", "").split("; ") if broken],
    }


def _data_version(source: str | None) -> int | None:
    """The number of the data's newest version; None for rows that are no data set of the project."""
    try:
        number = json.loads(source or "{}").get("version")
    except (ValueError, AttributeError):
        return None
    return number if isinstance(number, int) else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
