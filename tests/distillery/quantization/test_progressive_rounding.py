from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distillery.params.quantize import BitsProgress, LayersProgress
from distillery.quantization.fake_quantization import quantizers, with_fake_quantizers
from distillery.quantization.progressive_rounding import Rounding, by_sensitivity, layers
from distillery.quantization.quantizers import ActivationQuantizer, WeightQuantizer


@pytest.fixture
def model(students):
    return with_fake_quantizers(students["resnet"])


@pytest.fixture(scope="module")
def qat(shipped):
    """The shipped aware training with some progress, observing for two epochs more."""

    def make(progress):
        return shipped.quantize.qat.model_copy(update={"progress": progress, "observe_epochs": 2})

    return make


def bits(rounding):
    """The bits of each layer, in the order of rounding; all quantizers of a layer have the same."""
    held = [{quantizer.bits for quantizer in layer} for layer in rounding.layers]
    assert all(len(each) == 1 for each in held)
    return [each.pop() for each in held]


def by_layers(epochs, order="input"):
    return LayersProgress(kind="layers", epochs=epochs, order=order)


def test_a_layer_is_a_weight_and_what_follows_up_to_the_next_and_the_input_is_of_the_first(model):
    found = layers(model)
    assert [quantizer for layer in found for quantizer in layer] == quantizers(model)
    assert found[0][0] is model.input
    for layer in found:
        assert sum(isinstance(quantizer, WeightQuantizer) for quantizer in layer) == 1
    assert [type(quantizer) for quantizer in found[-1]] == [WeightQuantizer]  # its logits stay float


def test_without_progress_all_is_rounded_to_eight_bits_at_once(model, rows, qat):
    rounding = Rounding(model, rows, qat(None))
    assert set(bits(rounding)) == {8}


@given(st.integers(1, 12))
def test_layers_are_rounded_one_after_another_and_stay_so(students, rows, qat, epochs):
    rounding = Rounding(with_fake_quantizers(students["resnet"]), rows, qat(by_layers(epochs)))
    counts = []
    for epoch in range(epochs + 2):
        rounding.before(epoch)
        held = bits(rounding)
        counts.append(held.count(8))
        assert held == [8] * counts[-1] + [None] * (len(held) - counts[-1])
    assert counts == sorted(counts)
    assert counts[0] >= 1
    assert counts[epochs] == counts[-1] == len(rounding.layers)
    assert max(np.diff(counts[: epochs + 1]), default=0) <= -(-len(rounding.layers) // epochs)


def test_bits_fall_step_by_step_and_end_at_eight(model, rows, qat):
    rounding = Rounding(model, rows, qat(BitsProgress(kind="bits", epochs=5, steps=(16, 12))))
    seen = []
    for epoch in range(7):
        rounding.before(epoch)
        (held,) = set(bits(rounding))
        seen.append(held)
    assert seen == [16, 16, 16, 12, 12, 8, 8]


def test_observing_goes_on_for_its_epochs_after_everything_is_rounded(model, rows, qat):
    rounding = Rounding(model, rows, qat(by_layers(3)))
    observing = []
    for epoch in range(7):
        rounding.before(epoch)
        (held,) = {q.observing for q in quantizers(model) if isinstance(q, ActivationQuantizer)}
        observing.append(held)
    assert observing == [True] * 5 + [False] * 2


def test_a_layer_that_is_not_rounded_yet_is_float(model, students, rows, qat):
    """With none but the last layer's weight rounded, the features before it are the float student's."""
    images = torch.tensor(rows.features[:16])
    Rounding(model, rows, qat(None))
    for layer in layers(model)[:-1]:
        for quantizer in layer:
            quantizer.bits = None
    float_student = students["resnet"].folded()
    with torch.no_grad():
        ours = model.eval().layers[:-1](model.encoding(images))
        theirs = float_student.layers[:-1](float_student.encoding(images))
    torch.testing.assert_close(ours, theirs)


def test_the_layer_that_moves_the_logits_most_is_rounded_first(model, rows):
    """A weight with one value far out has steps too wide for the others."""
    in_order = layers(model)
    with torch.no_grad():
        weight = model.layers[1].body[0].conv.parametrizations["weight"].original
        weight[:, 0, 0, 0] = 60 * weight.abs().max()
    outlier = model.layers[1].body[0].conv.parametrizations["weight"][0]
    ordered = by_sensitivity(model, rows)
    assert outlier in ordered[0]
    assert {id(layer[0]) for layer in ordered} == {id(layer[0]) for layer in in_order}


def test_sensitivity_changes_no_weight_and_sees_the_calibration_rows_alone(model, rows):
    images = torch.tensor(rows.features[rows.calibration])
    before = copy.deepcopy(dict(model.named_parameters()))
    by_sensitivity(model, rows)
    assert all(torch.equal(value, before[name]) for name, value in model.named_parameters())
    encoded = model.encoding(images)
    assert model.input.low == encoded.amin()
    assert model.input.high == encoded.amax()
