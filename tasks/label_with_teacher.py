"""Step `label_with_teacher`: the teacher's logits for every train row and view, once for all later steps."""

from __future__ import annotations

from pathlib import Path

from distillery.data.rows import load_rows
from distillery.labelling import label
from distillery.models.network import load_model
from distillery.params.data import AugmentParams
from distillery.params.runtime import RuntimeParams
from tasks.work import Work


def label_with_teacher(
    data: Path, teacher: Path, augment: AugmentParams, runtime: RuntimeParams, *, work: Work
) -> None:
    """Write targets.npy (views, N_train, classes)."""
    stream = label(load_model(teacher), load_rows(data), augment, runtime, work.into / "targets.npy")
    for _ in work.watch(stream):
        pass
