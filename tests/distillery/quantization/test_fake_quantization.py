from __future__ import annotations

import copy

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper

from distillery.data.form import Shape
from distillery.export import export
from distillery.inference import open_session, run_feeds, run_rows
from distillery.models.layers import Flatten, Linear, Network
from distillery.models.network import Classifier, ConvBlock
from distillery.params.quantize import LearnedScales
from distillery.quantization.fake_quantization import (
    quantizers,
    round_biases,
    stop_observing,
    with_fake_quantizers,
)
from distillery.quantization.learned_scales import learn_scales
from distillery.quantization.quantizers import ActivationQuantizer, WeightQuantizer

LEARNED = LearnedScales(kind="learned", start="range", weights="per_channel")
SHARED = LearnedScales(kind="learned", start="range", weights="per_tensor")
WAYS = {
    "mlp": ("mlp", None),
    "resnet": ("resnet", None),
    "mlp, learned": ("mlp", SHARED),
    "resnet, learned": ("resnet", LEARNED),
    "resnet, learned per tensor": ("resnet", SHARED),
}


@pytest.fixture(scope="module", params=WAYS.values(), ids=WAYS)
def aware(request, students, rows):
    """A student with fake quantizers that observed the train rows, its parameters moved a step afterwards."""
    family, scales = request.param
    model = with_fake_quantizers(students[family])
    if scales is not None:
        learn_scales(model, scales)
    model.train()(torch.tensor(rows.features[:128]))
    stop_observing(model)
    random = np.random.default_rng(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("original"):
                parameter.mul_(1.01)
            elif name.endswith("factor"):
                parameter.mul_(random.uniform(0.99, 1.01))
            elif name.endswith("shift"):
                parameter.sub_(0.005)
    return students[family], model.eval(), export(model, rows.classes)


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


def test_the_file_has_the_scales_and_zero_points_of_torch_to_the_last_bit(aware):
    _, model, content = aware
    constants = [numpy_helper.to_array(t) for t in onnx.load_from_string(content).graph.initializer]
    for quantizer in quantizers(model):
        if isinstance(quantizer, WeightQuantizer):
            held = [quantizer.step_sizes().detach().numpy()]
        else:
            scale, zero = (part.detach().numpy() for part in quantizer.scale_and_zero_point())
            held = [scale, zero.astype(np.uint8)]
        for value in held:
            assert (
                any(value.dtype == c.dtype and np.array_equal(value, c) for c in constants) or not value.any()
            )


def test_a_network_that_is_not_wholly_rounded_is_not_exported(students, rows):
    model = with_fake_quantizers(students["mlp"]).train()
    model(torch.tensor(rows.features[:32]))
    quantizers(model)[-1].bits = None
    with pytest.raises(Exception, match="not everything is rounded to eight bits yet"):
        export(model, rows.classes)


def test_fake_quantizers_survive_a_copy(aware, rows):
    _, model, _ = aware
    images = torch.tensor(rows.features[:8])
    assert torch.equal(copy.deepcopy(model)(images), model(images))
