"""Every layer that torch computes, against ONNX Runtime on the same node."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from distillery.errors import ParamsError
from distillery.quantization.torch_layers import Layer, torch_layer

CASES = {
    "plain": ("Conv", (2, 3, 7, 6), (4, 3, 3, 3), {}),
    "uneven pads": ("Conv", (2, 3, 7, 6), (4, 3, 3, 3), {"pads": [0, 1, 2, 3]}),
    "strides": ("Conv", (2, 3, 7, 6), (4, 3, 3, 3), {"strides": [2, 1], "pads": [1, 1, 1, 1]}),
    "dilations": ("Conv", (2, 3, 9, 9), (4, 3, 3, 3), {"dilations": [2, 3]}),
    "groups": ("Conv", (2, 4, 5, 5), (4, 1, 3, 3), {"group": 4}),
    "a series": ("Conv", (2, 3, 9), (4, 3, 3), {"pads": [2, 0]}),
    "dense": ("Gemm", (2, 5), (5, 4), {}),
    "dense, turned": ("Gemm", (2, 5), (4, 5), {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    "product": ("MatMul", (2, 6, 5), (5, 4), {}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("biased", [True, False])
def test_a_layer_is_what_onnx_runtime_computes(case, biased):
    kind, shape, weight_shape, attributes = CASES[case]
    random = np.random.default_rng(0)
    x = random.normal(size=shape).astype(np.float32)
    known = {"w": random.normal(size=weight_shape).astype(np.float32)}
    if biased and kind != "MatMul":
        known["b"] = random.normal(size=4).astype(np.float32)
    node = helper.make_node(kind, ["x", *known], ["y"], name=case, **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, name) for name, values in known.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"x": x})
    layer = torch_layer(node, known)
    ours = layer.run(torch.from_numpy(x), torch.from_numpy(known["w"]))
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-5)
    assert ours.shape[layer.channels] == 4


def test_a_relu_cuts_what_is_below_0():
    layer = Layer(torch.mul, relu=True)
    assert layer.run(torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 3.0])).tolist() == [0.0, 6.0]


@pytest.mark.parametrize(
    ("kind", "attributes"), [("Conv", {"auto_pad": "SAME_UPPER"}), ("Gemm", {"transA": 1})]
)
def test_a_layer_that_torch_does_not_have_is_refused_by_name_with_what_else_there_is(kind, attributes):
    node = helper.make_node(kind, ["x", "w"], ["y"], name="Layer_7", **attributes)
    with pytest.raises(ParamsError, match=r"quantize.static.rounding: Layer_7 .*kind nearest"):
        torch_layer(node, {})
