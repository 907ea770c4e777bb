"""A file's weights one by one: how they are stored, how many are zero, and how far they are from the float's.

A weight is a constant of two dimensions or more that a compute operator reads, through the node that
dequantizes it where there is one. Files do not keep names, and quantizers change the order of branches: a
weight is compared with that one of the float file, of the same shape, which is nearest to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto

from distillery.integers import attribute, constants, producers
from distillery.operators import FLOAT, INTEGER

WEIGHTED = INTEGER | FLOAT | frozenset({"ConvTranspose", "Gather", "GRU", "LSTM", "RNN"})
FOUR_BITS = (TensorProto.INT4, TensorProto.UINT4)
ON_INTEGERS = ("ConvInteger", "MatMulInteger")


@dataclass(frozen=True)
class Layer:
    """One weight. `error`: the mean squared difference from the float file's; None where it has none."""

    kind: str
    shape: tuple[int, ...]
    bits: int
    bytes: int
    zero_share: float
    error: float | None


@dataclass(frozen=True)
class _Weight:
    kind: str
    bits: int
    stored: NDArray[Any]
    zero: NDArray[Any]  # broadcasts against it
    values: NDArray[np.float64] | None  # what it means; None where that cannot be told


def layers_of(content: bytes, reference: bytes | None) -> tuple[Layer, ...]:
    """The weights of an ONNX file, in order; `reference` is the float file of the same network."""
    floats = [w.values for w in _weights(reference) if w.values is not None] if reference else []
    return tuple(_layer(weight, floats) for weight in _weights(content))


def _layer(weight: _Weight, floats: list[NDArray[np.float64]]) -> Layer:
    size = weight.stored.size
    return Layer(
        weight.kind,
        weight.stored.shape,
        weight.bits,
        math.ceil(size * weight.bits / 8),
        float((weight.stored == weight.zero).mean()) if size else 0.0,
        _nearest(weight.values, floats),
    )


def _nearest(values: NDArray[np.float64] | None, floats: list[NDArray[np.float64]]) -> float | None:
    """The distance to the nearest of the floats, which is taken out; a matrix may lie the other way round."""
    errors: dict[int, float] = {}
    for at, other in enumerate(floats):
        turned = other if values is None or values.shape == other.shape else other.T
        if values is not None and values.shape == turned.shape:
            errors[at] = float(np.square(values - turned).mean())
    if not errors:
        return None
    nearest = min(errors, key=lambda at: errors[at])
    del floats[nearest]
    return errors[nearest]


def _weights(content: bytes) -> Iterator[_Weight]:
    graph = onnx.load_from_string(content).graph
    known, made = constants(graph), producers(graph)
    bits = {t.name: 4 if t.data_type in FOUR_BITS else 8 * known[t.name].itemsize for t in graph.initializer}
    for node in graph.node:
        for name in node.input if node.op_type in WEIGHTED else ():
            source = made.get(name)
            through = source if source is not None and source.op_type == "DequantizeLinear" else None
            stored = through.input[0] if through is not None else name
            if stored in known and known[stored].ndim > 1:
                zero, values = _meaning(node, through, stored, graph, known)
                yield _Weight(_kind(node), bits[stored], known[stored], zero, values)


def _kind(node: NodeProto) -> str:
    return str(node.op_type).removesuffix("Integer")


def _meaning(
    node: NodeProto,
    through: NodeProto | None,
    stored: str,
    graph: GraphProto,
    known: dict[str, NDArray[Any]],
) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """The stored value that means zero, and what the weight means in numbers."""
    weight = known[stored]
    if through is not None:
        scale, zero = known[through.input[1]], _optional(through, 2, known, weight)
        axis = attribute(through, "axis", 1)
        size = attribute(through, "block_size", 0)
        scale, zero = (_spread(part, weight, axis, size) for part in (scale, zero))
        return zero, (weight.astype(np.float64) - zero) * scale
    if node.op_type not in ON_INTEGERS:
        return np.zeros((), weight.dtype), weight.astype(np.float64)
    axis = 0 if node.op_type == "ConvInteger" else -1
    zero = _spread(_optional(node, 3, known, weight), weight, axis, 0)
    later = _later_scale(node, graph, known)
    if later is None:
        return zero, None
    return zero, (weight.astype(np.float64) - zero) * _spread(later, weight, axis, 0)


def _later_scale(node: NodeProto, graph: GraphProto, known: dict[str, NDArray[Any]]) -> NDArray[Any] | None:
    """The weight's scale, with which the integer products are multiplied later, beside the input's scale."""
    readers = {name: reader for reader in graph.node for name in reader.input}
    made, at = producers(graph), readers.get(node.output[0])
    while at is not None and at.op_type in ("Cast", "Reshape"):
        at = readers.get(at.output[0])
    if at is None or at.op_type != "Mul":
        return None
    both = [made.get(name) for name in at.input]
    scales = next((maker for maker in both if maker is not None and maker.op_type == "Mul"), None)
    return next((known[name] for name in scales.input if name in known), None) if scales is not None else None


def _optional(node: NodeProto, at: int, known: dict[str, NDArray[Any]], weight: NDArray[Any]) -> NDArray[Any]:
    given = len(node.input) > at and node.input[at]
    return known[node.input[at]] if given else np.zeros((), weight.dtype)


def _spread(part: NDArray[Any], weight: NDArray[Any], axis: int, block: int) -> NDArray[Any]:
    """A scale or zero point, one for all, a channel or a block, so that it broadcasts against its weight."""
    wide = part.astype(np.float64)
    if wide.size == 1:
        return wide.reshape(())
    if wide.ndim == weight.ndim:
        repeated = np.repeat(wide, block, axis) if block else wide
        return np.take(repeated, range(weight.shape[axis]), axis) if block else repeated
    return wide.reshape([-1 if at == axis % weight.ndim else 1 for at in range(weight.ndim)])
