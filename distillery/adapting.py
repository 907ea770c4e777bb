"""An ONNX file of any origin, wrapped so that it takes raw rows and gives logits in the data's order.

What was there stays as it is, under a prefix; nodes are put before its input and after its output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

from distillery.data.form import Form, Series, Shape, Table, Tokens
from distillery.feeding import column_names
from distillery.params.teacher import Pixels
from distillery.tensors import CATEGORIES, CLASS_NAMES, COLUMN_NAMES, INPUT, LOGITS

PREFIX = "given_"
OPSET = 17  # for what is added, where the file itself has no plain operators
LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Pictures:
    """Images as a file takes them: the axes of (H, W, C) in its order, and its shape for one of them."""

    axes: tuple[int, ...]
    shape: tuple[int, ...]
    pixels: Pixels | None


@dataclass(frozen=True)
class Wiring:
    """How a file is joined to the rows and classes: by what its tensors are called and what they hold."""

    inputs: dict[str, tuple[str, int]]  # ours -> the file's own, and its element type
    pictures: Pictures | None
    output: str
    probabilities: bool
    columns: tuple[int, ...] | None  # of its output, in the order of our classes; None: as they are


def wrapped(model: ModelProto, wiring: Wiring, form: Form, classes: Sequence[str]) -> bytes:
    """The wrapped file; equal files and wirings give equal bytes."""
    inner = compose.add_prefix(model, PREFIX)
    del inner.graph.value_info[:]  # which may hold a batch of one
    before, constants = _front(wiring)
    after, more = _back(wiring)
    graph = helper.make_graph(
        [*before, *inner.graph.node, *after],
        "adopted",
        list(_inputs(form)),
        [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["batch", len(classes)])],
        [*inner.graph.initializer, *constants, *more],
        sparse_initializer=list(inner.graph.sparse_initializer),
    )
    opsets = list(inner.opset_import)
    if not any(opset.domain in ("", "ai.onnx") for opset in opsets):
        opsets.append(helper.make_opsetid("", OPSET))
    adopted = helper.make_model(
        graph, opset_imports=opsets, ir_version=inner.ir_version, functions=list(inner.functions)
    )
    names = {CLASS_NAMES: json.dumps(list(classes), ensure_ascii=False)}
    if isinstance(form, Table):
        names[COLUMN_NAMES] = json.dumps(column_names(form), ensure_ascii=False)
    helper.set_model_props(adopted, names)
    content: bytes = adopted.SerializeToString(deterministic=True)
    return content


def _inputs(form: Form) -> Iterator[object]:
    """What a file of ours takes for such rows."""
    match form:
        case Shape():
            size = ["batch", form.height, form.width, form.channels]
            yield helper.make_tensor_value_info(INPUT, TensorProto.UINT8, size)
        case Table():
            kinds = {INPUT: TensorProto.FLOAT, CATEGORIES: TensorProto.STRING}
            for tensor, names in column_names(form).items():
                yield helper.make_tensor_value_info(tensor, kinds[tensor], ["batch", len(names)])
        case Series():
            size = ["batch", form.length, form.channels]
            yield helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, size)
        case Tokens():
            yield helper.make_tensor_value_info(INPUT, TensorProto.INT64, ["batch", form.length])


def _front(wiring: Wiring) -> tuple[list[NodeProto], list[TensorProto]]:
    """From our inputs to the file's own."""
    if wiring.pictures is not None:
        ((given, kind),) = wiring.inputs.values()
        return _pictures_front(wiring.pictures, PREFIX + given, kind)
    nodes = []
    for ours, (given, kind) in wiring.inputs.items():
        if kind == TensorProto.STRING:
            nodes.append(helper.make_node("Identity", [ours], [PREFIX + given]))
        else:
            nodes.append(helper.make_node("Cast", [ours], [PREFIX + given], to=kind))
    return nodes, []


def _pictures_front(pictures: Pictures, given: str, kind: int) -> tuple[list[NodeProto], list[TensorProto]]:
    """Bytes (batch, H, W, C) become floats where the file takes them, its order of axes, and its shape."""
    nodes, constants, here = [], [], INPUT
    if pictures.pixels is not None:
        steps = (
            ("Div", (pictures.pixels.divide_by,)),
            ("Sub", pictures.pixels.mean),
            ("Div", pictures.pixels.std),
        )
        nodes.append(helper.make_node("Cast", [INPUT], ["pixels"], to=TensorProto.FLOAT))
        here = "pixels"
        for number, (operator, values) in enumerate(steps):
            constants.append(numpy_helper.from_array(np.array(values, np.float32), f"scale_{number}"))
            nodes.append(helper.make_node(operator, [here, f"scale_{number}"], [f"scaled_{number}"]))
            here = f"scaled_{number}"
    if pictures.axes != (0, 1, 2):
        order = [0, *(axis + 1 for axis in pictures.axes)]
        nodes.append(helper.make_node("Transpose", [here], ["turned"], perm=order))
        here = "turned"
    if len(pictures.shape) != 3:
        constants.append(numpy_helper.from_array(np.array([-1, *pictures.shape], np.int64), "shape"))
        nodes.append(helper.make_node("Reshape", [here, "shape"], ["reshaped"]))
        here = "reshaped"
    nodes.append(helper.make_node("Cast", [here], [given], to=kind))
    return nodes, constants


def _back(wiring: Wiring) -> tuple[list[NodeProto], list[TensorProto]]:
    """From the file's output to our logits; logs of probabilities are logits, whose softmax gives them."""
    nodes, constants, here = [], [], PREFIX + wiring.output
    if wiring.probabilities:
        nodes.append(helper.make_node("Cast", [here], ["shares"], to=TensorProto.FLOAT))
        constants.append(numpy_helper.from_array(np.array(LEAST_PROBABILITY, np.float32), "least"))
        nodes.append(helper.make_node("Max", ["shares", "least"], ["likely"]))
        nodes.append(helper.make_node("Log", ["likely"], ["logs"]))
        here = "logs"
    if wiring.columns is not None:
        constants.append(numpy_helper.from_array(np.array(wiring.columns, np.int64), "classes"))
        nodes.append(helper.make_node("Gather", [here, "classes"], ["chosen"], axis=1))
        here = "chosen"
    nodes.append(helper.make_node("Cast", [here], [LOGITS], to=TensorProto.FLOAT))
    return nodes, constants
