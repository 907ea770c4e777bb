from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from distillery.integers import FOUR_BITS, fold_integers, quantize_linear, weights


def quantizer(kind, axis):
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=axis)
    values = [("x", TensorProto.FLOAT), ("s", TensorProto.FLOAT), ("z", kind)]
    inputs = [helper.make_tensor_value_info(name, element, None) for name, element in values]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("q", kind, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return ReferenceEvaluator(model)


KINDS = {np.int8: TensorProto.INT8, np.uint8: TensorProto.UINT8}


@given(st.sampled_from(list(KINDS)), st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_folding_uses_the_arithmetic_of_quantize_linear(kind, axis, seed):
    random = np.random.default_rng(seed)
    x = (random.normal(size=(3, 4, 2)) * 10.0 ** random.integers(-3, 4)).astype(np.float32)
    scale = random.uniform(1e-3, 2, x.shape[axis]).astype(np.float32)
    limits = np.iinfo(kind)
    zero = random.integers(limits.min, limits.max + 1, x.shape[axis]).astype(kind)
    (theirs,) = quantizer(KINDS[kind], axis).run(None, {"x": x, "s": scale, "z": zero})
    ours = quantize_linear(x, scale, zero, axis)
    assert ours.dtype == kind
    np.testing.assert_array_equal(ours, theirs)


@given(
    st.floats(2.0**-12, 1e3, width=32),
    st.integers(0, 255),
    st.lists(st.floats(-1e5, 1e5, width=32), min_size=1),
)
def test_a_single_scale_is_for_the_whole_tensor(scale, zero, values):
    x, s, z = np.array(values, np.float32), np.array(scale, np.float32), np.array(zero, np.uint8)
    (theirs,) = quantizer(TensorProto.UINT8, 0).run(None, {"x": x, "s": s, "z": z})
    np.testing.assert_array_equal(quantize_linear(x, s, z, 1), theirs)


def test_halves_round_to_the_even_integer():
    x = np.array([-1.5, -0.5, 0.5, 1.5, 2.5], np.float32)
    assert quantize_linear(x, np.array(1, np.float32), np.array(0, np.int8), 0).tolist() == [-2, 0, 0, 2, 2]


def test_weights_of_four_bits_are_known_as_they_are_unpacked_and_no_other_cast_is_looked_through():
    stored = {"packed": np.array([-8, 7, 0], FOUR_BITS), "index": np.arange(3, dtype=np.uint8)}
    nodes = [
        helper.make_node("Cast", ["packed"], ["unpacked"], to=TensorProto.INT8),
        helper.make_node("Cast", ["index"], ["wide"], to=TensorProto.INT64),
        helper.make_node("Cast", ["input"], ["bytes"], to=TensorProto.INT8),
    ]
    known = weights(graph_of(nodes, stored))
    assert known.keys() == {"packed", "unpacked", "index"}
    assert known["unpacked"].dtype == np.int8
    assert known["unpacked"].tolist() == [-8, 7, 0]


@pytest.mark.parametrize(("kind", "stays"), [(np.uint8, False), (np.uint16, True)])
def test_a_bias_goes_to_the_grid_of_the_products_where_an_integer_kernel_adds_it(kind, stays):
    """None takes sixteen bits, whose products leave no room in 32."""
    stored = {
        "q": np.ones((2, 3), np.int8), "s": np.full(2, 0.5, np.float32), "z": np.zeros(2, np.int8),
        "xs": np.float32(0.25), "xz": kind(0), "b": np.array([1, -1], np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["xd"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=0),
        helper.make_node("Gemm", ["xd", "w", "b"], ["logits"], transB=1),
    ]
    graph = graph_of(nodes, stored)
    fold_integers(graph)
    assert (graph.node[-1].input[2] == "b") == stays
    integers = [
        numpy_helper.to_array(t).tolist() for t in graph.initializer if t.data_type == TensorProto.INT32
    ]
    assert integers == ([] if stays else [[8, -8]])


def graph_of(nodes, stored):
    return helper.make_graph(
        nodes,
        "g",
        [],
        [],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in stored.items()],
    )
