"""From a float student to int8: dynamic and static after training, or aware of it while training."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from distillery.data.batches import TrainBatches
from distillery.data.rows import Rows
from distillery.fake_quantization import stop_observing
from distillery.feeding import Feed, feeder
from distillery.graph import compact
from distillery.losses.soft import soft_and_hard_labels
from distillery.models.network import Classifier
from distillery.params.data import AugmentParams
from distillery.params.distill import DistillParams
from distillery.params.quantize import DynamicParams, QatParams, StaticParams
from distillery.params.runtime import RuntimeParams
from distillery.pruning.masks import held_zeros
from distillery.training import Epoch, train

COMPUTE = ("Conv", "Gemm", "MatMul")
STATIC_OPS = [*COMPUTE, "Relu", "Add", "AveragePool"]


def dynamic(student: ModelProto, method: DynamicParams, classes: tuple[str, ...]) -> bytes:
    """Weights as 8-bit integers, one scale a tensor; activation ranges are found at every run."""
    kind = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}[method.weights]
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "dynamic.onnx"
        quantize_dynamic(student, file, weight_type=kind, op_types_to_quantize=list(COMPUTE))
        return compact(onnx.load(file), classes)


def static(student: ModelProto, rows: Rows, method: StaticParams) -> bytes:
    """QDQ, uint8 activations, int8 weights a channel; ranges from the calibration rows."""
    ranges = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }
    named = _named(student)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "static.onnx"
        with redirect_stdout(StringIO()):  # its range finders print
            quantize_static(
                named, file, _CalibrationRows(rows), quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                op_types_to_quantize=STATIC_OPS, nodes_to_exclude=_normalisation(named),
                calibrate_method=ranges[method.ranges],
            )  # fmt: skip
        return compact(onnx.load(file), rows.classes)


def train_aware(
    quantized: Classifier,
    rows: Rows,
    targets: NDArray[np.float32],
    augment: AugmentParams,
    distill: DistillParams,
    qat: QatParams,
    runtime: RuntimeParams,
) -> Iterator[Epoch]:
    """Train a `with_fake_quantizers` model in place on the teacher's targets; pruned weights stay zero.

    In fp32 whatever the precision asked for: bf16 is coarser than int8.
    """
    batches = TrainBatches(rows, augment, qat.training.batch_size, runtime.seed, augment.views, targets)
    exact = runtime.model_copy(update={"precision": "fp32"})
    objective, held = soft_and_hard_labels(distill), held_zeros(quantized)
    for epoch in train(quantized, batches, objective, qat.training, exact, after_step=held):
        if epoch.done == qat.observe_epochs:
            stop_observing(quantized)
        yield epoch


class _CalibrationRows(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    """The calibration rows, one by one, as the graph takes them."""

    def __init__(self, rows: Rows) -> None:
        feed = feeder(rows.form)
        self.feeds = (feed(rows.features[at][None]) for at in np.flatnonzero(rows.calibration))

    def get_next(self) -> Feed | None:
        """The next row, or None at the end."""
        return next(self.feeds, None)


def _named(student: ModelProto) -> ModelProto:
    """A copy whose nodes have names, which the quantizer tells them apart by."""
    named = ModelProto()
    named.CopyFrom(student)
    for number, node in enumerate(named.graph.node):
        node.name = f"{node.op_type}_{number}"
    return named


def _normalisation(named: ModelProto) -> list[str]:
    """Everything before the first compute node stays float: it works on raw units."""
    names = []
    for node in named.graph.node:
        if node.op_type in COMPUTE:
            break
        names.append(node.name)
    return names
