from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from distillery.data.form import Shape
from distillery.models.families import Family
from distillery.models.layers import Conv, Network
from distillery.models.mlp import Mlp
from distillery.models.network import (
    Classifier,
    ConvBlock,
    PoolBlock,
    count_parameters,
    load_model,
    save_model,
)
from distillery.models.resnet import ResNet

DIGIT = Shape(height=8, width=8, channels=1)
COLOUR = Shape(height=9, width=7, channels=3)


def mlp(*hidden, dropout=0.0):
    return Mlp(family="mlp", hidden=hidden, dropout=dropout)


def resnet(width=4, stages=3, blocks=1, dropout=0.0):
    return ResNet(family="resnet", stem_stride=1, width=width, stages=stages, blocks=blocks, dropout=dropout)


def random_rows(shape, count=5, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, shape.height, shape.width, shape.channels), generator=random).byte()


def lived_in(family, shape=COLOUR, classes=6):
    """A classifier whose batch norms have seen data, so that folding has something to fold."""
    torch.manual_seed(3)
    model = Classifier(family.network(shape, classes))
    model.encoding.normalise_by(torch.full((shape.channels,), 127.0), torch.full((shape.channels,), 70.0))
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    for seed in range(3):
        model(random_rows(shape, 32, seed))
    return model.eval()


def test_an_mlp_has_the_parameters_of_its_dense_layers():
    model = Classifier(mlp(16, 12).network(DIGIT, 10))
    assert count_parameters(model) == (64 * 16 + 16) + (16 * 12 + 12) + (12 * 10 + 10)


def test_an_mlp_without_hidden_layers_is_logistic_regression():
    assert count_parameters(Classifier(mlp().network(COLOUR, 4))) == 9 * 7 * 3 * 4 + 4


def resnet_parameters(width, stages, blocks, channels, classes):
    """By hand: 3x3 kernels and two batch norm numbers a channel; a 1x1 projection where the size halves."""

    def conv(inputs, outputs, kernel):
        return inputs * outputs * kernel * kernel + 2 * outputs

    total, inputs = conv(channels, width, 3), width
    for stage in range(stages):
        outputs = width * 2**stage
        for _ in range(blocks):
            total += conv(inputs, outputs, 3) + conv(outputs, outputs, 3)
            total += conv(inputs, outputs, 1) if inputs != outputs else 0
            inputs = outputs
    return total + inputs * classes + classes


@pytest.mark.parametrize(("width", "stages", "blocks"), [(1, 1, 1), (5, 3, 1), (4, 2, 3)])
def test_a_resnet_has_the_parameters_of_its_convolutions(width, stages, blocks):
    model = Classifier(resnet(width, stages, blocks).network(COLOUR, 7))
    assert count_parameters(model) == resnet_parameters(width, stages, blocks, 3, 7)


def test_three_stages_of_one_block_are_the_resnet_8_of_mlperf_tiny():
    """16 channels on 32 x 32 x 3 with 10 classes: 7 + 2 convolutions and a dense layer, 78 k."""
    model = Classifier(resnet(16).network(Shape(height=32, width=32, channels=3), 10))
    assert sum(isinstance(module, ConvBlock) for module in model.modules()) == 7 + 2
    assert count_parameters(model) == pytest.approx(78_000, rel=0.01)


@settings(max_examples=15)
@given(
    st.one_of(
        st.builds(mlp, st.integers(1, 9), st.integers(1, 9)),
        st.builds(resnet, st.integers(1, 4), st.integers(1, 4), st.integers(1, 2)),
    ),
    st.builds(Shape, height=st.integers(1, 12), width=st.integers(1, 12), channels=st.integers(1, 3)),
    st.integers(2, 11),
)
def test_raw_rows_of_any_shape_give_one_logit_a_class(family, shape, classes):
    model = Classifier(family.network(shape, classes)).eval()
    logits = model(random_rows(shape, 2))
    assert (logits.shape, logits.dtype) == ((2, classes), torch.float32)


def test_normalisation_is_inside_the_model():
    model = Classifier(mlp().network(Shape(height=1, width=1, channels=2), 2)).eval()
    model.encoding.normalise_by(torch.tensor([10.0, 20.0]), torch.tensor([2.0, 4.0]))
    model.layers[1].dense.weight.data = torch.eye(2)
    model.layers[1].dense.bias.data.zero_()
    logits = model(torch.tensor([[[[12, 12]]]], dtype=torch.uint8))
    torch.testing.assert_close(logits, torch.tensor([[1.0, -2.0]]))


def test_a_pool_is_the_mean_over_the_map():
    x = torch.randn(2, 3, 5, 4)
    torch.testing.assert_close(PoolBlock(5, 4)(x), x.mean((2, 3)))


def test_dropout_acts_only_while_training():
    torch.manual_seed(0)
    model = Classifier(mlp(32, dropout=0.5).network(DIGIT, 10))
    rows = random_rows(DIGIT)
    assert not torch.equal(model.train()(rows), model(rows))
    assert torch.equal(model.eval()(rows), model(rows))


@pytest.mark.parametrize("family", [mlp(8, dropout=0.2), resnet(dropout=0.2), resnet(3, 2, 2)])
def test_folding_the_batch_norms_changes_no_logit_and_not_the_model(family):
    model = lived_in(family)
    rows = random_rows(COLOUR, 16)
    before = model(rows)
    folded = model.folded()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    torch.testing.assert_close(folded(rows), before, rtol=0, atol=1e-4)
    assert torch.equal(model(rows), before)
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules()) == (family.family == "resnet")


@pytest.mark.parametrize("family", [mlp(8, dropout=0.2), resnet(dropout=0.2)])
def test_a_saved_model_loads_to_the_same_logits_in_eval_mode(family, tmp_path):
    model = lived_in(family)
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    assert not again.training
    assert again.network == model.network
    assert torch.equal(again(random_rows(COLOUR)), model(random_rows(COLOUR)))


def test_saving_twice_gives_the_same_bytes_in_any_process(tmp_path):
    code = (
        "import sys, torch; from pathlib import Path; from distillery.models.resnet import ResNet;"
        "from distillery.data.form import Shape; from distillery.models.network import *;"
        "torch.manual_seed(0);"
        "r = ResNet(family='resnet', stem_stride=1, width=2, stages=2, blocks=1, dropout=0.0);"
        "save_model(Classifier(r.network(Shape(height=8, width=8, channels=1), 10)), Path(sys.argv[1]))"
    )
    (tmp_path / "other").mkdir()
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "other")], check=True)
    torch.manual_seed(0)
    model = Classifier(resnet(2, 2).network(DIGIT, 10))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_model(model, tmp_path / name)
    for file in ("weights.safetensors", "network.json"):
        assert len({(tmp_path / folder / file).read_bytes() for folder in ("one", "two", "other")}) == 1


def test_a_network_survives_json():
    network = resnet(dropout=0.1).network(COLOUR, 5)
    assert Network.model_validate_json(network.model_dump_json()) == network


@pytest.mark.parametrize(
    "block",
    [
        {"family": "alexnet"},
        {"family": "mlp", "hidden": [0], "dropout": 0},
        {"family": "mlp", "hidden": [4], "dropout": 1},
        {"family": "mlp", "hidden": [4], "dropout": 0, "width": 3},
        {"family": "resnet", "width": 4, "stages": 0, "blocks": 1, "dropout": 0},
    ],
)
def test_a_block_that_names_no_legal_network_is_refused(block):
    with pytest.raises(ValidationError):
        TypeAdapter(Family).validate_python(block)


def test_a_strided_1x1_in_training_computes_what_it_computes_in_eval():
    torch.manual_seed(0)
    block = ConvBlock(5, Conv(channels=7, kernel=1, stride=2, relu=False))
    block.norm = torch.nn.Identity()
    x = torch.randn(2, 5, 9, 9)
    torch.testing.assert_close(block.train()(x), block.eval()(x))
