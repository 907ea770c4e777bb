"""Multiply-accumulates that no kernel and no dense layer does: of recurrent cells, and of attention.

A cell multiplies its two matrices at every step. Attention multiplies activations by each other, so there is
no stored weight by which to find the product again in an optimized graph: these go by their order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from onnx import GraphProto, ModelProto, NodeProto

CELLS = frozenset({"LSTM", "GRU", "DynamicQuantizeLSTM"})
CELL_INPUTS = 8  # of a quantized cell; what comes after are the scales and zero points of its weights
MATMUL = "MatMul"

Shapes = Mapping[str, list[int]]  # of tensors, for one row


def with_known_cells(model: ModelProto) -> ModelProto:
    """The model, in place, plain cells where it has quantized ones, whose shapes ONNX does not know."""
    for node in [node for node in model.graph.node if node.op_type == "DynamicQuantizeLSTM"]:
        node.op_type, node.domain = "LSTM", ""
        del node.input[CELL_INPUTS:]
    return model


def cell_macs(cell: NodeProto, shapes: Shapes, weights: Shapes) -> dict[str, int]:
    """By weight: steps x (directions, gates * width, inputs or width)."""
    steps = shapes[cell.output[0]][0]
    return {name: steps * math.prod(weights[name]) for name in cell.input[1:3]}


def product_macs(graph: GraphProto, shapes: Shapes, stored: Mapping[str, object]) -> Iterator[int]:
    """Of each product of two activations, in order."""
    computed = {name for node in graph.node for name in node.output if not _is_stored(node, stored)}
    for node in graph.node:
        if node.op_type == MATMUL and computed.issuperset(node.input):
            yield math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _is_stored(node: NodeProto, stored: Mapping[str, object]) -> bool:
    return node.op_type == "DequantizeLinear" and node.input[0] in stored
