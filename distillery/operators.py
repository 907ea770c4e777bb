"""Which compute operators really run in integer, and how many multiply-accumulates each does.

Multiply-accumulates are counted in the file's own graph, by shape; what ran is read from the graph that
ONNX Runtime optimized. The weight, which fusion leaves by name, tells which operator became which.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime as ort
from onnx import GraphProto, NodeProto, shape_inference

from distillery.integers import attribute, producers, weights
from distillery.sequence_macs import CELLS, cell_macs, product_macs, with_known_cells

INTEGER = frozenset(
    {
        "QLinearConv",
        "QLinearMatMul",
        "QGemm",
        "ConvInteger",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "DynamicQuantizeMatMul",
        "DynamicQuantizeLSTM",
    }
)
FLOAT = frozenset({"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "LSTM", "GRU"})


@dataclass(frozen=True)
class Operator:
    """A compute operator of the optimized graph and its multiply-accumulates for one row."""

    kind: str
    macs: int

    @property
    def is_integer(self) -> bool:
        """Whether its multiply-accumulates are on integers."""
        return self.kind in INTEGER


def compute_operators(content: bytes) -> list[Operator]:
    """The compute operators that ONNX Runtime runs for one row of this file, in order.

    Optimization stops before layout changes, which rename weights and pad channels.
    """
    model = onnx.load_from_string(content)
    macs, products = macs_by_weight(model), _products(model)
    with tempfile.TemporaryDirectory() as scratch:
        options = ort.SessionOptions()
        options.optimized_model_filepath = str(Path(scratch) / "optimized.onnx")
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.log_severity_level = 3
        ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath).graph
    made = producers(graph)
    nodes = [node for node in graph.node if node.op_type in INTEGER | FLOAT]
    read = [[_stored(name, made) for name in node.input] for node in nodes]
    readers = Counter(name for names in read for name in names)  # equal weights are stored once
    counts = [sum(macs.get(w, 0) // readers[w] for w in names) for names in read]
    if counts.count(0) == len(products):  # activations by activations: what is left, in order
        left = iter(products)
        counts = [count or next(left) for count in counts]
    return [Operator(node.op_type, count) for node, count in zip(nodes, counts, strict=True)]


def integer_share(operators: list[Operator], total: int) -> float:
    """Share of a file's `total` multiply-accumulates that run on integers."""
    return sum(operator.macs for operator in operators if operator.is_integer) / total if total else 0.0


def count_macs(content: bytes) -> int:
    """All multiply-accumulates of one row."""
    model = onnx.load_from_string(content)
    return sum(macs_by_weight(model).values()) + sum(_products(model))


def macs_by_weight(model: onnx.ModelProto) -> dict[str, int]:
    """Multiply-accumulates of one row, by the name of the weight that they read."""
    graph, shapes = _shaped(model)
    stored = {name: list(array.shape) for name, array in weights(graph).items()}
    made = producers(graph)
    macs: dict[str, int] = {}
    for node in graph.node:
        weight = _weight(node, made)
        if node.op_type in CELLS:
            macs |= cell_macs(node, shapes, stored)
        elif weight in stored:
            outputs = math.prod(shapes[node.output[0]])
            macs[weight] = macs.get(weight, 0) + outputs * _dot_length(node, stored[weight])
    return macs


def _products(model: onnx.ModelProto) -> list[int]:
    """Multiply-accumulates of each product of two activations, in order."""
    graph, shapes = _shaped(model)
    return list(product_macs(graph, shapes, weights(graph)))


def _shaped(model: onnx.ModelProto) -> tuple[GraphProto, dict[str, list[int]]]:
    """The graph, and the shapes of its tensors, for one row."""
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graph = shape_inference.infer_shapes(with_known_cells(model), strict_mode=True, data_prop=True).graph
    known = (*graph.value_info, *graph.output)
    return graph, {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in known}


def _weight(node: NodeProto, made: dict[str, NodeProto]) -> str:
    """The stored weight that a compute node reads; of others nothing."""
    return _stored(node.input[1], made) if node.op_type in INTEGER | FLOAT else ""


def _stored(name: str, made: dict[str, NodeProto]) -> str:
    """A tensor, through the node that dequantizes it; a weight of four bits goes by its name unpacked."""
    source = made.get(name)
    return str(source.input[0] if source is not None and source.op_type == "DequantizeLinear" else name)


def _dot_length(node: NodeProto, weight: list[int]) -> int:
    """How many products each output element sums."""
    if "Conv" in node.op_type:
        return math.prod(weight[1:])  # (channels, inputs/group, k, k)
    return weight[-1] if attribute(node, "transB", 0) else weight[-2]
