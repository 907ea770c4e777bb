"""Step `measure_model`: bytes, latency, memory and integer operators of the file, on this machine."""

from __future__ import annotations

from pathlib import Path

from distillery.artifacts import write_json
from distillery.data.rows import Split, load_rows
from distillery.feeding import feeder
from distillery.measurement import PROBE_ROWS, measure
from tasks.work import Work


def measure_model(data: Path, model: Path, *, work: Work) -> None:
    """Write measurement.json; it is timed on validation rows."""
    rows = load_rows(data)
    feed = feeder(rows.form)(rows.features[rows.where(Split.VALIDATION)[:PROBE_ROWS]])
    write_json(work.into / "measurement.json", measure(model / "model.onnx", feed).to_json())
