"""ONNX graph surgery: from what an exporter or a quantizer wrote to the file that ships.

Nothing here changes what the graph computes. What goes: metadata, source paths, long names, default
attributes, doubled constants. Equal graphs give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import count
from string import ascii_letters
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from distillery.integers import PASSING, constants, fold_integers
from distillery.tensors import CATEGORIES, CLASS_NAMES, COLUMN_NAMES, INPUT, LOGITS

PRODUCER = "distillery"
DEFAULTS: dict[str, object] = {
    "group": 1, "auto_pad": b"NOTSET", "beta": 1.0, "alpha": 1.0, "transA": 0, "allowzero": 0, "ceil_mode": 0,
    "count_include_pad": 0, "saturate": 1, "block_size": 0, "output_dtype": 0, "precision": 0,
}  # fmt: skip
ROUNDING = ("QuantizeLinear", "DequantizeLinear")
WORTH_A_CAST = 32  # numbers: a node takes some 30 bytes
SPELT_OUT = ("Gemm", "MatMul")  # without all zero points, ONNX Runtime leaves these in float


def compact(model: ModelProto, classes: tuple[str, ...]) -> bytes:
    """The bytes that ship: quantized constants folded, tensor names short.

    Of metadata only the names of the classes and of a table's columns.
    """
    graph = model.graph
    _constants_to_initializers(graph)
    fold_integers(graph)
    known = constants(graph)
    for node in graph.node:
        for attribute in [a for a in node.attribute if _says_nothing(a, node, known)]:
            node.attribute.remove(attribute)
    _merge_equal_constants(graph)
    _narrow_indices(graph)
    _drop_unused(graph)
    _rename(graph)
    return _serialize(_bare(model, classes))


def _constants_to_initializers(graph: GraphProto) -> None:
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        (attribute,) = node.attribute
        if attribute.name == "value":
            tensor = TensorProto()
            tensor.CopyFrom(attribute.t)
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
            graph.node.remove(node)


def _says_nothing(attribute: AttributeProto, node: NodeProto, known: Mapping[str, NDArray[Any]]) -> bool:
    """Whether the node computes the same without it."""
    value = helper.get_attribute_value(attribute)
    nothing = attribute.name in DEFAULTS and DEFAULTS[attribute.name] == value
    match attribute.name:
        case "dilations" | "strides":
            nothing = set(value) == {1}
        case "pads":
            nothing = set(value) == {0}
        case "count_include_pad":
            nothing |= not any(a.name == "pads" and any(a.ints) for a in node.attribute)
        case "kernel_shape":
            nothing = node.op_type == "Conv"  # known from the weight
        case "axis" if node.op_type in ROUNDING:
            scale = known.get(node.input[1])  # None: a network's own, computed
            nothing = value == 1 or (scale is not None and scale.ndim == 0)
        case "allowzero" if node.input[1] in known:  # which says how to read a zero
            nothing = bool(known[node.input[1]].all())
    return nothing


def _merge_equal_constants(graph: GraphProto) -> None:
    """One initializer a value; a zero point of zeros is the default, spelled out only where it must be."""
    kept: dict[tuple[object, ...], str] = {}
    replaced: dict[str, str] = {}
    known = constants(graph)
    spelt_out = _feeding(graph, SPELT_OUT)
    for name, array in known.items():
        replaced[name] = kept.setdefault((array.dtype.name, array.shape, array.tobytes()), name)
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = replaced.get(name, name)
        if node.op_type != "DequantizeLinear" or len(node.input) < 3 or node.output[0] in spelt_out:
            continue
        if not known[node.input[2]].any():
            del node.input[2]


def _feeding(graph: GraphProto, kinds: tuple[str, ...]) -> set[str]:
    """Tensors that nodes of these kinds read, directly or passed on."""
    names: set[str] = set()
    for node in reversed(graph.node):
        if node.op_type in kinds or (node.op_type in PASSING and node.output[0] in names):
            names.update(node.input)
    return names


def _narrow_indices(graph: GraphProto) -> None:
    """Long lists of whole numbers are stored in as few bytes as they need; ONNX Runtime widens them once."""
    for tensor in [t for t in graph.initializer if t.data_type == TensorProto.INT64]:
        wide = numpy_helper.to_array(tensor)
        if wide.size < WORTH_A_CAST:
            continue
        limits = (np.iinfo(kind) for kind in (np.uint8, np.int8, np.int16, np.int32, np.int64))
        fits = next(limit.dtype for limit in limits if limit.min <= wide.min() and wide.max() <= limit.max)
        name = f"{tensor.name}_narrow"
        graph.node.insert(0, helper.make_node("Cast", [name], [tensor.name], to=TensorProto.INT64))
        tensor.CopyFrom(numpy_helper.from_array(wide.astype(fits), name))


def _drop_unused(graph: GraphProto) -> None:
    """Nodes and initializers that nothing reads, from the back."""
    used = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if used.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            used.update(node.input)
    kept = sorted((t for t in graph.initializer if t.name in used), key=lambda t: t.name)
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _short_names() -> Iterator[str]:
    """a, b, ... Z, aa, ab, ..."""
    for number in count():
        name, rest = ascii_letters[number % 52], number // 52
        while rest:
            name, rest = ascii_letters[(rest - 1) % 52] + name, (rest - 1) // 52
        yield name


def _rename(graph: GraphProto) -> None:
    """Tensors in order of use get short names; initializers are sorted by theirs."""
    names = _short_names()
    short = {name: name for name in ("", INPUT, CATEGORIES, LOGITS)}
    for node in graph.node:
        for name in (*node.input, *node.output):
            if name not in short:
                short[name] = next(names)
        node.input[:] = [short[name] for name in node.input]
        node.output[:] = [short[name] for name in node.output]
    for tensor in graph.initializer:
        tensor.name = short[tensor.name]
    ordered = sorted(graph.initializer, key=lambda t: (len(t.name), t.name))
    del graph.initializer[:]
    graph.initializer.extend(ordered)


def _bare(model: ModelProto, classes: tuple[str, ...]) -> ModelProto:
    """A new model of just the nodes, constants, inputs, output, class and column names."""
    graph = model.graph
    tensors = [numpy_helper.from_array(numpy_helper.to_array(t), t.name) for t in graph.initializer]
    nodes = [_plain_node(node) for node in graph.node]
    inputs = [i for i in graph.input if i.name in (INPUT, CATEGORIES)]
    bare = helper.make_graph(
        nodes, "g", [_value(v) for v in inputs], [_value(v) for v in graph.output], tensors
    )
    opsets = [
        helper.make_opsetid(o.domain, o.version) for o in model.opset_import if o.domain in _domains(graph)
    ]
    result = helper.make_model(
        bare, opset_imports=opsets, producer_name=PRODUCER, ir_version=model.ir_version
    )
    columns = {p.key: p.value for p in model.metadata_props if p.key == COLUMN_NAMES}
    helper.set_model_props(result, {CLASS_NAMES: json.dumps(classes, ensure_ascii=False)} | columns)
    onnx.checker.check_model(result, full_check=True)
    return result


def _plain_node(node: NodeProto) -> NodeProto:
    plain = NodeProto(op_type=node.op_type, domain=node.domain, input=node.input, output=node.output)
    plain.attribute.extend(sorted(node.attribute, key=lambda a: a.name))
    return plain


def _value(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """Name, type and shape; the batch is `batch`."""
    kind = value.type.tensor_type
    shape = [d.dim_value if d.HasField("dim_value") else "batch" for d in kind.shape.dim]
    return helper.make_tensor_value_info(value.name, kind.elem_type, shape)


def _domains(graph: GraphProto) -> set[str]:
    return {node.domain for node in graph.node}


def _serialize(model: ModelProto) -> bytes:
    content: bytes = model.SerializeToString(deterministic=True)
    return content
