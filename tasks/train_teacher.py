"""Step `train_teacher`: the network that everything smaller is measured against."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from distillery.artifacts import write_json
from distillery.data.batches import TrainBatches
from distillery.data.rows import load_rows
from distillery.models.network import save_model
from distillery.params.data import AugmentParams
from distillery.params.runtime import RuntimeParams
from distillery.params.teacher import TrainedTeacher
from distillery.training import hard_labels, new_classifier, train
from tasks.work import Work


def train_teacher(
    data: Path, augment: AugmentParams, teacher: TrainedTeacher, runtime: RuntimeParams, *, work: Work
) -> None:
    """Train on the true labels, with a fresh view of every row in every epoch."""
    rows, training = load_rows(data), teacher.training
    model = new_classifier(teacher.model.network(rows.form, len(rows.classes)), rows, runtime)
    batches = TrainBatches(rows, augment, training.batch_size, runtime.seed)
    epochs = train(model, batches, hard_labels(training.label_smoothing), training, runtime)
    write_json(work.into / "epochs.json", [asdict(epoch) for epoch in work.watch(epochs)])
    save_model(model, work.into)
