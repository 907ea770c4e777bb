"""What an exporter writes round recurrent cells and a file does not need: it takes bytes and time."""

from __future__ import annotations

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, numpy_helper

CELLS = ("LSTM", "GRU")
INITIAL_STATES = 5  # of a cell's inputs, those from here on
JOINED = "cells_joined"


def plain_cells(model: ModelProto) -> ModelProto:
    """The model, in place: states that are zeros, as ours begin, or that nothing reads, are left out.

    A cell gives (steps, directions, batch, width). How that becomes (steps, batch, directions * width) is
    spelled as a shape that is known, where the exporter asks the tensors for it at every run.
    """
    graph = model.graph
    cells = [node for node in graph.node if node.op_type in CELLS]
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    for cell in cells:
        del cell.input[INITIAL_STATES:]
        while not cell.input[-1]:
            del cell.input[-1]
        while cell.output[-1] not in read:
            del cell.output[-1]
        _join_directions(graph, cell)
    if cells:
        graph.initializer.append(numpy_helper.from_array(np.array([0, 0, -1], np.int64), JOINED))
    return model


def _join_directions(graph: GraphProto, cell: NodeProto) -> None:
    """A zero in a shape keeps the dimension that is there."""
    (turned,) = _readers(graph, cell.output[0], "Transpose")
    for reshaped in _readers(graph, turned.output[0], "Reshape"):
        reshaped.input[1] = JOINED
        for attribute in [a for a in reshaped.attribute if a.name == "allowzero"]:
            reshaped.attribute.remove(attribute)


def _readers(graph: GraphProto, tensor: str, kind: str) -> list[NodeProto]:
    return [node for node in graph.node if node.op_type == kind and node.input[0] == tensor]
