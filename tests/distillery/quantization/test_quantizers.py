from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from distillery.inference import open_session
from distillery.quantization.fake_quantization import stop_observing
from distillery.quantization.quantizers import FOLLOW, ActivationQuantizer, WeightQuantizer, fake_quantize


def round_trip(kind, axis=None):
    """QuantizeLinear and DequantizeLinear as an ONNX model of x, scale and zero."""
    attributes = {} if axis is None else {"axis": axis}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **attributes),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **attributes),
    ]
    values = [("x", TensorProto.FLOAT), ("s", TensorProto.FLOAT), ("z", kind)]
    inputs = [helper.make_tensor_value_info(name, element, None) for name, element in values]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", inputs, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


MODELS = {np.uint8: round_trip(TensorProto.UINT8), np.int8: round_trip(TensorProto.INT8)}
SESSIONS = {kind: open_session(model.SerializeToString()) for kind, model in MODELS.items()}
EVALUATORS = {kind: ReferenceEvaluator(model) for kind, model in MODELS.items()}
finite = st.floats(-1e4, 1e4, width=32, allow_subnormal=False)
scales = st.floats(2.0**-16, 1e3, width=32)  # the reference overflows where x / scale leaves int32


@given(
    st.lists(finite, min_size=1, max_size=40),
    scales,
    st.integers(0, 255),
    st.sampled_from([np.uint8, np.int8]),
)
def test_rounding_is_onnx_quantize_and_dequantize_to_the_last_bit(values, scale, zero, kind):
    limits = np.iinfo(kind)
    zero = zero + int(limits.min)
    x = np.array([*values, *(np.array(values) * scale), (zero + 0.5) * scale, 1.5 * scale], np.float32)
    s = np.float32(scale)
    feed = {"x": x, "s": np.array(s), "z": np.array(zero, kind)}
    ours = fake_quantize(
        torch.from_numpy(x), torch.tensor(s), torch.tensor(float(zero)), int(limits.min), int(limits.max)
    ).numpy()
    for theirs in (EVALUATORS[kind].run(None, feed)[0], SESSIONS[kind].run(None, feed)[0]):
        np.testing.assert_array_equal(ours, theirs)


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_weights_round_channel_by_channel_as_onnx_does(channels, seed):
    random = np.random.default_rng(seed)
    weight = (random.normal(size=(channels, 3, 2)) * 10.0 ** random.integers(-4, 3, (channels, 1, 1))).astype(
        np.float32
    )
    quantizer = WeightQuantizer(torch.from_numpy(weight)).eval()
    scale = quantizer.scale.numpy()
    feed = {"x": weight, "s": scale, "z": np.zeros(channels, np.int8)}
    (theirs,) = open_session(round_trip(TensorProto.INT8, 0).SerializeToString()).run(None, feed)
    np.testing.assert_array_equal(quantizer(torch.from_numpy(weight)).numpy(), theirs)
    np.testing.assert_allclose(scale, np.abs(weight).max((1, 2)) / 127, rtol=1e-6)


def test_a_weight_that_outgrew_its_scale_rounds_as_onnx_does():
    """Between the last step of descent and the file, a weight may lie outside the range that was fitted."""
    quantizer = WeightQuantizer(torch.tensor([[1.0, -1.0]])).eval()
    grown = torch.tensor([[1.02, -1.02]])
    feed = {"x": grown.numpy(), "s": quantizer.scale.numpy(), "z": np.zeros(1, np.int8)}
    (theirs,) = open_session(round_trip(TensorProto.INT8, 0).SerializeToString()).run(None, feed)
    np.testing.assert_array_equal(quantizer(grown).numpy(), theirs)


def test_a_channel_of_zeros_stays_zero():
    quantizer = WeightQuantizer(torch.zeros(2, 3))
    assert torch.equal(quantizer(torch.zeros(2, 3)), torch.zeros(2, 3))


@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=30))
def test_the_gradient_passes_inside_the_range_and_stops_outside(values):
    x = torch.tensor(values, requires_grad=True)
    weights = torch.arange(1.0, len(values) + 1)
    (fake_quantize(x, torch.tensor(0.1), torch.tensor(128.0), 0, 255) * weights).sum().backward()
    q = torch.round(x.detach() / torch.tensor(0.1)) + 128
    inside = (q >= 0) & (q <= 255)
    assert torch.equal(x.grad, weights * inside)


def test_weights_follow_their_range_while_training_and_stand_in_eval():
    quantizer = WeightQuantizer(torch.ones(1, 2))
    quantizer.eval()(torch.full((1, 2), 3.0))
    assert quantizer.scale.item() == pytest.approx(1 / 127)
    quantizer.train()(torch.full((1, 2), 3.0))
    assert quantizer.scale.item() == pytest.approx(3 / 127)


def test_an_observed_range_is_the_first_batchs_and_then_moves_towards_the_next():
    quantizer = ActivationQuantizer().train()
    quantizer(torch.tensor([-1.0, 2.0]))
    assert (quantizer.low.item(), quantizer.high.item()) == (-1.0, 2.0)
    quantizer(torch.tensor([-3.0, 4.0]))
    assert quantizer.low.item() == pytest.approx(-1 - 2 * FOLLOW)
    assert quantizer.high.item() == pytest.approx(2 + 2 * FOLLOW)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_more_bits_are_finer_steps_over_the_same_range(bits):
    x = torch.linspace(-1, 3, 101)
    weights, activations = WeightQuantizer(x[None]), ActivationQuantizer()
    for quantizer, values, width in ((weights, x[None], 6), (activations, x, 4)):
        quantizer.bits = bits
        error = (quantizer.train()(values) - values).abs().max()
        assert 0 < error <= 0.5001 * width / (2**bits - 2)


def test_a_quantizer_without_bits_leaves_the_values_and_observes_them():
    weights, activations = WeightQuantizer(torch.ones(1, 2)), ActivationQuantizer()
    weights.bits = activations.bits = None
    x = torch.tensor([[0.3, -2.0]], requires_grad=True)
    assert weights.train()(x) is x
    assert activations.train()(x) is x
    assert weights.scale.item() == pytest.approx(2 / 127)
    assert (activations.low.item(), activations.high.item()) == pytest.approx((-2.0, 0.3))


@pytest.mark.parametrize("how", ["eval", "stopped"])
def test_a_range_stands_in_eval_and_after_observing(how):
    quantizer = ActivationQuantizer().train()
    quantizer(torch.tensor([-1.0, 2.0]))
    quantizer.eval() if how == "eval" else stop_observing(torch.nn.Sequential(quantizer))
    quantizer(torch.tensor([-9.0, 9.0]))
    assert (quantizer.low.item(), quantizer.high.item()) == (-1.0, 2.0)


@given(st.floats(-100, 100, width=32), st.floats(0, 100, width=32))
def test_a_range_always_holds_zero_exactly(low, width):
    quantizer = ActivationQuantizer().train()
    quantizer(torch.tensor([low, low + width]))
    scale, zero = quantizer.scale_and_zero_point()
    assert 0 <= zero.item() <= 255
    assert zero.item() == round(zero.item())
    assert quantizer.eval()(torch.zeros(1)).item() == 0.0
    edges = torch.tensor([low, low + width])
    error = (quantizer(edges) - edges).abs().max()
    assert error <= scale * 1.001 + 1e-6
