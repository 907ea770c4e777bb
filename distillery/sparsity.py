"""What pruning single weights comes to in a file: how many are zero, and how small it travels.

Zeros are stored and multiplied as any other number; only a compressed file is smaller for them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto

from distillery.integers import attribute, weights
from distillery.operators import macs_by_weight
from distillery.sequence_macs import CELL_INPUTS

LEVEL = 9


def transport_bytes(content: bytes) -> int:
    """The size that a file travels with: zlib at its hardest, which servers and archives can undo."""
    return len(zlib.compress(content, LEVEL))


def zero_share(content: bytes) -> float:
    """Share of the kernels and matrices that mean exactly zero: as integers, that equal their zero point."""
    model = onnx.load_from_string(content)
    names = set(macs_by_weight(model))
    known = weights(model.graph)
    zeros = {name: np.zeros((), known[name].dtype) for name in names}
    zeros |= {name: zero for name, zero in _zero_points(model.graph, known) if name in names}
    total = sum(known[name].size for name in names)
    return sum(int((known[name] == zeros[name]).sum()) for name in names) / total if total else 0.0


def _zero_points(graph: GraphProto, known: dict[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Stored weights and their zero points, which broadcast against them."""
    for node in graph.node:
        match node.op_type:
            case "DequantizeLinear" if node.input[0] in known and len(node.input) > 2:
                weight, zero = known[node.input[0]], known[node.input[2]]
                yield node.input[0], _along(zero, weight.ndim, attribute(node, "axis", 1))
            case "ConvInteger" | "MatMulInteger" if len(node.input) > 3 and node.input[1] in known:
                weight, zero = known[node.input[1]], known[node.input[3]]
                yield node.input[1], _along(zero, weight.ndim, 0 if node.op_type == "ConvInteger" else -1)
            case "DynamicQuantizeLSTM":
                for weight_at, zero_at in ((1, CELL_INPUTS + 1), (2, CELL_INPUTS + 3)):
                    zero = known[node.input[zero_at]]  # a direction
                    yield node.input[weight_at], _along(zero, known[node.input[weight_at]].ndim, 0)


def _along(zero: NDArray[Any], dimensions: int, axis: int) -> NDArray[Any]:
    """A zero point a channel, along its axis; one for all stays as it is."""
    if zero.size == 1:
        return zero.reshape(())
    return zero.reshape([-1 if at == axis % dimensions else 1 for at in range(dimensions)])
