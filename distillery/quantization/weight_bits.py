"""The integers of a quantized layer's weight: on 4, 8 or 16 bits, replaced in a QDQ graph, and packed.

w' = scale * q with q whole, of so many bits, and no zero point. ONNX Runtime's integer kernels take int8, so
four-bit weights are stored two a byte and a Cast unpacks them, which it runs once, when it loads a file.
Weights of 16 bits have no integer kernel: they are made float again at every run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from distillery.errors import ParamsError
from distillery.integers import FOUR_BITS, attribute, constants, producers
from distillery.params.quantize import BitsParams

COMPUTE = ("Conv", "Gemm", "MatMul")
OPSET = 21  # the first whose operators know 4 and 16 bits
PLAIN = 8  # bits that every opset knows
FLOAT = 32
TINY = np.finfo(np.float32).tiny  # a scale that can be divided by
STEPS = 64  # of a range, from the whole towards 0
WORTH_A_CAST = 64  # weights: packing halves their bytes, and a node takes some 30


@dataclass(frozen=True)
class Grid:
    """Where a weight may lie: at scale * q for whole q of `bits` bits; a scale a channel, or one for all."""

    scale: NDArray[np.float32]  # (channels,) or ()
    axis: int  # that the channels lie on
    bits: int

    @property
    def low(self) -> int:
        """The least q."""
        return int(-(2 ** (self.bits - 1)))

    @property
    def high(self) -> int:
        """The greatest q."""
        return int(2 ** (self.bits - 1) - 1)

    def against(self, weight: NDArray[Any]) -> NDArray[np.float32]:
        """The scale in a shape that broadcasts against the weight."""
        shape = [-1 if at == self.axis else 1 for at in range(weight.ndim)]
        return self.scale.reshape(shape) if self.scale.ndim else self.scale

    def nearest(self, weight: NDArray[np.float32]) -> NDArray[np.int32]:
        """The q of the nearest places; halves go to the even one."""
        q = np.rint(weight / self.against(weight)).clip(self.low, self.high)
        return np.asarray(q, np.int32)

    def dequantized(self, q: NDArray[np.int32]) -> NDArray[np.float32]:
        """The weight that these integers stand for."""
        return q.astype(np.float32) * self.against(q)


def weighted(graph: GraphProto) -> dict[str, NodeProto]:
    """The layers of a float graph with a constant weight, by name, in order."""
    stored = {tensor.name for tensor in graph.initializer}
    return {node.name: node for node in graph.node if node.op_type in COMPUTE and node.input[1] in stored}


def output_axis(layer: NodeProto, dimensions: int) -> int:
    """The axis of a weight that a layer's output channels lie on."""
    match layer.op_type:
        case "Conv":
            return 0
        case "Gemm":
            return 0 if attribute(layer, "transB", 0) else 1
        case _:
            return dimensions - 1


def fit_grid(weight: NDArray[np.float32], axis: int, bits: int, *, per_channel: bool) -> Grid:
    """The grid, symmetric around 0, that rounds a weight with the smallest squared error.

    Of STEPS ranges from the largest magnitude towards 0 (Nagel et al. 2021, https://arxiv.org/abs/2106.08295,
    section 3.1, "MSE"): of 15 places one far weight would else take half.
    """
    others = tuple(at for at in range(weight.ndim) if at != axis) if per_channel else None
    reach = np.asarray(np.abs(weight).max(axis=others))
    whole = np.where(reach > 0, reach, 1).astype(np.float32) / np.float32(2 ** (bits - 1) - 1)
    best, least = whole, np.full(whole.shape, np.inf)
    for step in range(STEPS, 0, -1):
        grid = Grid(np.maximum(whole * np.float32(step / STEPS), TINY), axis, bits)
        wrong = grid.dequantized(grid.nearest(weight)) - weight
        errors = np.square(wrong, dtype=np.float64).sum(axis=others)
        best = np.where(errors < least, grid.scale, best).astype(np.float32)
        least = np.minimum(errors, least)
    return Grid(best, axis, bits)


def regrid(quantized: ModelProto, student: ModelProto, bits: Mapping[str, int], *, per_channel: bool) -> None:
    """Put the weights of these layers, in place, on so many bits; what has eight stays as it is.

    The nodes of the QDQ graph are named as the float student's are.
    """
    layers, known = weighted(student.graph), constants(student.graph)
    for name in [name for name in layers if bits.get(name, PLAIN) != PLAIN]:
        weight = known[layers[name].input[1]]
        axis = output_axis(layers[name], weight.ndim)
        grid = fit_grid(weight, axis, bits[name], per_channel=per_channel)
        set_weight(quantized.graph, name, grid.nearest(weight), grid)


def read_grid(graph: GraphProto, name: str, bits: int) -> Grid:
    """The grid that a QDQ graph has the weight of a layer on."""
    made = producers(graph)
    dequantize = made[_layer(graph, name).input[1]]
    axis = attribute(dequantize, "axis", 1)
    scale = constants(graph)[dequantize.input[1]]
    return Grid(scale.reshape(()) if scale.size == 1 else scale, axis, bits)


def set_weight(graph: GraphProto, name: str, q: NDArray[np.int32], grid: Grid) -> None:
    """Give a layer of a QDQ graph these integers, on this grid; equal weights of other layers stay."""
    layer, kind = _layer(graph, name), np.dtype(np.int16 if grid.bits > PLAIN else np.int8)
    names = [f"{name}_weight_{part}" for part in ("q", "scale", "zero", "dq")]
    _put(graph, q.astype(kind), names[0])
    _put(graph, grid.scale, names[1])
    _put(graph, np.zeros(grid.scale.shape, kind), names[2])
    if layer.input[1] != names[3]:
        node = helper.make_node("DequantizeLinear", names[:3], names[3:], axis=grid.axis)
        graph.node.insert(list(graph.node).index(layer), node)
        layer.input[1] = names[3]


def hold_biases(quantized: ModelProto, student: ModelProto, names: Collection[str]) -> None:
    """Give layers of a QDQ graph the float student's biases as `hold_bias` stores them."""
    known = constants(student.graph)
    for name in names:
        layer = _layer(student.graph, name)
        if len(layer.input) == 3:
            hold_bias(quantized.graph, name, known[layer.input[2]])


def hold_bias(graph: GraphProto, name: str, bias: NDArray[np.float32]) -> None:
    """Give a layer of a QDQ graph this bias as int32 of a scale of its own, 30 bits of which it fills.

    ONNX Runtime puts a float bias on the grid of the products by itself. Where these have sixteen bits that
    grid ends so near to 0 that the bias does not fit.
    """
    layer = _layer(graph, name)
    names = [f"{name}_bias_{part}" for part in ("q", "scale", "dq")]
    scale = np.asarray(np.maximum(np.abs(bias).max() / 2**30, TINY), np.float32)
    _put(graph, np.rint(bias / scale.astype(np.float64)).astype(np.int32), names[0])
    _put(graph, scale, names[1])
    if names[2] not in layer.input:
        node = helper.make_node("DequantizeLinear", names[:2], names[2:])
        graph.node.insert(list(graph.node).index(layer), node)
        layer.input[:] = [*layer.input[:2], names[2]]


def pack(graph: GraphProto, bits: Mapping[str, int]) -> None:
    """Store the weights of four bits two a byte, where that saves more than the node that unpacks them."""
    known = constants(graph)
    for name in [name for name, count in bits.items() if count == 4]:
        stored = f"{name}_weight_q"
        if known[stored].size > WORTH_A_CAST:
            node = helper.make_node("Cast", [f"{stored}4"], [f"{stored}8"], to=TensorProto.INT8)
            graph.node.insert(0, node)
            producers(graph)[f"{name}_weight_dq"].input[0] = f"{stored}8"
            _put(graph, known[stored].astype(FOUR_BITS), f"{stored}4")


def require_bits(model: ModelProto, weights: Mapping[str, int], bits: BitsParams) -> None:
    """Refuse what a file has no layers or its opset no operators for; raises ParamsError naming the layers.

    `weights` has the bits of each layer's weights, by its name.
    """
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    asked = {name: sorted({count, bits.activations} - {PLAIN}) for name, count in weights.items()}
    faults = [
        f"quantize.static: {' and '.join(map(str, counts))} bits for {name} need ONNX opset {OPSET}, and "
        f"this file has {opset}: export it with opset {OPSET}, or take {PLAIN} bits"
        for name, counts in asked.items()
        if counts and opset < OPSET
    ]
    if not weighted(model.graph) and {bits.weights, bits.activations} != {PLAIN}:
        faults.append(
            "quantize.static: it has no Conv, Gemm or MatMul with a stored weight: leave it in float"
        )
    if faults:
        raise ParamsError("The student cannot be quantized to so many bits", faults)


def _layer(graph: GraphProto, name: str) -> NodeProto:
    return next(node for node in graph.node if node.name == name)


def _put(graph: GraphProto, values: NDArray[Any], name: str) -> None:
    """An initializer, in the place of the one of its name."""
    for tensor in [tensor for tensor in graph.initializer if tensor.name == name]:
        graph.initializer.remove(tensor)
    graph.initializer.append(numpy_helper.from_array(values, name))
