from __future__ import annotations

import copy

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from distillery.inference import open_session, run_rows
from distillery.quantization.equalization import equalize
from distillery.quantization.quantize import static


def graph_of(nodes, constants, inputs, outputs):
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, inputs)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def weights(model):
    known = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    layers = [n for n in model.graph.node if n.op_type in ("Conv", "Gemm")]
    return [[known[name] for name in layer.input[1:]] for layer in layers]


def run(model, x):
    return open_session(model.SerializeToString()).run(None, {"input": x})


def dense(first, bias, second):
    nodes = [
        helper.make_node("Gemm", ["input", "w", "b"], ["y"], transB=1),
        helper.make_node("Relu", ["y"], ["r"]),
        helper.make_node("Gemm", ["r", "v"], ["logits"], transB=1),
    ]
    return graph_of(nodes, {"w": first, "b": bias, "v": second}, ["n", 2], ["logits"])


def test_two_layers_by_hand():
    """r1 = (8, 1), r2 = (2, 4): s = sqrt(r1 r2) / r2 = (2, 1/2), and both reach sqrt(r1 r2) = (4, 2)."""
    model = dense([[8, -4], [0.5, 1]], [6, 3], [[2, 4], [-1, 1]])
    equalize(model)
    (first, bias), (second,) = weights(model)
    np.testing.assert_allclose(first, [[4, -2], [1, 2]])
    np.testing.assert_allclose(bias, [3, 6])
    np.testing.assert_allclose(second, [[4, 2], [-2, 0.5]])


def test_a_channel_that_is_dead_on_either_side_stays_as_it_is():
    model = dense([[0, 0], [4, 1]], [1, 1], [[2, 0], [1, 0]])
    equalize(model)
    (first, bias), (second,) = weights(model)
    np.testing.assert_array_equal(first, [[0, 0], [4, 1]])
    np.testing.assert_array_equal(bias, [1, 1])
    np.testing.assert_array_equal(second, [[2, 0], [1, 0]])


def convolutions(random):
    """A convolution, a depthwise one and a dense-like one, with channels of very different ranges."""
    spread = 10.0 ** random.uniform(-2, 2, (4, 1, 1, 1))
    constants = {
        "a": random.normal(size=(4, 2, 3, 3)) * spread, "ab": random.normal(size=4),
        "d": random.normal(size=(4, 1, 3, 3)) * spread[::-1], "db": random.normal(size=4),
        "p": random.normal(size=(3, 4, 1, 1)), "pb": random.normal(size=3),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["input", "a", "ab"], ["y0"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["y0"], ["y1"]),
        helper.make_node("Conv", ["y1", "d", "db"], ["y2"], group=4),
        helper.make_node("Relu", ["y2"], ["y3"]),
        helper.make_node("Conv", ["y3", "p", "pb"], ["logits"]),
    ]
    return graph_of(nodes, constants, ["n", 2, 5, 5], ["logits"])


@given(st.integers(0, 2**32 - 1))
def test_what_is_computed_stays_and_channels_meet_at_one_range(seed):
    random = np.random.default_rng(seed)
    model = convolutions(random)
    equal = copy.deepcopy(model)
    equalize(equal)
    x = random.normal(size=(3, 2, 5, 5)).astype(np.float32)
    (before,), (after,) = run(model, x), run(equal, x)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5 * np.abs(before).max())
    first, deep, last = (layer[0] for layer in weights(equal))
    reach = [np.abs(first).max((1, 2, 3)), np.abs(deep).max((1, 2, 3)), np.abs(last).max((0, 2, 3))]
    np.testing.assert_allclose(reach[0], reach[1], rtol=1e-3)
    np.testing.assert_allclose(reach[1], reach[2], rtol=1e-3)


def test_what_others_read_too_is_left_alone():
    """A residual stream, and an output that is shown."""
    random = np.random.default_rng(0)
    constants = {"w": random.normal(size=(2, 2)), "v": random.normal(size=(2, 2))}
    layers = [helper.make_node("Gemm", ["input", "w"], ["y"]), helper.make_node("Gemm", ["y", "v"], ["z"])]
    added = graph_of(
        [*layers, helper.make_node("Add", ["y", "z"], ["logits"])], constants, ["n", 2], ["logits"]
    )
    shown = graph_of(layers, constants, ["n", 2], ["z", "y"])
    for model in (added, shown):
        before = weights(model)
        equalize(model)
        np.testing.assert_array_equal(before, weights(model))


def test_equal_weights_that_are_stored_once_are_scaled_apart():
    nodes = [
        helper.make_node("Gemm", ["input", "w"], ["y"]),
        helper.make_node("Relu", ["y"], ["r"]),
        helper.make_node("Gemm", ["r", "w"], ["logits"]),
    ]
    model = graph_of(nodes, {"w": [[1, 9], [0.1, 2]]}, ["n", 2], ["logits"])
    x = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    (before,) = run(model, x)
    equalize(model)
    np.testing.assert_allclose(run(model, x)[0], before, rtol=1e-5)
    assert "w" not in {tensor.name for tensor in model.graph.initializer}
    (first,), (second,) = weights(model)
    np.testing.assert_allclose(np.abs(first).max(0), np.abs(second).max(1), rtol=1e-6)


@pytest.mark.parametrize("family", ["mlp", "resnet"])
def test_a_students_logits_stay(files, rows, family):
    model = onnx.load_from_string(files[family])
    equalize(model)
    positions = np.arange(200)
    before = run_rows(open_session(files[family]), rows, positions)
    after = run_rows(open_session(model.SerializeToString()), rows, positions)
    np.testing.assert_allclose(after, before, atol=1e-5 * np.abs(before).max())
    assert not np.array_equal(weights(model)[1][0], weights(onnx.load_from_string(files[family]))[1][0])


def test_channels_of_very_different_ranges_survive_one_scale_a_tensor(files, rows, static_params):
    """What the method is for: eight bits a tensor lose the small channels, unless they are made equal."""
    uneven = onnx.load_from_string(files["mlp"])
    known = {t.name: t for t in uneven.graph.initializer}
    first, second = [n for n in uneven.graph.node if n.op_type == "Gemm"]
    spread = np.where(np.arange(16) % 2, 2.0**-10, 1).astype(np.float32)
    for name, by in (
        (first.input[1], spread[:, None]),
        (first.input[2], spread),
        (second.input[1], 1 / spread),
    ):
        array = numpy_helper.to_array(known[name]) * by
        known[name].CopyFrom(numpy_helper.from_array(array, name))
    positions = np.arange(len(rows.labels))
    student = run_rows(open_session(files["mlp"]), rows, positions).argmax(1)
    agreed = {}
    for on in (False, True):
        content = static(uneven, rows, static_params(weights="per_tensor", equalize=on))
        agreed[on] = (run_rows(open_session(content), rows, positions).argmax(1) == student).mean()
    assert agreed[False] < 0.8
    assert agreed[True] > 0.95
