from __future__ import annotations

import onnx
import pytest
import torch

from distillery.data.form import Shape
from distillery.export import export
from distillery.models.mlp import Mlp
from distillery.models.network import Classifier
from distillery.models.resnet import ResNet
from distillery.operators import Operator, compute_operators, integer_share, macs_by_weight
from distillery.params.quantize import DynamicParams
from distillery.quantization.fake_quantization import with_fake_quantizers
from distillery.quantization.quantize import dynamic, static

MLP_MACS = 64 * 16 + 16 * 10
# width 4, two stages of one block on 8 x 8: stem, block at 8 x 8, block and projection at 4 x 4, dense layer
RESNET_MACS = 64 * (9 * 1 * 4) + 64 * 2 * (9 * 4 * 4) + 16 * (9 * 4 * 8 + 9 * 8 * 8 + 4 * 8) + 8 * 10
MACS = {"mlp": MLP_MACS, "resnet": RESNET_MACS}


@pytest.mark.parametrize("family", MACS)
def test_multiply_accumulates_are_those_counted_by_hand(files, family):
    assert sum(macs_by_weight(onnx.load_from_string(files[family])).values()) == MACS[family]


@pytest.mark.parametrize("family", MACS)
def test_an_int8_file_has_the_multiply_accumulates_of_its_float_file(files, rows, family, static_params):
    student = onnx.load_from_string(files[family])
    quantized = static(student, rows, static_params(ranges="minmax"))
    assert sum(macs_by_weight(onnx.load_from_string(quantized)).values()) == MACS[family]
    quantized = dynamic(student, DynamicParams(weights="uint8"), rows.classes)
    assert sum(macs_by_weight(onnx.load_from_string(quantized)).values()) == MACS[family]


def test_an_odd_size_and_three_channels_are_counted_right():
    """9 x 7 halves to 5 x 4, rounding up."""
    network = ResNet(family="resnet", stem_stride=1, width=2, stages=2, blocks=1, dropout=0.0).network(
        Shape(height=9, width=7, channels=3), 5
    )
    content = export(Classifier(network), tuple("abcde"))
    expected = 63 * 9 * (3 * 2 + 2 * 2 * 2) + 20 * (9 * 2 * 4 + 9 * 4 * 4 + 2 * 4) + 4 * 5
    assert sum(macs_by_weight(onnx.load_from_string(content)).values()) == expected


@pytest.mark.parametrize("family", MACS)
def test_every_multiply_accumulate_of_the_file_is_found_in_the_graph_that_runs(files, family):
    operators = compute_operators(files[family])
    assert sum(o.macs for o in operators) == MACS[family]
    assert not any(o.is_integer for o in operators)
    assert integer_share(operators, MACS[family]) == 0.0


@pytest.mark.parametrize("family", MACS)
@pytest.mark.parametrize("method", ["dynamic", "static"])
def test_the_integer_share_of_an_int8_file_counts_every_operator(files, rows, family, method, static_params):
    student = onnx.load_from_string(files[family])
    content = (
        static(student, rows, static_params(ranges="minmax"))
        if method == "static"
        else dynamic(student, DynamicParams(weights="uint8"), rows.classes)
    )
    operators = compute_operators(content)
    assert sum(o.macs for o in operators) == MACS[family]
    assert integer_share(operators, MACS[family]) == 1.0


@pytest.mark.parametrize("family", MACS)
def test_a_quantization_aware_file_runs_in_integer_throughout(students, rows, family):
    model = with_fake_quantizers(students[family]).train()
    model(torch.tensor(rows.features[:64]))
    content = export(model, rows.classes)
    operators = compute_operators(content)
    assert sum(o.macs for o in operators) == MACS[family]
    assert integer_share(operators, MACS[family]) == 1.0


def test_the_share_is_of_multiply_accumulates_not_of_operators():
    operators = [Operator("QLinearConv", 300), Operator("FusedConv", 100), Operator("Gemm", 0)]
    assert integer_share(operators, 400) == 0.75
    assert integer_share([], 0) == 0.0


def test_two_layers_that_share_one_stored_weight_are_counted_once_each():
    """Equal weights are stored once; the share must not exceed the whole."""
    network = Mlp(family="mlp", hidden=(6, 6), dropout=0.0).network(Shape(height=2, width=3, channels=1), 6)
    model = Classifier(network)
    with torch.no_grad():
        for block in model.layers[1:]:
            block.dense.weight.copy_(model.layers[1].dense.weight)
    content = export(model, tuple("abcdef"))
    total = sum(macs_by_weight(onnx.load_from_string(content)).values())
    assert total == 3 * 36
    assert sum(o.macs for o in compute_operators(content)) == total
