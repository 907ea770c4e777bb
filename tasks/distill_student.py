"""Step `distill_student`: the student learns from the teacher's targets and the labels."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from distillery.artifacts import write_json
from distillery.data.rows import load_rows
from distillery.distillation import distill
from distillery.labelling import load_targets
from distillery.models.network import load_model, save_model
from distillery.params.data import AugmentParams
from distillery.params.distill import DistillParams
from distillery.params.retrain import BeginParams
from distillery.params.runtime import RuntimeParams
from distillery.params.student import StudentParams
from distillery.pruning.masks import held_zeros
from distillery.training import new_classifier
from distillery.warm_start import begin_from, unpack
from tasks.knowledge import recall
from tasks.work import Work


def distill_student(
    data: Path,
    targets: Path,
    augment: AugmentParams,
    student: StudentParams,
    method: DistillParams,
    runtime: RuntimeParams,
    teacher: Path | None = None,
    begin: BeginParams | Path | None = None,
    *,
    work: Work,
) -> None:
    """Train the student on soft and hard labels, and on what `teacher` shows where a term looks inside.

    It starts from fresh weights, from those of the network that `begin` names, or from a pruned student:
    then its shape and its zeros stay.
    """
    rows, hold = load_rows(data), None
    model = new_classifier(student.model.network(rows.form, len(rows.classes)), rows, runtime)
    match begin:
        case BeginParams():
            begin_from(model, unpack(recall(work.project, str(begin.network))), rows.classes)
        case Path():
            model = load_model(begin)
            hold = held_zeros(model)
    shown = load_model(teacher) if teacher is not None and method.looks_inside else None
    epochs = distill(model, rows, load_targets(targets), augment, method, runtime, shown, hold)
    write_json(work.into / "epochs.json", [asdict(epoch) for epoch in work.watch(epochs)])
    save_model(model, work.into)
