"""Step `train_control`: the same student without the teacher, so that distillation's gain is a number."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from distillery.artifacts import write_json
from distillery.data.batches import TrainBatches
from distillery.data.rows import load_rows
from distillery.models.network import save_model
from distillery.params.data import AugmentParams
from distillery.params.distill import DistillTraining
from distillery.params.runtime import RuntimeParams
from distillery.params.student import StudentParams
from distillery.training import hard_labels, new_classifier, train
from tasks.work import Work


def train_control(
    data: Path,
    augment: AugmentParams,
    student: StudentParams,
    training: DistillTraining,
    runtime: RuntimeParams,
    *,
    work: Work,
) -> None:
    """Same network, initial weights, views, order and epochs as the distilled student; labels only."""
    rows = load_rows(data)
    model = new_classifier(student.model.network(rows.form, len(rows.classes)), rows, runtime)
    batches = TrainBatches(rows, augment, training.batch_size, runtime.seed, augment.views)
    epochs = train(model, batches, hard_labels(0.0), training, runtime)
    write_json(work.into / "epochs.json", [asdict(epoch) for epoch in work.watch(epochs)])
    save_model(model, work.into)
