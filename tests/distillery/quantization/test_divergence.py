import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from distillery.quantization.divergence import closest_ranges
from distillery.quantization.quantize import static


class Values:
    """Feeds of one number each, for a graph that only adds nothing."""

    def __init__(self, values):
        self.feeds = iter([{"input": np.array([[value]], np.float32)} for value in values])

    def get_next(self):
        return next(self.feeds, None)


@pytest.fixture(scope="module")
def identity():
    nodes = [helper.make_node("Add", ["input", "zero"], ["out"])]
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1])] for name in ("input", "out")
    )
    graph = helper.make_graph(nodes, "identity", inputs, outputs, [zero])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def found(identity, values, symmetric=False):
    return closest_ranges(identity, ["Add"], Values(values), symmetric=symmetric)["out"]


def test_a_few_values_far_out_are_clipped_and_an_even_spread_is_not(identity):
    random = np.random.default_rng(0)
    many = random.normal(size=3000)
    low, high = found(identity, [30.0, *many, -30.0])
    assert 0.5 < high < 15
    assert -15 < low < -0.5
    low, high = found(identity, [1.0, -1.0, *random.uniform(-1, 1, 3000)])
    assert min(-low, high) > 0.8


def divergence(counts, reach, levels):
    """KL(P, Q) of the range `reach` bins to both sides of the middle; by its definition, in counts."""
    start, end = len(counts) // 2 - reach, min(len(counts) // 2 + reach + 1, len(counts))
    inside = counts[start:end]
    p, q, width = inside.copy(), np.zeros_like(inside), len(inside) // levels
    p[0] += counts[:start].sum()
    p[-1] += counts[end:].sum()
    for level in range(levels):
        bins = slice(level * width, (level + 1) * width)
        merged = inside[level * width :] if level == levels - 1 else inside[bins]
        if filled := np.count_nonzero(p[bins]):
            q[bins] = merged.sum() // filled
    if not q.any():
        return np.inf
    smooth = [np.where(c > 0, c - 1e-4 * (c == 0).sum() / (c > 0).sum(), 1e-4) / c.sum() for c in (p, q)]
    return float((smooth[0] * np.log(smooth[0] / smooth[1])).sum())


@pytest.mark.parametrize("kind", ["normal", "far ends", "rectified", "one side"])
def test_no_range_has_a_smaller_divergence_than_the_one_that_is_found(identity, kind, monkeypatch):
    bins, levels = 128, 16
    monkeypatch.setattr(
        "distillery.quantization.divergence.BINS", {"num_bins": bins, "num_quantized_bins": levels}
    )
    random = np.random.default_rng(3)
    values = {
        "normal": random.normal(size=600),
        "far ends": np.append(random.normal(size=600), [9.0, -7.0]),
        "rectified": np.maximum(random.standard_t(3, size=600), 0),
        "one side": -random.exponential(size=600),
    }[kind].astype(np.float32)
    far = np.abs(values).max()
    counts, edges = np.histogram(values, bins, range=(-far, far))
    ranges, divergences = [], []
    for reach in range(levels // 2, bins // 2 + 1):
        low, high = edges[bins // 2 - reach], edges[min(bins // 2 + reach + 1, bins)]
        ranges.append((min(max(low, values.min()), 0.0), max(min(high, values.max()), 0.0)))
        divergences.append(divergence(counts, reach, levels))
    least = min(divergences) + 1e-5  # single precision finds it
    best = [pair for pair, kl in zip(ranges, divergences, strict=True) if kl < least]
    chosen = found(identity, values)
    assert any(chosen == pytest.approx(pair, rel=1e-6) for pair in best)
    assert len(best) < 4  # of 57


def test_a_range_holds_zero_and_a_symmetric_one_is_as_wide_on_both_sides(identity):
    values = np.random.default_rng(1).uniform(2, 3, 500)
    low, high = found(identity, values)
    assert (low, 2 < high <= 3) == (0.0, True)
    assert found(identity, values, symmetric=True) == (-high, high)


def test_entropy_makes_another_file_than_the_whole_range(files, rows, static_params):
    """With the bins that `quantize_static` gives it, the library's search does not."""
    student = files["mlp"]
    made = [
        static(onnx.load_from_string(student), rows, static_params(ranges=r)) for r in ("minmax", "entropy")
    ]
    assert made[0] != made[1]
