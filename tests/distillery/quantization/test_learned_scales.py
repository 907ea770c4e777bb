from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distillery.params.quantize import LearnedScales
from distillery.quantization.fake_quantization import quantizers, stop_observing, with_fake_quantizers
from distillery.quantization.learned_scales import (
    LearnedActivationQuantizer,
    LearnedWeightQuantizer,
    gradient_scale,
    in_units,
    learn_scales,
    learned_fake_quantize,
)
from distillery.quantization.quantizers import ActivationQuantizer, fake_quantize

BY_RANGE = LearnedScales(kind="learned", start="range", weights="per_channel")
BY_MEAN = LearnedScales(kind="learned", start="mean", weights="per_channel")
PER_TENSOR = LearnedScales(kind="learned", start="range", weights="per_tensor")

places = st.floats(-400, 400, width=32, allow_subnormal=False).filter(
    lambda v: abs(v % 1 - 0.5) > 0.01
)  # in steps, off the rounding edges
limits = st.sampled_from([(0, 255), (-128, 127)])


def learned(values, scale, zero, low, high):
    """x', and the gradients of sum(c x') with c = 1, 2, 3...: of x, scale and offset."""
    x = torch.tensor(values, requires_grad=True)
    s = torch.tensor(scale, requires_grad=True)
    offset = torch.tensor(-zero * scale, requires_grad=True)
    rounded = learned_fake_quantize(x, s, offset, low, high)
    (rounded * torch.arange(1.0, len(values) + 1)).sum().backward()
    return rounded.detach(), x.grad, s.grad, offset.grad


def passed(v):
    """round(v) with the gradient of v."""
    return v + (torch.round(v) - v).detach()


@given(st.lists(places, min_size=1, max_size=30), st.sampled_from([2.0**-7, 0.25, 2.0]), limits)
def test_the_gradients_are_those_of_the_papers_formulas(steps, scale, limits):
    """LSQ, equations 3 and 5, value by value; offset 0."""
    low, high = limits
    _, by_x, by_scale, by_offset = learned([v * scale for v in steps], scale, 0, low, high)
    expected = 0.0
    for c, v in enumerate(steps, start=1):
        inside = low < v < high
        expected += c * (round(v) - v if inside else low if v <= low else high)
        assert by_x[c - 1] == c * inside
    assert by_scale.item() == pytest.approx(expected, rel=1e-5, abs=1e-3)
    assert by_offset.item() == sum(c for c, v in enumerate(steps, 1) if not low < v < high)


@given(st.lists(places, min_size=1, max_size=30), st.integers(0, 255))
def test_the_gradients_are_those_of_autograd_through_the_papers_quantizer(steps, zero):
    """LSQ+, equations 3 and 4, in doubles: round(clamp((x - offset) / scale)) scale + offset."""
    scale = 0.25
    values = [v * scale for v in steps]
    rounded, by_x, by_scale, by_offset = learned(values, scale, zero, 0, 255)
    x, s, offset = (
        torch.tensor(v, dtype=torch.double, requires_grad=True) for v in (values, scale, -zero * scale)
    )
    theirs = passed(((x - offset) / s).clamp(0, 255)) * s + offset
    (theirs * torch.arange(1.0, len(values) + 1)).sum().backward()
    torch.testing.assert_close(rounded.double(), theirs.detach())
    edges = torch.tensor([v + zero in (0, 255) for v in steps])
    torch.testing.assert_close(by_x.double()[~edges], x.grad[~edges])
    if not edges.any():
        torch.testing.assert_close(by_scale.double(), s.grad, rtol=1e-5, atol=1e-3)
        torch.testing.assert_close(by_offset.double(), offset.grad)


@given(st.lists(places.filter(lambda v: abs(v - 127) > 1 and abs(v + 128) > 1), min_size=1, max_size=20))
def test_the_gradient_of_scale_is_the_finite_difference_where_no_integer_changes(steps):
    """Rounding is flat between its edges: there dx'/ds = round(v), and the straight-through part is -v."""
    s, h = 0.5, 1e-6
    x = np.array(steps) * s
    c = np.arange(1, len(steps) + 1)

    def total(scale):
        integers = np.clip(np.rint(x / scale), -128, 127)
        return float((c * integers * scale).sum())

    inside = (np.array(steps) > -128) & (np.array(steps) < 127)
    numeric = (total(s + h) - total(s - h)) / (2 * h) - (c * inside * np.array(steps)).sum()
    _, _, by_scale, _ = learned(x.tolist(), s, 0, -128, 127)
    assert by_scale.item() == pytest.approx(numeric, rel=1e-4, abs=1e-2)


@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=30),
    st.floats(2.0**-10, 10, width=32),
    st.floats(-3e3, 500, width=32),
)
def test_it_rounds_to_the_last_bit_as_with_observed_scales(values, scale, offset):
    x, s, b = (torch.tensor(value) for value in (values, scale, offset))
    zero = torch.round(-b / s).clamp(0, 255)
    assert torch.equal(learned_fake_quantize(x, s, b, 0, 255), fake_quantize(x, s, zero, 0, 255))


def test_scales_of_channels_get_the_gradients_of_their_own_values():
    x = torch.tensor([[0.6, 300.0], [-0.2, -300.0]])
    s = torch.ones(2, 1, requires_grad=True)
    learned_fake_quantize(x, s, torch.zeros(2, 1), -128, 127).sum().backward()
    torch.testing.assert_close(s.grad, torch.tensor([[0.4 + 127], [0.2 - 128]]))


def test_the_gradient_is_scaled_by_the_values_that_share_a_scale():
    """By hand: 100 weights at 127, so g = 1 / sqrt(12700)."""
    assert gradient_scale(100, 127) == pytest.approx(1 / math.sqrt(12700))


@given(st.floats(1e-4, 10), st.floats(0.5, 2), st.floats(-100, 100), st.floats(1e-3, 1))
def test_plain_descent_moves_a_scale_by_the_papers_step(unit, share, slope, g):
    """s <- s - rate g dL/ds, whatever the unit."""
    factor = torch.tensor(share, dtype=torch.double, requires_grad=True)
    unit = torch.tensor(unit, dtype=torch.double)
    scale = in_units(factor, unit, g)
    (scale * slope).backward()
    moved = unit * (factor.detach() - 0.01 * factor.grad)
    assert moved.item() == pytest.approx(scale.item() - 0.01 * g * slope, rel=1e-9, abs=1e-12)


def test_a_scale_that_fell_below_the_least_can_come_back():
    factor = torch.tensor(-1.0, requires_grad=True)
    scale = in_units(factor, torch.tensor(0.1), 1.0, 2.0**-24)
    scale.backward()
    assert scale.item() == 2.0**-24
    assert factor.grad.item() == pytest.approx(10)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (BY_RANGE, [3 / 127, 0.5 / 127]),
        (BY_MEAN, [2 * 2 / math.sqrt(127), 2 * 0.25 / math.sqrt(127)]),
        (PER_TENSOR, 3 / 127),
    ],
)
def test_scales_of_weights_start_where_the_method_says(method, expected):
    weight = torch.tensor([[3.0, -1.0], [0.5, 0.0]])
    quantizer = LearnedWeightQuantizer(weight, method)
    torch.testing.assert_close(quantizer.step_sizes().detach(), torch.tensor(expected))


def test_weights_are_followed_while_observing_and_learned_afterwards():
    quantizer = LearnedWeightQuantizer(torch.ones(1, 2), BY_RANGE).train()
    weight = torch.tensor([[2.0, -1.0]], requires_grad=True)
    quantizer(weight).sum().backward()
    assert quantizer.scale.item() == pytest.approx(2 / 127)
    assert quantizer.factor.grad is None
    quantizer.stop_observing()
    quantizer(weight * 2).sum().backward()
    assert quantizer.scale.item() == pytest.approx(2 / 127)
    assert quantizer.factor.grad.item() != 0
    with torch.no_grad():
        quantizer.factor.mul_(0.5)
    assert quantizer.step_sizes().item() == pytest.approx(1 / 127)
    assert quantizer(torch.full((1, 2), 5.0))[0, 0].item() == pytest.approx(1.0)


@pytest.mark.parametrize("method", [BY_RANGE, BY_MEAN])
@pytest.mark.parametrize(("low", "high"), [(0.0, 4.0), (-1.0, 3.0)])
def test_activations_start_where_the_method_says_and_their_zero_point_as_observed(method, low, high):
    x = torch.tensor([[low, high]])
    quantizer, plain = LearnedActivationQuantizer(method).train(), ActivationQuantizer().train()
    quantizer(x), plain(x)
    stop_observing(torch.nn.Sequential(quantizer))
    scale, zero = quantizer.scale_and_zero_point()
    expected = plain.scale_and_zero_point()
    assert zero == expected[1]
    start = expected[0].item() if method is BY_RANGE else 2 * 2 / math.sqrt(255)
    assert scale.item() == pytest.approx(start, rel=1e-6)


def test_behind_a_relu_the_zero_point_stays_and_elsewhere_it_is_learned():
    for low, learns in ((0.0, False), (-1.0, True)):
        quantizer = LearnedActivationQuantizer(BY_RANGE).train()
        quantizer(torch.tensor([[low, 4.0]]))
        quantizer.stop_observing()
        quantizer(torch.tensor([[low, 9.0]])).sum().backward()
        assert quantizer.factor.grad.item() > 0
        assert (quantizer.shift.grad is not None) == learns
        if learns:
            with torch.no_grad():
                quantizer.shift.sub_(0.2)
            assert quantizer.scale_and_zero_point()[1].item() == 51 + 51  # of 255: 0.2 and 0.2


def test_every_quantizer_of_a_network_is_made_to_learn_and_its_parameters_are_found(students):
    model = with_fake_quantizers(students["resnet"])
    before = len(quantizers(model))
    learn_scales(model, BY_RANGE)
    found = quantizers(model)
    assert len(found) == before
    assert all(isinstance(q, LearnedWeightQuantizer | LearnedActivationQuantizer) for q in found)
    parameters = {id(p) for p in model.parameters()}
    assert all(id(q.factor) in parameters for q in found)
    assert all(q.factor.ndim <= 1 for q in found)  # no weight decay


def test_while_observing_learned_scales_change_nothing(students, rows):
    images = torch.tensor(rows.features[:64])
    plain = with_fake_quantizers(students["resnet"])
    model = copy.deepcopy(plain)
    learn_scales(model, BY_RANGE)
    for _ in range(2):
        assert torch.equal(model.train()(images), plain.train()(images))
