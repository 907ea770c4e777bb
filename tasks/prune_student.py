"""Step `prune_student`: weights or channels of the distilled student go, as the config's type says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from distillery.artifacts import write_json
from distillery.data.rows import load_rows
from distillery.labelling import load_targets
from distillery.models.network import load_model, save_model
from distillery.params.data import AugmentParams
from distillery.params.distill import DistillParams
from distillery.params.prune import Pruning
from distillery.params.runtime import RuntimeParams
from distillery.pruning.prune import prune
from tasks.work import Work


def prune_student(
    data: Path,
    student: Path,
    targets: Path,
    augment: AugmentParams,
    distill: DistillParams,
    method: Pruning,
    runtime: RuntimeParams,
    *,
    work: Work,
) -> None:
    """Write the pruned student, its shape with it, and epochs.json: accuracy by what was removed."""
    rows, model = load_rows(data), load_model(student)
    epochs = prune(model, rows, load_targets(targets), augment, distill, method, runtime)
    write_json(work.into / "epochs.json", [asdict(epoch) for epoch in work.watch(epochs)])
    save_model(model, work.into)
