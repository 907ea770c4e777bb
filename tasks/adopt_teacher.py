"""Step `adopt_teacher`: a teacher that is there already, checked, and joined to these rows."""

from __future__ import annotations

from pathlib import Path

from distillery.adoption import adopt_onnx, adopt_weights
from distillery.artifacts import write_atomically
from distillery.data.rows import load_rows
from distillery.models.network import save_model
from distillery.params.teacher import OnnxTeacher, WeightsTeacher
from tasks.work import Work


def adopt_teacher(data: Path, teacher: OnnxTeacher | WeightsTeacher, *, work: Work) -> None:
    """Write model.onnx for a file of outputs, or what `train_teacher` writes for one of weights."""
    rows, content = load_rows(data), (work.project / teacher.file).read_bytes()
    match teacher:
        case OnnxTeacher():
            write_atomically(work.into / "model.onnx", adopt_onnx(content, teacher, rows))
        case WeightsTeacher():
            save_model(adopt_weights(content, teacher, rows), work.into)
