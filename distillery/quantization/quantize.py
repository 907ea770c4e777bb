"""From a float student to int8 after its training: dynamic and static."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from distillery.data.rows import Rows
from distillery.feeding import Feed
from distillery.graph import compact
from distillery.integers import PASSING, RECTIFIERS, constants, producers
from distillery.params.quantize import DynamicParams, LearnedParams, StaticParams
from distillery.quantization.adaround import learn_rounding
from distillery.quantization.bias_correction import correct_biases
from distillery.quantization.calibration import calibration_feeds
from distillery.quantization.clipping import Range, clipping_ranges
from distillery.quantization.divergence import closest_ranges
from distillery.quantization.equalization import equalize
from distillery.quantization.weight_bits import (
    COMPUTE,
    FLOAT,
    PLAIN,
    hold_biases,
    pack,
    regrid,
    require_bits,
    weighted,
)

ACTIVATIONS = {8: QuantType.QUInt8, 16: QuantType.QUInt16}
PERCENTILE = 99.999  # of |x|, which `ranges: percentile` ends at
CELLS = ("LSTM",)  # ONNX Runtime has no integer GRU, and no LSTM of fixed ranges
STATIC_OPS = [*COMPUTE, "Relu", "Clip", "Add", "AveragePool", "MaxPool"]


def dynamic(student: ModelProto, method: DynamicParams, classes: tuple[str, ...]) -> bytes:
    """Weights as 8-bit integers, one scale a tensor; activation ranges are found at every run.

    x' = s (q - z) with q = saturate(round(x / s) + z). uint8, as activations are: s = (b - a) / 255 and
    z = round(-a / s), for the range [a, b] with a <= 0 <= b of all values; int8: s = max|w| / 127, z = 0
    (Jacob et al. 2017, https://arxiv.org/abs/1712.05877).
    """
    kind = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}[method.weights]
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "dynamic.onnx"
        quantize_dynamic(student, file, weight_type=kind, op_types_to_quantize=_dynamic_ops(student))
        return compact(onnx.load(file), classes)


def _dynamic_ops(student: ModelProto) -> list[str]:
    """Operators with weights; vectors that ids look up are weights too, a table's columns are none."""
    stored = {tensor.name for tensor in student.graph.initializer}
    looks_up = any(node.op_type == "Gather" and node.input[0] in stored for node in student.graph.node)
    return [*COMPUTE, *CELLS, *(["Gather"] if looks_up else [])]


def static(
    student: ModelProto,
    rows: Rows,
    method: StaticParams,
    in_float: Collection[str] = (),
    bits: Mapping[str, int] | None = None,
) -> bytes:
    """QDQ, activations and weights of `method.bits`; ranges from the calibration rows.

    As in `dynamic`: activations of n bits have s = (b - a) / (2^n - 1) and z = round(-a / s), symmetric ones
    -a = b; weights of eight, s = max|w| / 127 and z = 0 (Jacob et al. 2017), of others what `fit_grid` finds.
    [a, b] is all that was seen (minmax), that up to a distance from 0 which `PERCENTILE` % of the values do
    not exceed (percentile), or what `divergence` (entropy) or `clipping` (mse) find.

    `in_float` layers stay float; `bits` gives the weights of layers, by name, others than the method's, 32
    being float. The student's graph is left as it was. Raises ParamsError, naming the layers, where its opset
    has no such bits.
    """
    named = _named(student)
    weight_bits = dict.fromkeys(weighted(named.graph), method.bits.weights) | dict(bits or {})
    floats = {*in_float, *(name for name, count in weight_bits.items() if count == FLOAT)}
    weight_bits = {name: count for name, count in weight_bits.items() if name not in floats}
    require_bits(named, weight_bits, method.bits)
    if method.equalize:
        equalize(named)
    quantized = _quantized(named, rows, method, floats, weight_bits)
    regrid(quantized, named, weight_bits, per_channel=method.weights == "per_channel")
    wide = [name for name, count in weight_bits.items() if max(count, method.bits.activations) > PLAIN]
    hold_biases(quantized, named, wide)
    if isinstance(method.rounding, LearnedParams):
        learn_rounding(quantized, named, rows, weight_bits, method.rounding)
    if method.correct_biases:
        correct_biases(quantized, named, rows, held=wide)
    pack(quantized.graph, weight_bits)
    return compact(quantized, rows.classes)


def layers(student: ModelProto) -> list[str]:
    """The names by which `static` knows the layers with weights: operator and place, as in Conv_4."""
    return [node.name for node in _named(student).graph.node if node.op_type in COMPUTE]


def weight_sizes(student: ModelProto) -> dict[str, int]:
    """How many weights each layer has whose bits can be chosen, by the names of `layers`."""
    graph = _named(student).graph
    known = constants(graph)
    return {name: known[node.input[1]].size for name, node in weighted(graph).items()}


def _quantized(
    named: ModelProto, rows: Rows, method: StaticParams, in_float: set[str], bits: Mapping[str, int]
) -> ModelProto:
    """The library's QDQ graph, its nodes named as before, with weights of eight bits."""
    percentile = method.ranges == "percentile"
    ranges = CalibrationMethod.Percentile if percentile else CalibrationMethod.MinMax  # or ours, over these
    excluded = _kept_float(named, in_float)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "static.onnx"
        with redirect_stdout(StringIO()):  # its range finders print
            quantize_static(
                _copy(named), file, _CalibrationRows(rows), quant_format=QuantFormat.QDQ,
                per_channel=method.weights == "per_channel",
                activation_type=ACTIVATIONS[method.bits.activations], weight_type=QuantType.QInt8,
                op_types_to_quantize=STATIC_OPS, nodes_to_exclude=excluded,
                calibrate_method=ranges,
                extra_options=_options(named, rows, method, excluded, bits),
            )  # fmt: skip
        quantized = onnx.load(file)
    _keep_weights_float(quantized, in_float)
    return quantized


def _options(
    named: ModelProto, rows: Rows, method: StaticParams, excluded: list[str], bits: Mapping[str, int]
) -> dict[str, Any]:
    """What the library is told beside: ranges of our own, and that biases which are not final stay float."""
    symmetric = method.activations == "symmetric"
    options: dict[str, Any] = {"ActivationSymmetric": symmetric}
    if method.correct_biases or {method.bits.activations, *bits.values()} - {PLAIN}:
        options["QuantizeBias"] = False
    if method.ranges == "percentile":
        options |= {"CalibPercentile": PERCENTILE, "CalibTensorRangeSymmetric": True}  # of |x|
    if found := _found_ranges(named, rows, method, excluded, symmetric):
        options["TensorQuantOverrides"] = {
            name: [{"rmin": np.float32(low), "rmax": np.float32(high)}] for name, (low, high) in found.items()
        }
    return options


def _found_ranges(
    named: ModelProto, rows: Rows, method: StaticParams, excluded: list[str], symmetric: bool
) -> dict[str, Range]:
    """By tensor, those that we find; none where the library does."""
    match method.ranges:
        case "mse":
            return clipping_ranges(named, _activations(named, excluded), rows, symmetric=symmetric)
        case "entropy":
            every = closest_ranges(_copy(named), STATIC_OPS, _CalibrationRows(rows), symmetric=symmetric)
            return {name: every[name] for name in _activations(named, excluded)}
        case "minmax" | "percentile":
            return {}


def _activations(named: ModelProto, excluded: list[str]) -> list[str]:
    """The tensors that the quantized operators read and make, in order."""
    known = {tensor.name for tensor in named.graph.initializer}
    nodes = [n for n in named.graph.node if n.op_type in STATIC_OPS and n.name not in excluded]
    return list(dict.fromkeys(t for n in nodes for t in (*n.input, *n.output) if t not in known))


def _kept_float(named: ModelProto, in_float: set[str]) -> list[str]:
    """The nodes that stay float: the normalisation, these layers, and what follows up to the next layers."""
    names, float_tensors = [*_normalisation(named)], set[str]()
    for node in named.graph.node:
        follows = node.op_type not in COMPUTE and not float_tensors.isdisjoint(node.input)
        if node.name in in_float or follows:
            names.append(node.name)
            float_tensors.update(node.output)
    return names


def _keep_weights_float(quantized: ModelProto, in_float: set[str]) -> None:
    """A sum of one tensor behind float layers: ONNX Runtime rounds the weights of one between roundings."""
    graph = quantized.graph
    made = producers(graph)
    for node in [n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] in made]:
        tensor = node.input[0]
        layer = made[tensor]
        while layer.op_type in (*RECTIFIERS, *PASSING) and layer.input[0] in made:
            layer = made[layer.input[0]]
        if layer.name in in_float:
            kept = helper.make_node("Sum", [tensor], [f"{node.output[0]}_kept"])
            graph.node.insert(list(graph.node).index(node), kept)
            node.input[0] = kept.output[0]


class _CalibrationRows(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    """The calibration rows, one by one, as the graph takes them."""

    def __init__(self, rows: Rows) -> None:
        self.feeds = calibration_feeds(rows)

    def get_next(self) -> Feed | None:
        """The next row, or None at the end."""
        return next(self.feeds, None)


def _named(student: ModelProto) -> ModelProto:
    """A copy whose nodes have names, which the quantizer tells them apart by."""
    named = _copy(student)
    for number, node in enumerate(named.graph.node):
        node.name = f"{node.op_type}_{number}"
    return named


def _copy(model: ModelProto) -> ModelProto:
    """Another model: the library moves the constants of the one that it is given into a file."""
    copied = ModelProto()
    copied.CopyFrom(model)
    return copied


def _normalisation(named: ModelProto) -> list[str]:
    """Everything before the first compute node stays float: it works on raw units."""
    names = []
    for node in named.graph.node:
        if node.op_type in COMPUTE:
            break
        names.append(node.name)
    return names
