from __future__ import annotations

import copy

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from distillery.params.quantize import DynamicParams
from distillery.quantization.quantize import dynamic, static
from distillery.report.layers import layers_of


@pytest.fixture(scope="module")
def quantized(files, rows, static_params):
    student = onnx.load_from_string(files["resnet"])
    return {
        "uint8": dynamic(copy.deepcopy(student), DynamicParams(weights="uint8"), rows.classes),
        "int8": dynamic(copy.deepcopy(student), DynamicParams(weights="int8"), rows.classes),
        "static": static(copy.deepcopy(student), rows, static_params(ranges="minmax", equalize=False)),
    }


def test_a_float_file_is_told_weight_by_weight(files):
    layers = layers_of(files["resnet"], files["resnet"])
    assert {layer.kind for layer in layers} == {"Conv", "Gemm"}
    assert all(layer.bits == 32 and layer.bytes == 4 * np.prod(layer.shape) for layer in layers)
    assert [layer.error for layer in layers] == [0.0] * len(layers)
    assert {layer.error for layer in layers_of(files["resnet"], None)} == {None}


@pytest.mark.parametrize("method", ["uint8", "int8", "static"])
def test_the_error_of_each_weight_is_that_of_rounding(files, quantized, method):
    floats = layers_of(files["resnet"], None)
    layers = layers_of(quantized[method], files["resnet"])
    assert sorted(int(np.prod(layer.shape)) for layer in layers) == sorted(
        int(np.prod(layer.shape)) for layer in floats
    )
    weights = [numpy_helper.to_array(t) for t in onnx.load_from_string(files["resnet"]).graph.initializer]
    widest = max(float(np.ptp(weight)) for weight in weights if weight.ndim > 1)
    for layer in layers:
        assert layer.bits == 8
        assert layer.bytes == np.prod(layer.shape)
        assert 0 < layer.error < (widest / 255) ** 2  # of a step, whose error is evenly spread, a twelfth
        assert 0 <= layer.zero_share < 0.5


def four_bits(weight, scale, axis, **attributes):
    """One matrix of four-bit integers, dequantized and multiplied with."""
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=axis, **attributes),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [
            helper.make_tensor("q", TensorProto.INT4, weight.shape, weight.ravel()),
            numpy_helper.from_array(scale, "s"),
        ],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString()


def floats(values):
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(values.astype(np.float32), "w")],
    )  # fmt: skip
    return helper.make_model(graph).SerializeToString()


def test_four_bits_a_channel_or_a_block_are_half_a_byte():
    weight = np.array([[1, -2, 0], [3, 0, 7], [0, 0, -8], [1, 1, 1]])
    channel, block = np.array([0.5, 1, 2], np.float32), np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    (layer,) = layers_of(four_bits(weight, channel, 1), floats(weight * channel + 0.25))
    assert (layer.bits, layer.bytes, layer.zero_share, layer.error) == (4, 6, 4 / 12, 0.0625)
    spread = np.repeat(block, 2, 0)
    (layer,) = layers_of(four_bits(weight, block, 0, block_size=2), floats(weight * spread))
    assert layer.error == 0


def test_a_weight_of_another_shape_has_no_error():
    weight = np.ones((4, 3), int)
    (layer,) = layers_of(four_bits(weight, np.ones(3, np.float32), 1), floats(np.ones((4, 5))))
    assert layer.error is None
