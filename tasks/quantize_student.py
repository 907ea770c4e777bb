"""Step `quantize_student`: the distilled student in int8, by the method that the config's type names."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import onnx

from distillery.artifacts import write_atomically, write_json
from distillery.data.rows import Rows, load_rows
from distillery.export import compare, export
from distillery.labelling import load_targets
from distillery.models.network import load_model
from distillery.params.data import AugmentParams
from distillery.params.distill import DistillParams
from distillery.params.quantize import DynamicParams, QatParams, Quantization, StaticParams
from distillery.params.runtime import RuntimeParams
from distillery.quantization.aware import train_aware
from distillery.quantization.fake_quantization import round_biases, with_fake_quantizers
from distillery.quantization.fallback import static_within
from distillery.quantization.mixed_precision import static_mixed
from distillery.quantization.quantize import dynamic, static
from distillery.training import reproducible
from tasks.work import Work


def quantize_student(
    data: Path,
    student: Path,
    exported: Path,
    targets: Path,
    augment: AugmentParams,
    distill: DistillParams,
    method: Quantization,
    runtime: RuntimeParams,
    *,
    work: Work,
) -> None:
    """Write model.onnx; aware training starts from the torch student, the others from its file."""
    rows = load_rows(data)
    match method:
        case DynamicParams():
            content = dynamic(onnx.load(exported / "model.onnx"), method, rows.classes)
        case StaticParams():
            with reproducible(runtime):  # rounding may be learned
                content = _static(onnx.load(exported / "model.onnx"), rows, method, work)
        case QatParams():
            content = _aware(rows, student, targets, augment, distill, method, runtime, work)
    write_atomically(work.into / "model.onnx", content)


def _static(student: onnx.ModelProto, rows: Rows, method: StaticParams, work: Work) -> bytes:
    if method.mixed is not None:
        content, mixture = static_mixed(student, rows, method, method.mixed)
        write_json(work.into / "mixed.json", [asdict(point) for point in mixture])
        return content
    if method.fallback is not None:
        content, curve = static_within(student, rows, method, method.fallback.max_accuracy_drop)
        write_json(work.into / "fallback.json", [asdict(point) for point in curve])
        return content
    return static(student, rows, method)


def _aware(
    rows: Rows,
    student: Path,
    targets: Path,
    augment: AugmentParams,
    distill: DistillParams,
    qat: QatParams,
    runtime: RuntimeParams,
    work: Work,
) -> bytes:
    model = with_fake_quantizers(load_model(student))
    epochs = train_aware(model, rows, load_targets(targets), augment, distill, qat, runtime)
    write_json(work.into / "epochs.json", [asdict(epoch) for epoch in work.watch(epochs)])
    round_biases(model)
    with reproducible(runtime):
        content = export(model, rows.classes)
        write_json(work.into / "parity.json", asdict(compare(model, content, rows)))
    return content
