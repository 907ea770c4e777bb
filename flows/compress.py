"""The pipeline, on one screen, read three ways: as a plan, as the no-op check, and as the Prefect flow."""

from __future__ import annotations

from dataclasses import dataclass

from distillery.params.project import Params
from flows.chaining import follow_chain
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
    write_report,
)

STUDENT, PRUNED = "student-fp32", "student-pruned-fp32"


@dataclass(frozen=True)
class Compressed:
    """What one run leaves to report: the variants as files, how good, how big and fast, which, and where."""

    data: Noun
    networks: dict[str, Noun]  # what each variant's file was made from
    models: dict[str, Noun]
    evaluations: dict[str, Noun]
    measurements: dict[str, Noun]
    choice: Noun
    registration: Noun
    report: Noun


def compress(params: Params) -> Compressed:
    """Teacher -> distilled student -> pruned where asked -> int8 -> measured -> chosen -> registered."""
    runtime, augment, distill, quantize = params.runtime, params.augment, params.distill, params.quantize

    data = prepare_data(params.data)
    require_readable(data, params)
    taught = teach(data, params)
    student, targets = taught.student, taught.targets
    control = train_control(data, augment, params.student, distill.training, runtime)

    networks = {TEACHER: taught.teacher, STUDENT: student, CONTROL: control}
    if params.prune:
        networks[PRUNED] = follow_chain(data, taught, control, params)
    models = {TEACHER: taught.file}
    for name in list(networks)[1:]:
        models[name] = export_model(data, networks[name], runtime, variant=name)

    for source in [name for name in (STUDENT, PRUNED) if name in networks]:
        inputs = (data, networks[source], models[source], targets, augment, distill)
        for way, method in (
            ("dynamic", quantize.dynamic),
            ("static", quantize.static),
            ("qat", quantize.qat),
        ):
            if method is not None:
                name = source.replace("fp32", f"int8-{way}")
                networks[name] = networks[source]
                models[name] = quantize_student(*inputs, method, runtime, variant=name)

    evaluations = {TEACHER: evaluate_model(data, models[TEACHER], variant=TEACHER)}
    for name in list(models)[1:]:
        evaluations[name] = evaluate_model(data, models[name], evaluations[TEACHER], variant=name)
    measurements = {name: measure_model(data, model, variant=name) for name, model in models.items()}
    candidates = {name: evaluations[name] for name in models if name not in (TEACHER, CONTROL)}
    choice = choose_model(candidates, measurements, evaluations[TEACHER], params.budget)
    registration = register_model(data, networks, models, evaluations, measurements, choice, params)
    decisions = {"choice": choice, "registration": registration}
    report = write_report(data, networks, models, evaluations, measurements, decisions, params)
    return Compressed(data, networks, models, evaluations, measurements, choice, registration, report)
