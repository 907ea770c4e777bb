"""The pipeline's first part: who teaches, what they say of every row, and the students that learn from it."""

from __future__ import annotations

from dataclasses import dataclass

from distillery.params.project import Params
from distillery.params.retrain import BeginParams
from distillery.params.runtime import RuntimeParams
from distillery.params.student import StudentParams
from distillery.params.teacher import OnnxTeacher, Teacher, TrainedTeacher
from tasks.records import TEACHER
from tasks.steps import (
    Noun,
    adopt_teacher,
    combine_targets,
    distill_student,
    export_model,
    label_with_file,
    label_with_teacher,
    remember_champion,
    train_teacher,
)

Begin = tuple[()] | tuple[BeginParams]  # one that names no network would change every key


@dataclass(frozen=True)
class Taught:
    """The teacher, its ONNX file, who guided the student, the targets that it learned from, the student."""

    teacher: Noun
    file: Noun
    guide: Noun
    targets: Noun
    student: Noun


def teach(data: Noun, params: Params) -> Taught:
    """Teachers -> targets -> assistants -> student, as many generations as are asked for."""
    augment, runtime = params.augment, params.runtime
    teacher = _teacher(data, params.teacher, params, runtime)
    targets = _everyones_targets(data, teacher, params)

    def distilled(
        guide: Noun, targets: Noun, student: StudentParams, variant: str | None, begin: Begin = ()
    ) -> Noun:
        shown = (guide,) if params.distill.looks_inside or begin else ()
        return distill_student(
            data, targets, augment, student, params.distill, runtime, *shown, *begin, variant=variant
        )

    guide = teacher
    for number, assistant in enumerate(params.teachers.assistants, 1):
        guide = distilled(guide, targets, assistant, f"assistant-{number}")
        targets = label_with_teacher(data, guide, augment, runtime, variant=f"assistant-{number}")
    for number in range(1, params.teachers.generations):
        guide = distilled(guide, targets, params.student, f"generation-{number}")
        targets = label_with_teacher(data, guide, augment, runtime, variant=f"generation-{number}")
    if params.retrain.remember.model:
        targets = remember_champion(data, targets, augment, params.distill, params.retrain.remember, runtime)
    begin = (params.retrain.begin,) if params.retrain.starts_warm else ()
    student = distilled(guide, targets, params.student, None, begin)
    is_file = isinstance(params.teacher, OnnxTeacher)
    file = teacher if is_file else export_model(data, teacher, runtime, variant=TEACHER)
    return Taught(teacher, file, guide, targets, student)


def _teacher(
    data: Noun, teacher: Teacher, params: Params, runtime: RuntimeParams, variant: str | None = None
) -> Noun:
    """Trained, or taken as it is."""
    if isinstance(teacher, TrainedTeacher):
        return train_teacher(data, params.augment, teacher, runtime, variant=variant)
    return adopt_teacher(data, teacher, variant=variant)


def _targets(data: Noun, noun: Noun, teacher: Teacher, params: Params, variant: str | None = None) -> Noun:
    label = label_with_file if isinstance(teacher, OnnxTeacher) else label_with_teacher
    return label(data, noun, params.augment, params.runtime, variant=variant)


def _everyones_targets(data: Noun, teacher: Noun, params: Params) -> Noun:
    """What the teachers say; each of the others starts from a seed of its own."""
    targets = {"teacher": _targets(data, teacher, params.teacher, params)}
    for number, other in enumerate(params.teachers.others, 1):
        name, seed = f"other-{number}", (params.runtime.seed + number) % 2**32
        noun = _teacher(data, other, params, params.runtime.model_copy(update={"seed": seed}), name)
        targets[name] = _targets(data, noun, other, params, name)
    if len(targets) == 1:
        return targets["teacher"]
    return combine_targets(data, targets, params.teachers.combine)
