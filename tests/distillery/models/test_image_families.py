"""What every family that reads images must do: learn, be saved, fold, export, become int8, lose channels."""

from __future__ import annotations

import copy

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from distillery.data.batches import TrainBatches
from distillery.data.form import Column, Shape, Table
from distillery.data.rows import Split
from distillery.errors import ParamsError
from distillery.export import compare, export
from distillery.models.families import require_fitting
from distillery.models.network import Classifier, ConvBlock, load_model, save_model
from distillery.models.points import points
from distillery.operators import FLOAT, compute_operators
from distillery.params.prune import ChannelParams
from distillery.pruning.channels import channels_of
from distillery.pruning.fitting import unfit
from distillery.pruning.surgery import choose_channels, cut
from distillery.quantization.aware import train_aware
from distillery.quantization.fake_quantization import round_biases, with_fake_quantizers
from distillery.quantization.quantize import dynamic, layers, static
from distillery.training import hard_labels, new_classifier, train

TABLE = Table(columns=(Column(name="a", categories=None, missing=False),))
OTHER_SHAPES = {
    "basic blocks": ("resnet_imagenet", {"block": "basic"}),
    "a small stem": ("resnet_imagenet", {"stem": "small", "block": "basic"}),
    "batch norms": ("cnn", {"norm": True}),
    "a stem that strides": ("mobilenet_v2", {"stem_stride": 2}),
}


@pytest.fixture(scope="module")
def learned(small_family, rows, augment, training, runtime):
    """A model of a family after two epochs, and its losses; copy it before changing it."""
    made = {}

    def make(name, **changes):
        key = (name, *changes.items())
        if key not in made:
            network = small_family(name, **changes).network(rows.form, len(rows.classes))
            model = new_classifier(network, rows, runtime)
            batches = TrainBatches(rows, augment, 32, runtime.seed, augment.views)
            epochs = train(model, batches, hard_labels(0.0), training(epochs=2), runtime)
            made[key] = model, [epoch.loss for epoch in epochs]
        return made[key]

    return make


@pytest.fixture(scope="module")
def file(learned, rows):
    made = {}

    def make(name):
        if name not in made:
            made[name] = export(learned(name)[0], rows.classes)
        return made[name]

    return make


def logits(model, rows):
    return model.eval()(torch.from_numpy(np.array(rows.features[:32])))


def test_it_learns(image_family, learned):
    _, (first, last) = learned(image_family)
    assert last < first


def test_it_is_saved_and_loaded_to_the_same_logits(image_family, learned, rows, tmp_path):
    model, _ = learned(image_family)
    save_model(model, tmp_path)
    assert torch.equal(logits(load_model(tmp_path), rows), logits(model, rows))


def test_folding_the_batch_norms_changes_no_logit(image_family, learned, rows):
    model, _ = learned(image_family)
    folded = model.folded()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(logits(folded, rows), logits(model, rows), rtol=0, atol=1e-4)


def test_its_file_says_what_it_says(image_family, learned, file, rows):
    parity = compare(learned(image_family)[0], file(image_family), rows)
    assert parity.largest_logit_difference < 1e-4
    assert parity.agreement == 1.0


@pytest.mark.parametrize(("name", "changes"), OTHER_SHAPES.values(), ids=OTHER_SHAPES)
def test_the_file_of_another_shape_of_it_says_what_it_says(name, changes, learned, rows):
    model, _ = learned(name, **changes)
    parity = compare(model, export(model, rows.classes), rows)
    assert parity.largest_logit_difference < 1e-4
    assert parity.agreement == 1.0


def test_the_points_of_its_network_have_the_sizes_that_come_out_of_its_layers(image_family, learned, rows):
    model, _ = learned(image_family)
    x = model.encoding(torch.from_numpy(np.array(rows.features[:2])))
    sizes = [tuple((x := layer(x)).shape[1:]) for layer in model.eval().layers]
    found = points(model.network)
    assert {p.position: p.size for p in found.values()} == {
        p.position: sizes[p.position] for p in found.values()
    }


def test_static_int8_runs_all_its_layers_on_integers(image_family, learned, file, rows, static_params):
    content = static(onnx.load_from_string(file(image_family)), rows, static_params())
    assert {operator.kind for operator in compute_operators(content)} <= {"QLinearConv", "QGemm"}
    assert compare(learned(image_family)[0], content, rows).agreement > 0.8
    assert not {node.op_type for node in onnx.load_from_string(content).graph.node} & {"Relu", "Clip"}


def test_a_layer_that_is_to_stay_float_does_also_where_a_maximum_follows(file, rows, static_params):
    student = onnx.load_from_string(file("cnn"))
    for name in layers(student):
        kinds = [
            operator.kind for operator in compute_operators(static(student, rows, static_params(), [name]))
        ]
        assert len([kind for kind in kinds if kind in FLOAT]) == 1, name


def test_dynamic_int8_runs_all_its_layers_on_integers(image_family, learned, file, rows, shipped):
    content = dynamic(onnx.load_from_string(file(image_family)), shipped.quantize.dynamic, rows.classes)
    assert all(operator.is_integer for operator in compute_operators(content))
    assert compare(learned(image_family)[0], content, rows).agreement > 0.8


def test_trained_aware_of_int8_it_says_what_its_integer_file_says(
    image_family, learned, rows, augment, training, shipped, runtime
):
    quantized = with_fake_quantizers(learned(image_family)[0])
    targets = np.zeros((augment.views, len(rows.where(Split.TRAIN)), len(rows.classes)), np.float32)
    labels_alone = shipped.distill.model_copy(update={"alpha": 0.0})
    qat = shipped.quantize.qat.model_copy(
        update={"observe_epochs": 1, "training": training(epochs=1, batch_size=64, learning_rate=0.001)}
    )
    for _ in train_aware(quantized, rows, targets, augment, labels_alone, qat, runtime):
        pass
    round_biases(quantized)
    content = export(quantized, rows.classes)
    assert {operator.kind for operator in compute_operators(content)} <= {"QLinearConv", "QGemm"}
    assert compare(quantized, content, rows).agreement == 1.0


def test_it_can_lose_channels_and_is_then_another_network_of_its_layers(image_family, learned, rows, shipped):
    method = ChannelParams(
        kind="channels", importance="group", scope="layer", share=0.4, rounds=1, multiple=1,
        max_accuracy_drop=100, penalty=None, training=shipped.distill.training,
    )  # fmt: skip
    model = copy.deepcopy(learned(image_family)[0])
    kept = choose_channels(model, method)
    smaller = cut(model, kept)
    assert sum(channels_of(smaller.network).free.values()) < sum(channels_of(model.network).free.values())
    assert logits(smaller, rows).isfinite().all()
    assert [layer.kind for layer in smaller.network.layers] == [layer.kind for layer in model.network.layers]


def test_channel_pruning_of_it_is_accepted_when_params_are_read(image_family, small_family, shipped):
    method = ChannelParams(
        kind="channels", importance="l1", scope="layer", share=0.5, rounds=1, multiple=1,
        max_accuracy_drop=1, penalty=None, training=shipped.distill.training,
    )  # fmt: skip
    assert unfit(small_family(image_family), method, "prune") is None


def test_a_table_is_refused_by_name(image_family, small_family):
    with pytest.raises(ParamsError) as caught:
        require_fitting({"student.model": small_family(image_family)}, TABLE)
    assert f"student.model: {image_family} reads images" in caught.value.faults[0]
    with pytest.raises(ParamsError, match="reads images"):
        small_family(image_family).network(TABLE, 2)


@pytest.mark.parametrize(
    ("name", "changes", "side"),
    [
        ("lenet5", {"padding": 2}, 12), ("lenet5", {"padding": 0}, 16), ("cnn", {"convolutions": [2] * 3}, 8),
        ("vgg", {"convolutions": [1] * 5}, 32),
    ],
)  # fmt: skip
def test_an_image_that_would_vanish_is_refused_and_one_a_pixel_larger_is_not(
    small_family, name, changes, side
):
    block = small_family(name, **changes)
    small, enough = (Shape(height=size, width=40, channels=1) for size in (side - 1, side))
    said = f"{name}.* reads images of {side} x {side} pixels and more, and these are {side - 1} x 40"
    with pytest.raises(ParamsError, match=said):
        block.network(small, 2)
    assert Classifier(block.network(enough, 2)).eval()(torch.zeros(1, side, 40, 1).byte()).shape == (1, 2)


def test_a_depthwise_convolution_has_a_kernel_a_channel(learned):
    model, _ = learned("mobilenet_v2")
    grouped = [m.conv for m in model.modules() if isinstance(m, ConvBlock) and m.conv.groups > 1]
    assert grouped
    assert all(conv.weight.shape[:2] == (conv.in_channels, 1) for conv in grouped)
