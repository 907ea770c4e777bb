"""What int8 changes in an ONNX graph: constants become the integers that they round to, and idle nodes go.

Nothing here changes what the graph computes, beyond putting float weights on the int8 grid that their own
QuantizeLinear would put them on, and biases on the grid of the products that they are added to.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from distillery.tensors import LOGITS

RECTIFIERS = ("Relu", "Clip")
PASSING = ("Reshape", "MaxPool")  # what comes out is among what goes in
FOUR_BITS = helper.tensor_dtype_to_np_dtype(TensorProto.INT4)  # two a byte in a file


def fold_integers(graph: GraphProto) -> None:
    """Every simplification of this file, in the order that they need."""
    _without_rounded_logits(graph)
    _fold_quantized_weights(graph)
    _quantize_biases(graph)
    _without_idle_rectifiers(graph)


def producers(graph: GraphProto) -> dict[str, NodeProto]:
    """Which node makes a tensor."""
    return {output: node for node in graph.node for output in node.output}


def constants(graph: GraphProto) -> dict[str, NDArray[Any]]:
    """Initializers as arrays."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def weights(graph: GraphProto) -> dict[str, NDArray[Any]]:
    """Initializers as compute reads them: those of four bits, which a Cast unpacks, by the name unpacked."""
    known = constants(graph)
    unpacked = {
        node.output[0]: known[node.input[0]].astype(np.int8)
        for node in graph.node
        if node.op_type == "Cast" and node.input[0] in known and known[node.input[0]].dtype == FOUR_BITS
    }
    return known | unpacked


def attribute(node: NodeProto, name: str, absent: int) -> int:
    """A node's whole number of that name; `absent` is the operator's default."""
    return next((int(a.i) for a in node.attribute if a.name == name), absent)


def quantize_linear(x: NDArray[Any], scale: NDArray[Any], zero: NDArray[Any], axis: int) -> NDArray[Any]:
    """ONNX QuantizeLinear: saturate(round_half_even(x / scale) + zero); a vector scale goes along `axis`."""
    if scale.ndim:
        shape = [-1 if i == axis % x.ndim else 1 for i in range(x.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    limits = np.iinfo(zero.dtype)
    rounded = np.rint(x / scale) + zero.astype(np.float32)
    return np.asarray(np.clip(rounded, limits.min, limits.max).astype(zero.dtype))


def _without_rounded_logits(graph: GraphProto) -> None:
    """Post-training quantizers round the logits too, which only makes ties: take that pair of nodes out."""
    made = producers(graph)
    last = made[LOGITS]
    if last.op_type != "DequantizeLinear" or made[last.input[0]].op_type != "QuantizeLinear":
        return
    rounding = made[last.input[0]]
    source = made[rounding.input[0]]
    source.output[list(source.output).index(rounding.input[0])] = LOGITS
    graph.node.remove(last)
    graph.node.remove(rounding)


def _fold_quantized_weights(graph: GraphProto) -> None:
    """QuantizeLinear of a constant becomes the integers themselves."""
    known = constants(graph)
    for node in [n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] in known]:
        axis = attribute(node, "axis", 1)
        x, scale, zero = (known[name] for name in node.input)
        values = quantize_linear(x, scale, zero, axis)
        graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        graph.node.remove(node)


def _quantize_biases(graph: GraphProto) -> None:
    """A float bias of dequantized operands goes to int32 at scale input x weight, as integer kernels ask."""
    known, made = constants(graph), producers(graph)
    for node in [n for n in graph.node if n.op_type in ("Conv", "Gemm") and len(n.input) == 3]:
        sources = [_source(name, made) for name in node.input[:2]]
        bias = known.get(node.input[2])
        if bias is None or any(s is None or not _has_eight_bits(s, known) for s in sources):
            continue
        scales = [known[source.input[1]] for source in sources if source is not None]
        scale = np.asarray(scales[0] * scales[1], np.float32)
        scale = scale.reshape(()) if scale.size == 1 else scale  # one for all is stored once
        integers = np.rint(bias.astype(np.float64) / scale).clip(-(2**31), 2**31 - 1).astype(np.int32)
        names = [f"{node.output[0]}_bias_{part}" for part in ("q", "scale", "dq")]
        graph.initializer.append(numpy_helper.from_array(integers, names[0]))
        graph.initializer.append(numpy_helper.from_array(scale, names[1]))
        along = {"axis": 0} if scale.ndim else {}
        dequantize = helper.make_node("DequantizeLinear", names[:2], names[2:], **along)
        graph.node.insert(list(graph.node).index(node), dequantize)
        node.input[2] = names[2]


def _has_eight_bits(node: NodeProto, known: dict[str, NDArray[Any]]) -> bool:
    """Whether a node dequantizes eight bits: of sixteen there are no integer kernels, and sums overflow."""
    if node.op_type != "DequantizeLinear":
        return False
    return len(node.input) < 3 or known[node.input[2]].dtype.itemsize == 1


def _source(name: str, made: dict[str, NodeProto]) -> NodeProto | None:
    """The node that makes a tensor's values; some only pass them on."""
    node = made.get(name)
    while node is not None and node.op_type in PASSING:
        node = made.get(node.input[0])
    return node


def _without_idle_rectifiers(graph: GraphProto) -> None:
    """A ReLU, or a ReLU6, that is only ever quantized may do no more than saturation does anyway."""
    known = constants(graph)
    for node in [node for node in graph.node if node.op_type in RECTIFIERS]:
        limits = [float(known[name]) for name in node.input[1:]] or [0.0, np.inf]
        readers = [reader for reader in graph.node if node.output[0] in reader.input]
        if readers and all(_saturates_within(reader, limits, known) for reader in readers):
            for reader in readers:
                reader.input[0] = node.input[0]
            graph.node.remove(node)


def _saturates_within(node: NodeProto, limits: list[float], known: dict[str, NDArray[Any]]) -> bool:
    """Whether the least and the largest integer stand for the limits, or for what lies between them."""
    if node.op_type != "QuantizeLinear" or len(node.input) != 3:
        return False
    scale, zero = known.get(node.input[1]), known.get(node.input[2])
    if scale is None or scale.ndim or zero is None or zero.dtype.kind != "u":
        return False
    with np.errstate(over="ignore"):  # a limit may be far beyond the integers
        ends = np.rint(np.asarray(limits, np.float32) / scale) + float(zero)
    return bool(ends[0] <= 0 and ends[1] >= np.iinfo(zero.dtype).max)
