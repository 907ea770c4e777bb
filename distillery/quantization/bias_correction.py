"""Bias correction: rounded weights and inputs shift a layer's mean output, and its bias takes that back.

b_c := b_c - (E[y'_c] - E[y_c]), y and y' the outputs of channel c before the ReLU, in float and rounded,
over the calibration rows (Nagel et al. 2019, https://arxiv.org/abs/1906.04721, section 4.2). The means are
measured, as in their appendix D: layer after layer, each behind layers that were corrected. A MatMul has
no bias: what is added behind it is rounded by itself, to as many bits as activations, and stays.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

from distillery.data.rows import Rows
from distillery.integers import constants
from distillery.quantization.calibration import Watched
from distillery.quantization.weight_bits import hold_bias

WITH_BIAS = ("Conv", "Gemm")


def correct_biases(
    quantized: ModelProto, student: ModelProto, rows: Rows, held: Collection[str] = ()
) -> None:
    """Correct, in place, the biases of a QDQ graph whose nodes are named as the float student's are.

    They are float there, but for those of the `held` layers, which `hold_bias` stored.
    """
    names = [node.name for node in student.graph.node if node.op_type in WITH_BIAS]
    wanted = _means(student, names, rows)
    for name in names:
        shift = _means(quantized, [name], rows)[name] - wanted[name]
        bias = _bias(student, name, shift)
        if name in held:
            hold_bias(quantized.graph, name, bias)
        else:
            _set_bias(quantized, _named(quantized, [name])[0], bias)


def _means(model: ModelProto, names: list[str], rows: Rows) -> dict[str, NDArray[np.float64]]:
    """Mean output (channels,) of these layers over the calibration rows and all positions of a map."""
    tensors = [node.output[0] for node in _named(model, names)]
    totals: list[NDArray[np.float64]] = []
    count = 0
    for values in Watched(model, tensors).run(rows):
        here = [y.astype(np.float64).mean(axis=(0, *range(2, y.ndim))) for y in values.values()]
        totals = [total + one for total, one in zip(totals, here, strict=True)] if totals else here
        count += 1
    return {name: total / count for name, total in zip(names, totals, strict=True)}


def _named(model: ModelProto, names: list[str]) -> list[NodeProto]:
    by_name = {node.name: node for node in model.graph.node}
    return [by_name[name] for name in names]


def _bias(student: ModelProto, name: str, shift: NDArray[np.float64]) -> NDArray[np.float32]:
    """A layer's bias without this shift; one that has none begins at 0."""
    (layer,) = _named(student, [name])
    old = constants(student.graph)[layer.input[2]] if len(layer.input) == 3 else np.zeros(len(shift))
    return (old.astype(np.float64) - shift).astype(np.float32)


def _set_bias(model: ModelProto, layer: NodeProto, bias: NDArray[np.float32]) -> None:
    """The layer gets a bias of its own: equal ones are stored once."""
    name = f"{layer.name}_corrected"
    model.graph.initializer.append(numpy_helper.from_array(bias, name))
    layer.input[:] = [*layer.input[:2], name]
