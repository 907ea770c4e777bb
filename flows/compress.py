"""The pipeline, on one screen, read three ways: as a plan, as the no-op check, and as the Prefect flow."""

from __future__ import annotations

from dataclasses import dataclass

from distillery.params.project import Params
from distillery.params.quantize import Quantization
from flows.teaching import teach
from tasks.fitting import require_readable
from tasks.records import CONTROL, TEACHER
from tasks.steps import (
    Noun,
    choose_model,
    evaluate_model,
    export_model,
    measure_model,
    prepare_data,
    quantize_student,
    register_model,
    train_control,
)


@dataclass(frozen=True)
class Compressed:
    """What one run leaves to report: the variants as files, how good, how big and fast, which, and where."""

    models: dict[str, Noun]
    evaluations: dict[str, Noun]
    measurements: dict[str, Noun]
    choice: Noun
    registration: Noun


def compress(params: Params) -> Compressed:
    """Teacher -> distilled student -> int8 -> measured -> chosen -> registered."""
    runtime, quantize = params.runtime, params.quantize

    data = prepare_data(params.data)
    require_readable(data, params)
    taught = teach(data, params)
    student, targets = taught.student, taught.targets
    control = train_control(data, params.augment, params.student, params.distill.training, runtime)

    exported = {
        TEACHER: taught.file,
        "student-fp32": export_model(data, student, runtime, variant="student-fp32"),
        CONTROL: export_model(data, control, runtime, variant=CONTROL),
    }

    def quantized(method: Quantization, variant: str) -> Noun:
        sources = (data, student, exported["student-fp32"], targets)
        return quantize_student(*sources, params.augment, params.distill, method, runtime, variant=variant)

    models = exported | {
        "student-int8-dynamic": quantized(quantize.dynamic, "student-int8-dynamic"),
        "student-int8-static": quantized(quantize.static, "student-int8-static"),
        "student-int8-qat": quantized(quantize.qat, "student-int8-qat"),
    }
    evaluations = {TEACHER: evaluate_model(data, models[TEACHER], variant=TEACHER)}
    for name in list(models)[1:]:
        evaluations[name] = evaluate_model(data, models[name], evaluations[TEACHER], variant=name)
    measurements = {name: measure_model(data, model, variant=name) for name, model in models.items()}
    candidates = {name: evaluations[name] for name in models if name not in (TEACHER, CONTROL)}
    choice = choose_model(candidates, measurements, evaluations[TEACHER], params.budget)
    networks = {name: {TEACHER: taught.teacher, CONTROL: control}.get(name, student) for name in models}
    registration = register_model(data, networks, models, evaluations, measurements, choice, params)
    return Compressed(models, evaluations, measurements, choice, registration)
