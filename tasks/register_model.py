"""Step `register_model`: keep the chosen model and its teacher, and enter every variant into the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distillery.artifacts import read_json, scratch_folder, write_atomically, write_json
from distillery.data.arrays import mapped
from distillery.data.locate import holds
from distillery.data.rows import load_rows
from distillery.params.project import Params
from distillery.smoke import record_smoke
from tasks.bundle import LOGITS, SMOKE, write_bundle
from tasks.environment import STATE
from tasks.origins import find_origin
from tasks.records import (
    TEACHER,
    RunRecord,
    describe_bundle,
    describe_data,
    describe_facts,
    describe_variant,
)
from tasks.registering import register
from tasks.versioning import KeptModels, keep_models
from tasks.work import Work


def register_model(
    data: Path,
    networks: dict[str, Path],
    models: dict[str, Path],
    evaluations: dict[str, Path],
    measurements: dict[str, Path],
    choice: Path,
    params: Params,
    *,
    work: Work,
) -> None:
    """Write registration.json: the MLflow run, the version of each variant, the chosen one's alias.

    `networks`: what each variant's file was made from.
    """
    schema, verdict = read_json(data / "schema.json"), read_json(choice / "choice.json")
    variants = {
        name: describe_variant(
            name,
            networks[name],
            model,
            evaluations[name],
            measurements[name],
            verdict["broken"].get(name, ()),
        )
        for name, model in models.items()
    }
    own = holds(work.project / "data", params.data)  # else pointers are of other data, and stay as they are
    origin = find_origin(work.project, data, params.data, own=own)
    facts = describe_facts(work.project, params, variants[TEACHER])
    facts |= describe_data(schema, params.data, origin)
    if own and verdict["chosen"] is not None:
        keep_models(work.project, _kept(RunRecord(variants, verdict["chosen"], facts), schema, verdict))
    with scratch_folder(work.project / STATE) as bundle:
        logits = {name: mapped(evaluations[name] / LOGITS) for name in models if name != TEACHER}
        write_atomically(bundle / SMOKE, record_smoke(load_rows(data), logits))
        facts |= describe_bundle(write_bundle(work.project, params, origin, bundle))
        record = RunRecord(variants, verdict["chosen"], facts)
        registration = register(work.project, params.registry, record, bundle)
    write_json(work.into / "registration.json", registration.to_json())


def _kept(record: RunRecord, schema: dict[str, Any], verdict: dict[str, Any]) -> KeptModels:
    """What `models/` gets: the chosen file, its teacher, and what a reader asks first."""
    chosen, teacher = record.variants[verdict["chosen"]], record.variants[TEACHER]
    manifest = {
        "variant": chosen.variant,
        "reason": verdict["reason"],
        "classes": schema["classes"],
        "form": schema["form"],
        "files": {"model.onnx": chosen.onnx_digest, "teacher.onnx": teacher.onnx_digest},
        "numbers": {"model.onnx": chosen.numbers, "teacher.onnx": teacher.numbers},
        **{name: record.facts[name] for name in ("data_digest", "params_digest", "seed", "precision")},
    }
    return KeptModels(chosen.file, teacher.file, manifest)
