"""Step `label_with_file`: as `label_with_teacher`, of a teacher that is an ONNX file."""

from __future__ import annotations

from pathlib import Path

from distillery.data.rows import load_rows
from distillery.file_labelling import label_with
from distillery.params.data import AugmentParams
from distillery.params.runtime import RuntimeParams
from tasks.work import Work


def label_with_file(
    data: Path, teacher: Path, augment: AugmentParams, runtime: RuntimeParams, *, work: Work
) -> None:
    """Write targets.npy (views, N_train, classes)."""
    content = (teacher / "model.onnx").read_bytes()
    for _ in work.watch(label_with(content, load_rows(data), augment, runtime, work.into / "targets.npy")):
        pass
