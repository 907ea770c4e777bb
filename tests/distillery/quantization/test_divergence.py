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
