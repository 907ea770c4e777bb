"""Step `export_model`: one ONNX file that eats raw rows, and how exactly it agrees with torch."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from distillery.artifacts import write_atomically, write_json
from distillery.data.rows import load_rows
from distillery.export import compare, export
from distillery.models.network import load_model
from distillery.params.runtime import RuntimeParams
from distillery.training import reproducible
from tasks.work import Work


def export_model(data: Path, model: Path, runtime: RuntimeParams, *, work: Work) -> None:
    """Write model.onnx and parity.json."""
    rows, classifier = load_rows(data), load_model(model)
    with reproducible(runtime):
        content = export(classifier, rows.classes)
        parity = compare(classifier, content, rows)
    write_atomically(work.into / "model.onnx", content)
    write_json(work.into / "parity.json", asdict(parity))
