"""Step `evaluate_model`: what the file predicts on held-out rows. Deterministic; time is another step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from distillery.artifacts import write_json
from distillery.data.arrays import ArrayWriter
from distillery.data.rows import Split, load_rows
from distillery.evaluation import assess, predict_held_out, tabulated
from tasks.work import Work

FILE = "predictions.parquet"


def evaluate_model(data: Path, model: Path, teacher: Path | None = None, *, work: Work) -> None:
    """Write predictions.parquet (one row a row id), logits.npy and evaluation.json.

    `teacher` is the teacher's own evaluation; without it this is the teacher.
    """
    rows = load_rows(data)
    with ArrayWriter(work.into / "logits.npy", np.float32, (len(rows.classes),)) as logits:
        predictions = predict_held_out((model / "model.onnx").read_bytes(), rows, logits.append)
    _write(tabulated(predictions, rows), work.into / FILE)
    reference = predictions.predicted if teacher is None else _predicted(teacher)
    splits = {
        s.name.lower(): assess(predictions, reference, s, rows.classes)
        for s in (Split.VALIDATION, Split.TEST)
    }
    write_json(work.into / "evaluation.json", {name: quality.to_json() for name, quality in splits.items()})


def _write(frames: Iterator[pd.DataFrame], file: Path) -> None:
    """Some rows at a time."""
    first = pa.Table.from_pandas(next(frames), preserve_index=False)
    with pq.ParquetWriter(file, first.schema) as writer:
        writer.write_table(first)
        for frame in frames:
            writer.write_table(pa.Table.from_pandas(frame, first.schema, preserve_index=False))


def _predicted(evaluation: Path) -> NDArray[np.int64]:
    """What was predicted of every held-out row, in the order of the data."""
    return np.asarray(pq.read_table(evaluation / FILE, columns=["predicted"])["predicted"], np.int64)
