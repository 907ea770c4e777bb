"""Cross-layer equalization: one layer's channels are scaled down and the next one's inputs up, or reversed.

relu(W1 x + b1) with row i divided by s_i > 0 is divided by s_i, which W2 with column i times s_i undoes. With
s_i = sqrt(r1_i r2_i) / r2_i, r the largest magnitude that a channel's weights have, both layers get channels
of equal range, so one scale a tensor suits all (Nagel et al. 2019, https://arxiv.org/abs/1906.04721, eq. 11).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, numpy_helper

from distillery.integers import attribute, constants
from distillery.quantization.weight_bits import output_axis

ROUNDS = 20  # over all pairs; chains of three layers and more converge, they do not end
LAYERS = ("Conv", "Gemm")


@dataclass(frozen=True)
class Pair:
    """Two layers with nothing between them but a ReLU, and the axes that their channels lie on."""

    first: NodeProto
    second: NodeProto
    outputs: int  # axis of the first weight
    inputs: int  # axis of the second weight


def equalize(model: ModelProto) -> None:
    """Equalize, in place, every pair of layers of a float graph; what it computes stays, but for rounding."""
    graph = model.graph
    _own_constants(graph)
    known = constants(graph)
    pairs = list(_pairs(graph, known))
    for _ in range(ROUNDS):
        for pair in pairs:
            _equalize_pair(pair, known)
    for tensor in graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(known[tensor.name], tensor.name))


def _equalize_pair(pair: Pair, known: dict[str, NDArray[Any]]) -> None:
    one, other = pair.first.input[1], pair.second.input[1]
    r1, r2 = _reach(known[one], pair.outputs), _reach(known[other], pair.inputs)
    alive = (r1 > 0) & (r2 > 0)
    s = np.where(alive, np.sqrt(r1 * r2) / np.where(alive, r2, 1), 1)
    known[one] = _scaled(known[one], pair.outputs, 1 / s)
    known[other] = _scaled(known[other], pair.inputs, s)
    if len(pair.first.input) == 3:
        bias = known[pair.first.input[2]]
        known[pair.first.input[2]] = _scaled(bias, bias.ndim - 1, 1 / s)


def _reach(weight: NDArray[Any], axis: int) -> NDArray[np.float64]:
    """Largest magnitude (channels,) along an axis."""
    others = tuple(i for i in range(weight.ndim) if i != axis)
    return np.asarray(np.abs(weight).max(axis=others).astype(np.float64))


def _scaled(values: NDArray[Any], axis: int, by: NDArray[np.float64]) -> NDArray[Any]:
    shape = [-1 if i == axis else 1 for i in range(values.ndim)]
    return np.asarray((values * by.reshape(shape)).astype(values.dtype))


def _pairs(graph: GraphProto, known: dict[str, NDArray[Any]]) -> Iterator[Pair]:
    shown = {output.name for output in graph.output}
    for first in [node for node in graph.node if node.op_type in LAYERS and _is_constant(node, known)]:
        second = _only_reader(graph, first.output[0], shown)
        if second is not None and second.op_type == "Relu":
            second = _only_reader(graph, second.output[0], shown)
        if second is None or second.op_type not in LAYERS or not _is_constant(second, known):
            continue
        pair = Pair(first, second, output_axis(first, known[first.input[1]].ndim), _input_axis(second, known))
        widths = known[first.input[1]].shape[pair.outputs], known[second.input[1]].shape[pair.inputs]
        if widths[0] == widths[1]:  # a grouped layer's inputs lie on no axis of their own
            yield pair


def _only_reader(graph: GraphProto, tensor: str, shown: set[str]) -> NodeProto | None:
    """The one node that reads a tensor as its first input; None where others read it too."""
    readers = [node for node in graph.node if tensor in node.input]
    alone = len(readers) == 1 and tensor not in shown and list(readers[0].input).index(tensor) == 0
    return readers[0] if alone else None


def _is_constant(node: NodeProto, known: dict[str, NDArray[Any]]) -> bool:
    """Whether the weight and the bias, a number a channel, are known."""
    biases = [known.get(name) for name in node.input[2:]]
    return node.input[1] in known and all(b is not None and b.ndim and b.shape[-1] > 1 for b in biases)


def _input_axis(node: NodeProto, known: dict[str, NDArray[Any]]) -> int:
    """Of a depthwise convolution, a channel's input is its output."""
    if node.op_type == "Conv":
        return 0 if attribute(node, "group", 1) == known[node.input[1]].shape[0] > 1 else 1
    return 1 if attribute(node, "transB", 0) else 0


def _own_constants(graph: GraphProto) -> None:
    """A copy of each weight and bias a layer: equal ones are stored once, and must not change together."""
    known = constants(graph)
    for number, node in enumerate(graph.node):
        for at in range(1, len(node.input)) if node.op_type in LAYERS else ():
            if node.input[at] in known:
                name = f"own_{number}_{at}"
                graph.initializer.append(numpy_helper.from_array(known[node.input[at]], name))
                node.input[at] = name
    read = {name for node in graph.node for name in node.input}
    for tensor in [t for t in graph.initializer if t.name not in read]:
        graph.initializer.remove(tensor)
