from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from distillery import graph as surgery
from distillery.export import trace
from distillery.graph import compact
from distillery.inference import class_names, open_session


@pytest.fixture(scope="module")
def raw(students):
    """What the exporter writes, before any surgery."""
    return trace(students["resnet"].folded())


def test_surgery_changes_no_logit(raw, files, rows):
    feed = {"input": rows.features[:20]}
    (before,) = open_session(raw.SerializeToString()).run(None, feed)
    (after,) = open_session(files["resnet"]).run(None, feed)
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("family", ["mlp", "resnet"])
def test_the_file_has_one_input_of_raw_rows_and_one_output_of_logits(files, rows, family):
    session = open_session(files[family])
    (given,), (taken,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("input", "tensor(uint8)", ["batch", 8, 8, 1])
    assert (taken.name, taken.type, taken.shape) == ("logits", "tensor(float)", ["batch", 10])


def test_the_class_names_are_inside_whatever_they_hold(raw):
    names = ("zéro", 'qu"ote', "漢字", *"3456789")
    assert class_names(open_session(compact(copy_of(raw), names))) == names


def copy_of(model):
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def test_no_source_path_and_no_other_metadata_is_in_the_file(raw, files):
    assert b".py" in raw.SerializeToString()  # the exporter puts it there
    for content in files.values():
        model = onnx.load_from_string(content)
        assert b".py" not in content
        assert b"/" not in without_weights(content)
        assert {p.key: p.value for p in model.metadata_props} == {"classes": json.dumps(list("0123456789"))}
        assert (model.producer_name, model.producer_version, model.doc_string) == ("distillery", "", "")
        assert not model.graph.value_info
        assert not model.functions
        for part in (model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input):
            assert not part.doc_string
            assert not list(getattr(part, "metadata_props", ()))
        assert not any(node.name for node in model.graph.node)


def without_weights(content):
    """The file less the constants' bytes, which may hold anything."""
    model = onnx.load_from_string(content)
    for tensor in model.graph.initializer:
        tensor.raw_data = b""
    return model.SerializeToString()


def test_tensor_names_are_short(files):
    for content in files.values():
        graph = onnx.load_from_string(content).graph
        names = {n for node in graph.node for n in (*node.input, *node.output)} - {"input", "logits"}
        assert max(map(len, names)) <= 2


def test_short_names_never_repeat():
    names = surgery._short_names()
    first = [next(names) for _ in range(52 * 53 + 10)]
    assert len(set(first)) == len(first)
    assert first[:2] + first[51:54] == ["a", "b", "Z", "aa", "ab"]


def test_the_same_graph_gives_the_same_bytes_twice(raw, files, rows):
    assert compact(copy_of(raw), rows.classes) == files["resnet"] == compact(copy_of(raw), rows.classes)


def test_the_names_of_the_graph_that_came_in_do_not_matter(raw, files, rows):
    renamed = copy_of(raw)
    kept = {"input", "logits", ""}
    for node in renamed.graph.node:
        node.name = f"node/{node.name}"
        for tensors in (node.input, node.output):
            for i, name in enumerate(tensors):
                tensors[i] = name if name in kept else f"a_long_prefix/{name}"
    for tensor in renamed.graph.initializer:
        tensor.name = f"a_long_prefix/{tensor.name}"
    for value in renamed.graph.value_info:
        value.name = f"a_long_prefix/{value.name}"
    assert compact(renamed, rows.classes) == files["resnet"]


def test_the_same_weights_give_the_same_bytes_in_another_process(students, files, tmp_path):
    from distillery.models.network import save_model

    for family, model in students.items():
        (tmp_path / family).mkdir()
        save_model(model, tmp_path / family)
    code = (
        "import sys, hashlib; from pathlib import Path; from distillery.export import export;"
        "from distillery.models.network import load_model;"
        "names = tuple('0123456789'); root = Path(sys.argv[1]);"
        "[(root / f'{f}.onnx').write_bytes(export(load_model(root / f), names)) for f in ('mlp', 'resnet')]"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    for family, content in files.items():
        assert (tmp_path / f"{family}.onnx").read_bytes() == content


def small(nodes, constants, opset=21):
    """input (batch, 2) -> logits (batch, 2)."""
    shape = ["batch", 2]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


W = np.array([[0.5, -1.0], [0.25, 0.125]], np.float32)
SCALE, ZERO = np.float32(0.01), np.int8(0)


def rounded(name, source, zero="z"):
    return [
        helper.make_node("QuantizeLinear", [source, "s", zero], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", "s", zero], [name]),
    ]


def test_a_float_weight_behind_quantize_linear_is_stored_as_its_integers():
    nodes = [*rounded("wd", "w"), helper.make_node("MatMul", ["input", "wd"], ["logits"])]
    model = small(nodes, {"w": W, "s": SCALE, "z": ZERO})
    x = {"input": np.array([[1.0, 2.0]], np.float32)}
    (before,) = open_session(model.SerializeToString()).run(None, x)
    content = compact(copy_of(model), ("a", "b"))
    stored = [numpy_helper.to_array(t) for t in onnx.load_from_string(content).graph.initializer]
    (weight,) = (array for array in stored if array.ndim == 2)
    assert (weight.dtype, weight.tolist()) == (np.int8, [[50, -100], [25, 12]])
    np.testing.assert_array_equal(open_session(content).run(None, x)[0], before)


@pytest.mark.parametrize(("kind", "inputs"), [("MatMul", 3), ("Add", 2)])
def test_a_zero_point_of_zeros_is_spelt_out_just_where_integer_kernels_ask_for_it(kind, inputs):
    nodes = [*rounded("wd", "w"), helper.make_node(kind, ["input", "wd"], ["logits"])]
    graph = onnx.load_from_string(compact(small(nodes, {"w": W, "s": SCALE, "z": ZERO}), ("a", "b"))).graph
    assert [len(n.input) for n in graph.node if n.op_type == "DequantizeLinear"] == [inputs]


def test_logits_are_not_rounded():
    nodes = [helper.make_node("MatMul", ["input", "w"], ["y"]), *rounded("logits", "y")]
    content = compact(small(nodes, {"w": W, "s": SCALE, "z": ZERO}), ("a", "b"))
    assert [node.op_type for node in onnx.load_from_string(content).graph.node] == ["MatMul"]
    x = np.array([[1.0, 2.0]], np.float32)
    np.testing.assert_allclose(open_session(content).run(None, {"input": x})[0], x @ W, rtol=1e-6)


@pytest.mark.parametrize(("zero", "kinds"), [(np.uint8(0), 0), (np.uint8(3), 1), (np.int8(0), 1)])
def test_a_relu_goes_just_where_saturation_does_its_work(zero, kinds):
    nodes = [
        helper.make_node("Add", ["input", "a"], ["y"]),
        helper.make_node("Relu", ["y"], ["r"]),
        *rounded("d", "r"),
        helper.make_node("Mul", ["d", "a"], ["logits"]),
    ]
    model = small(nodes, {"a": np.ones(2, np.float32), "s": SCALE, "z": zero})
    x = {"input": np.array([[-3.0, 0.5], [-1.0, -2.0]], np.float32)}
    (before,) = open_session(model.SerializeToString()).run(None, x)
    content = compact(copy_of(model), ("a", "b"))
    assert [n.op_type for n in onnx.load_from_string(content).graph.node].count("Relu") == kinds
    np.testing.assert_array_equal(open_session(content).run(None, x)[0], before)


def test_equal_constants_are_stored_once_and_unused_ones_not_at_all():
    nodes = [
        helper.make_node("MatMul", ["input", "w"], ["y"]),
        helper.make_node("MatMul", ["y", "v"], ["logits"]),
        helper.make_node("Relu", ["y"], ["nobody_reads"]),
    ]
    graph = onnx.load_from_string(
        compact(small(nodes, {"w": W, "v": W.copy(), "unused": W + 1}), ("a", "b"))
    ).graph
    assert len(graph.initializer) == 1
    assert [node.op_type for node in graph.node] == ["MatMul", "MatMul"]


def test_equal_bytes_of_another_type_or_shape_stay_apart():
    nodes = [
        helper.make_node("Add", ["input", "a"], ["y"]),
        helper.make_node("Mul", ["y", "b"], ["logits"]),
    ]
    constants = {"a": np.ones(2, np.float32), "b": np.ones((1, 2), np.float32)}
    assert len(onnx.load_from_string(compact(small(nodes, constants), ("a", "b"))).graph.initializer) == 2


def test_a_bias_between_dequantized_operands_becomes_integers_of_the_product_scale():
    nodes = [
        *rounded("xd", "input"),
        *rounded("wd", "w"),
        helper.make_node("Gemm", ["xd", "wd", "bias"], ["y"]),
        *rounded("logits", "y"),
    ]
    bias = np.array([0.12341, -3.0], np.float32)
    content = compact(small(nodes, {"w": W, "bias": bias, "s": SCALE, "z": ZERO}), ("a", "b"))
    stored = {t.data_type: numpy_helper.to_array(t) for t in onnx.load_from_string(content).graph.initializer}
    assert stored[TensorProto.INT32].tolist() == [1234, -30_000]


def test_attributes_that_say_the_default_are_dropped_and_others_stay(files):
    nodes = [helper.make_node("Gemm", ["input", "w"], ["logits"], alpha=1.0, beta=1.0, transA=0, transB=1)]
    (node,) = onnx.load_from_string(compact(small(nodes, {"w": W}), ("a", "b"))).graph.node
    assert [a.name for a in node.attribute] == ["transB"]
    for node in onnx.load_from_string(files["resnet"]).graph.node:
        if node.op_type == "Conv":
            assert {a.name for a in node.attribute} <= {"pads", "strides"}
            assert all(set(a.ints) != {0} for a in node.attribute)


def test_an_axis_goes_where_one_scale_serves_all_and_stays_where_there_is_one_a_channel():
    scales = {"s": np.array(0.5, np.float32), "v": np.array([0.5, 0.25], np.float32)}
    nodes = [
        helper.make_node("DequantizeLinear", ["w", scale], [f"w{scale}"], axis=0) for scale in scales
    ] + [
        helper.make_node("MatMul", ["input", "ws"], ["h"]),
        helper.make_node("MatMul", ["h", "wv"], ["logits"]),
    ]
    stored = scales | {"w": np.arange(-2, 2, dtype=np.int8).reshape(2, 2)}
    graph = onnx.load_from_string(compact(small(nodes, stored), ("a", "b"))).graph
    rank = {t.name: len(t.dims) for t in graph.initializer}
    found = [(rank[n.input[1]], len(n.attribute)) for n in graph.node if n.op_type == "DequantizeLinear"]
    assert sorted(found) == [(0, 0), (1, 1)]


def test_an_axis_stays_where_the_scale_is_computed():
    nodes = [
        helper.make_node("ReduceMax", ["input"], ["s"], keepdims=0),
        helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=0),
        helper.make_node("MatMul", ["input", "d"], ["logits"]),
    ]
    stored = {"w": np.arange(-2, 2, dtype=np.int8).reshape(2, 2)}
    graph = onnx.load_from_string(compact(small(nodes, stored), ("a", "b"))).graph
    (node,) = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    assert [attribute.name for attribute in node.attribute] == ["axis"]


@pytest.mark.parametrize(("shape", "attributes"), [([-1, 2], 0), ([0, 2], 1)])
def test_how_a_zero_in_a_shape_is_read_is_said_just_where_there_is_one(shape, attributes):
    reshape = helper.make_node("Reshape", ["input", "shape"], ["logits"], allowzero=1)
    content = compact(small([reshape], {"shape": np.array(shape, np.int64)}), ("a", "b"))
    (node,) = onnx.load_from_string(content).graph.node
    assert len(node.attribute) == attributes


def test_constant_nodes_become_stored_constants():
    constant = helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(W, "any"))
    nodes = [constant, helper.make_node("MatMul", ["input", "w"], ["logits"])]
    graph = onnx.load_from_string(compact(small(nodes, {}), ("a", "b"))).graph
    assert [node.op_type for node in graph.node] == ["MatMul"]
    np.testing.assert_array_equal(numpy_helper.to_array(graph.initializer[0]), W)


def test_a_graph_that_is_not_legal_onnx_is_not_shipped():
    nodes = [helper.make_node("NoSuchOperator", ["input"], ["logits"])]
    with pytest.raises((onnx.checker.ValidationError, onnx.shape_inference.InferenceError)):
        compact(small(nodes, {}), ("a", "b"))


def indexed(indices):
    """logits (batch, 2) are two sums of columns of the input that the indices pick."""
    weight = np.ones((len(indices), 2), np.float32)
    nodes = [
        helper.make_node("Gather", ["input", "i"], ["y"], axis=1),
        helper.make_node("MatMul", ["y", "w"], ["logits"]),
    ]
    return small(nodes, {"i": np.asarray(indices, np.int64), "w": weight})


@pytest.mark.parametrize(
    ("indices", "kind"),
    [([0, 1] * 50, TensorProto.UINT8), ([-1, 0] * 50, TensorProto.INT8), ([0, 1] * 3, TensorProto.INT64)],
)
def test_a_long_list_of_indices_is_stored_in_as_few_bytes_as_it_needs(indices, kind):
    model = indexed(indices)
    x = {"input": np.array([[1.0, 2.0]], np.float32)}
    (before,) = open_session(model.SerializeToString()).run(None, x)
    content = compact(copy_of(model), ("a", "b"))
    assert {t.data_type for t in onnx.load_from_string(content).graph.initializer} == {
        TensorProto.FLOAT,
        kind,
    }
    np.testing.assert_array_equal(open_session(content).run(None, x)[0], before)
    assert compact(onnx.load_from_string(content), ("a", "b")) == content


def test_indices_of_either_sign_take_what_both_ends_need():
    from distillery.graph import _narrow_indices

    model = indexed([0, 1])
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.arange(-2, 300), "i"))
    _narrow_indices(model.graph)
    (stored,) = (numpy_helper.to_array(t) for t in model.graph.initializer if t.name == "i_narrow")
    assert stored.dtype == np.int16
    np.testing.assert_array_equal(stored, np.arange(-2, 300))
