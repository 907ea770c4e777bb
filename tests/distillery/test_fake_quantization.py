from __future__ import annotations

import copy

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from distillery.data.form import Shape
from distillery.export import export
from distillery.fake_quantization import round_biases, stop_observing, with_fake_quantizers
from distillery.inference import open_session, run_feeds, run_rows
from distillery.models.layers import Flatten, Linear, Network
from distillery.models.network import Classifier, ConvBlock
from distillery.quantizers import (
    FOLLOW,
    ActivationQuantizer,
    WeightQuantizer,
    fake_quantize,
)


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


@pytest.fixture(scope="module", params=["mlp", "resnet"])
def aware(request, students, rows):
    """A student with fake quantizers that observed the train rows, its weights moved a step afterwards."""
    model = with_fake_quantizers(students[request.param]).train()
    model(torch.tensor(rows.features[:128]))
    stop_observing(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("original"):
                parameter.mul_(1.01)
    return students[request.param], model.eval(), export(model, rows.classes)


def test_the_model_that_was_wrapped_is_untouched(aware, students):
    student, model, _ = aware
    assert not any(isinstance(m, ActivationQuantizer | WeightQuantizer) for m in student.modules())
    assert any(isinstance(m, ActivationQuantizer) for m in model.modules())


def test_every_weight_and_every_block_but_the_logits_is_rounded(aware):
    _, model, _ = aware
    weights = [m for m in model.modules() if isinstance(m, WeightQuantizer)]
    layers = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(weights) == len(layers)
    assert isinstance(model.layers[-1].output, torch.nn.Identity)
    assert isinstance(model.input, ActivationQuantizer)


def test_a_quantized_model_stays_close_to_its_float_student(aware, rows):
    student, model, _ = aware
    images = torch.tensor(rows.features[:])
    with torch.no_grad():
        agreement = (student(images).argmax(1) == model(images).argmax(1)).float().mean()
    assert agreement > 0.9


def test_the_exported_file_agrees_with_torch(aware, rows):
    """Sums of integers are exact; only a value on a rounding edge may fall the other way, by one step."""
    student, model, content = aware
    with torch.no_grad():
        ours = model(torch.tensor(rows.features[:])).numpy()
    theirs = run_rows(open_session(content), rows, np.arange(len(rows.labels)))
    assert (ours.argmax(1) == theirs.argmax(1)).mean() >= 0.99
    same = (np.abs(ours - theirs).max(1) < 1e-3).mean()
    assert same > (0.5 if any(isinstance(m, ConvBlock) for m in student.modules()) else 0.95)
    assert np.abs(ours - theirs).mean() < 0.005 * np.abs(ours).mean()


def test_with_rounded_biases_torch_and_the_same_file_predict_alike(aware, rows):
    """On every row and its shifts: 99.9 % at least, and nearly all logits are equal, not just near."""
    _, model, content = aware
    rounded = copy.deepcopy(model)
    round_biases(rounded)
    assert export(rounded, rows.classes) == content
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    images = np.concatenate([np.roll(rows.features[:], shift, (1, 2)) for shift in shifts])
    with torch.no_grad():
        ours = rounded(torch.from_numpy(images)).numpy()
    theirs = run_feeds(open_session(content), [{"input": images}])
    assert (ours.argmax(1) == theirs.argmax(1)).mean() >= 0.999
    assert (np.abs(ours - theirs).max(1) < 1e-3).mean() > 0.98


def test_a_bias_is_rounded_to_whole_products_of_its_scales():
    """By hand: inputs step by 1/255, weights by 2/127."""
    network = Network(
        rows=Shape(height=1, width=1, channels=1), layers=(Flatten(), Linear(features=1, relu=False))
    )
    model = Classifier(network)
    with torch.no_grad():
        model.layers[1].dense.weight.fill_(2.0)
        model.layers[1].dense.bias.fill_(0.3)
    quantized = with_fake_quantizers(model).train()
    quantized.input(torch.tensor([0.0, 1.0]))
    round_biases(quantized)
    step = (1 / 255) * (2 / 127)
    assert quantized.layers[1].dense.bias.item() == pytest.approx(round(0.3 / step) * step, rel=1e-6)


def test_biases_of_a_float_model_are_refused(students):
    with pytest.raises(TypeError, match="with_fake_quantizers first"):
        round_biases(copy.deepcopy(students["mlp"]))


def test_the_exported_file_holds_integers_for_every_weight(aware):
    _, model, content = aware
    graph = onnx.load_from_string(content).graph
    kinds = {t.name: t.data_type for t in graph.initializer}
    layers = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    stored = [t for t in graph.initializer if kinds[t.name] == TensorProto.INT8 and len(t.dims) > 1]
    assert sum(int(np.prod(t.dims)) for t in stored) == sum(m.weight.numel() for m in layers)
    assert max(int(np.prod(t.dims)) for t in graph.initializer if t.data_type == TensorProto.FLOAT) <= 16


def test_fake_quantizers_survive_a_copy(aware, rows):
    _, model, _ = aware
    images = torch.tensor(rows.features[:8])
    assert torch.equal(copy.deepcopy(model)(images), model(images))
