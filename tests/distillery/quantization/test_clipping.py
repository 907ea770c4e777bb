from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.inference import open_session, run_rows
from distillery.operators import compute_operators
from distillery.quantization.clipping import (
    STEPS,
    Histogram,
    best_range,
    best_symmetric_range,
    clipping_ranges,
)
from distillery.quantization.quantize import static


def each_value_a_bin(values):
    values = np.asarray(values, np.float64)
    return Histogram(np.ones(len(values)), values, min(values.min(), 0.0), max(values.max(), 0.0))


def squared_error(values, low, high, smallest, largest):
    """By hand: sum of (x - x')^2 with ONNX's QuantizeLinear and DequantizeLinear."""
    scale = (high - low) / (largest - smallest)
    zero = np.rint(smallest - low / scale)
    q = np.clip(np.rint(values / scale) + zero, smallest, largest)
    return float((((q - zero) * scale - values) ** 2).sum())


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_no_range_on_the_grid_has_a_smaller_error_than_the_one_that_is_found(seed, after_relu):
    random = np.random.default_rng(seed)
    values = random.standard_t(2, size=60)
    values = np.maximum(values, 0) if after_relu else values
    low, high = best_range(each_value_a_bin(values))
    found = squared_error(values, low, high, 0, 255)
    ends = np.arange(1, STEPS + 1, 7) / STEPS
    for a in ends * min(values.min(), 0.0):
        for b in ends * max(values.max(), 0.0):
            assert b == a or found <= squared_error(values, a, b, 0, 255) * (1 + 1e-9)


@given(st.integers(0, 2**32 - 1))
def test_no_symmetric_range_on_the_grid_has_a_smaller_error(seed):
    values = np.random.default_rng(seed).standard_t(2, size=60)
    low, high = best_symmetric_range(each_value_a_bin(values))
    assert low == -high
    bounds = np.abs(values).max() * np.arange(1, STEPS + 1) / STEPS
    errors = [squared_error(values, -b, b, 0, 255) for b in bounds]
    assert squared_error(values, low, high, 0, 255) == pytest.approx(min(errors))


@pytest.mark.parametrize("count", [50_001, 200_001])
def test_a_far_value_is_clipped_as_far_as_calculus_says(count):
    """n even values and one 10: n (h / 255)^2 / 12 + (10 - h)^2 is least at h = 10 / (1 + n / 255^2 / 12)."""
    many = np.linspace(0, 1, count)
    assert best_range(each_value_a_bin(many)) == (0.0, 1.0)
    _, high = best_range(each_value_a_bin([*many, 10.0]))
    assert high == pytest.approx(10 / (1 + count / 255**2 / 12), abs=15 / STEPS)


def test_a_tensor_of_zeros_has_a_range():
    assert best_range(each_value_a_bin([0.0, 0.0])) == (0.0, 0.0)
    assert best_symmetric_range(each_value_a_bin([0.0])) == (0.0, 0.0)


def test_ranges_lie_within_what_the_calibration_rows_reach_and_hold_zero(files, rows):
    model = onnx.load_from_string(files["resnet"])
    relus = [node.output[0] for node in model.graph.node if node.op_type == "Relu"]
    found = clipping_ranges(model, relus, rows, symmetric=False)
    for tensor in relus:
        model.graph.output.append(onnx.ValueInfoProto(name=tensor))
    reached = open_session(model.SerializeToString()).run(
        relus, {"input": rows.features[np.flatnonzero(rows.calibration)]}
    )
    assert list(found) == relus
    for (low, high), values in zip(found.values(), reached, strict=True):
        assert low == 0.0
        assert 0 < high <= values.max() * (1 + 1e-6)
        wide = squared_error(values, 0.0, float(values.max()), 0, 255)
        assert squared_error(values, low, high, 0, 255) <= wide * 1.01


@pytest.mark.parametrize("activations", ["asymmetric", "symmetric"])
@pytest.mark.parametrize("weights", ["per_channel", "per_tensor"])
@pytest.mark.parametrize("ranges", ["minmax", "mse"])
def test_every_choice_gives_a_file_that_agrees_in_integers(
    files, rows, static_params, ranges, weights, activations
):
    method = static_params(ranges=ranges, weights=weights, activations=activations)
    content = static(onnx.load_from_string(files["resnet"]), rows, method)
    graph = onnx.load_from_string(content).graph
    kinds = {t.name: (t.data_type, list(t.dims)) for t in graph.initializer}
    roundings = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    zeros = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer if not t.dims}
    found = [zeros[node.input[2]] for node in roundings]
    assert {zero.dtype for zero in found} == {np.dtype(np.uint8)}
    assert (
        {int(zero) for zero in found} == {128}
        if activations == "symmetric"
        else len(set(map(int, found))) > 2
    )
    scales = {
        tuple(kinds[node.input[1]][1])
        for node in graph.node
        if node.op_type == "DequantizeLinear" and len(kinds.get(node.input[0], (0, []))[1]) > 1
    }
    assert all(scales_of in ((), (1,)) for scales_of in scales) == (weights == "per_tensor")
    assert all(o.is_integer for o in compute_operators(content))
    positions = np.arange(len(rows.labels))
    student = run_rows(open_session(files["resnet"]), rows, positions).argmax(1)
    assert (run_rows(open_session(content), rows, positions).argmax(1) == student).mean() > 0.9
    again = static(onnx.load_from_string(files["resnet"]), rows, method)
    assert again == content


def test_the_ranges_that_are_found_are_in_the_file(files, rows, static_params):
    model = onnx.load_from_string(files["mlp"])
    relu = next(node.output[0] for node in model.graph.node if node.op_type == "Relu")
    ((_, high),) = clipping_ranges(model, [relu], rows, symmetric=False).values()
    graph = onnx.load_from_string(static(model, rows, static_params(ranges="mse"))).graph
    known = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    scales = [float(known[n.input[1]]) for n in graph.node if n.op_type == "QuantizeLinear"]
    assert any(scale == pytest.approx(high / 255, rel=1e-5) for scale in scales)
