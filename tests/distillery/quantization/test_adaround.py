"""Learned rounding against its formulas by hand, and against all 2^n roundings of small layers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from distillery.inference import open_session, run_rows
from distillery.params.quantize import LearnedParams
from distillery.quantization.adaround import (
    Problem,
    beginning,
    beta,
    indecision,
    learned,
    output_error,
    rectified_sigmoid,
)
from distillery.quantization.quantize import static
from distillery.quantization.torch_layers import Layer
from distillery.quantization.weight_bits import Grid, fit_grid

METHOD = LearnedParams(kind="learned", steps=300, batch_size=64, learning_rate=0.02, regularization=0.01)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors: a second thread would only wait for the first."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def dense(x, weight):
    return x @ weight.T


def dense_problem(seed, weights=10, rows=64):
    """One output of a dense layer whose inputs go together, so that errors of weights can cancel."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(3, weights))
    inputs = (random.normal(size=(rows, 3)) @ mixing + 0.3 * random.normal(size=(rows, weights))).astype("f4")
    weight = random.normal(size=(1, weights)).astype(np.float32)
    wanted = torch.from_numpy(inputs @ weight.T)
    grid = fit_grid(weight, 0, 4, per_channel=True)
    return Problem(weight, grid, Layer(dense), torch.from_numpy(inputs), wanted)


def convolution_problem(seed):
    """A convolution of nine weights and one output channel, with the ReLU behind it."""
    random = np.random.default_rng(seed)
    inputs = torch.from_numpy(random.uniform(0, 1, (16, 1, 6, 6)).astype(np.float32))
    weight = random.normal(size=(1, 1, 3, 3)).astype(np.float32)
    layer = Layer(torch.conv2d, relu=True)
    wanted = layer.run(inputs, torch.from_numpy(weight))
    return Problem(weight, fit_grid(weight, 0, 4, per_channel=True), layer, inputs, wanted)


def error(problem, q):
    return float(output_error(problem, torch.from_numpy(problem.grid.dequantized(np.asarray(q)))))


def least_of_all(problem):
    """By trying every way to round every weight up or down."""
    ratio = problem.weight / problem.grid.against(problem.weight)
    below, size = np.floor(ratio), ratio.size
    ways = (np.reshape(up, ratio.shape) for up in itertools.product((0, 1), repeat=size))
    return min(error(problem, (below + up).clip(problem.grid.low, problem.grid.high)) for up in ways)


@pytest.mark.parametrize(("make", "seeds"), [(dense_problem, 8), (convolution_problem, 5)])
def test_the_outputs_come_near_to_those_of_the_best_of_all_roundings(make, seeds):
    """Never worse than the nearest; of what any rounding could win over all these layers, most is won."""
    won = winnable = 0.0
    for seed in range(seeds):
        problem = make(seed)
        nearest, best = error(problem, problem.grid.nearest(problem.weight)), least_of_all(problem)
        ours = error(problem, learned(problem, METHOD))
        assert best * (1 - 1e-5) <= ours <= nearest
        won, winnable = won + nearest - ours, winnable + nearest - best
    assert won > 0.75 * winnable > 0


def test_every_weight_goes_to_one_of_the_two_integers_beside_it():
    problem = dense_problem(1)
    ratio = problem.weight / problem.grid.against(problem.weight)
    q = learned(problem, METHOD)
    inside = (ratio > problem.grid.low) & (ratio < problem.grid.high)
    assert set((q - np.floor(ratio))[inside].tolist()) == {0, 1}
    assert (q != problem.grid.nearest(problem.weight)).any()


def test_what_was_pruned_stays_zero():
    """A zero lies on its integer, yet the one above it may serve the outputs."""
    for seed in range(3):
        problem = dense_problem(seed)
        weight = problem.weight.copy()
        weight[0, ::2] = 0
        pruned = Problem(weight, problem.grid, problem.layer, problem.inputs, problem.wanted)
        assert not learned(pruned, METHOD)[0, ::2].any()


@pytest.mark.parametrize("spoilt", [{"steps": 1, "learning_rate": 50.0}, {"regularization": 1e9}])
def test_what_was_learned_badly_is_the_nearest_rounding(spoilt):
    for seed in range(3):
        problem = dense_problem(seed)
        nearest = problem.grid.nearest(problem.weight)
        ours = learned(problem, METHOD.model_copy(update=spoilt))
        assert error(problem, ours) <= error(problem, nearest)


def test_learning_twice_gives_the_same_integers():
    problem = dense_problem(4)
    np.testing.assert_array_equal(learned(problem, METHOD), learned(problem, METHOD))


def test_the_rectified_sigmoid_is_that_of_the_paper():
    """h(0) = 0.5 (1.1 + 0.1) - 0.1 = 0.5; it is 1 from sigmoid(V) = 1.1 / 1.2 on, V = ln 11."""
    v = torch.tensor([0.0, math.log(11), -math.log(11), 1.0, 9.0, -9.0], dtype=torch.float64)
    expected = [0.5, 1.0, 0.0, 1.2 / (1 + math.exp(-1)) - 0.1, 1.0, 0.0]
    torch.testing.assert_close(rectified_sigmoid(v), torch.tensor(expected, dtype=torch.float64))


@given(st.lists(st.floats(0, 1, exclude_max=True, width=32), min_size=1))
def test_the_soft_weight_begins_as_the_float_one(rests):
    rest = torch.tensor(rests)
    torch.testing.assert_close(rectified_sigmoid(beginning(rest)), rest, atol=1e-6, rtol=0)


def test_the_regulariser_counts_what_is_undecided():
    h = torch.tensor([0.0, 0.25, 0.5, 1.0])
    torch.testing.assert_close(indecision(h, 2.0), torch.tensor([0.0, 0.75, 1.0, 0.0]))
    torch.testing.assert_close(indecision(h, 4.0), torch.tensor([0.0, 1 - 0.5**4, 1.0, 0.0]))


def test_beta_waits_for_the_warm_up_and_falls_half_a_cosine_from_20_to_2():
    assert [beta(step, 1000) for step in (0, 200)] == [20.0, 20.0]
    assert beta(600, 1000) == pytest.approx(11.0)
    assert beta(400, 1000) == pytest.approx(2 + 9 * (1 + math.cos(math.pi / 4)))
    assert beta(1000, 1000) == pytest.approx(2.0)


def test_the_error_is_summed_over_channels_and_averaged_over_rows_and_places():
    layer = Layer(lambda x, weight: x * weight)
    problem = Problem(np.ones(1), Grid(np.ones(()), 0, 4), layer, torch.ones(2, 3, 5), torch.zeros(2, 3, 5))
    assert float(output_error(problem, torch.tensor(2.0))) == 3 * 4.0


@pytest.fixture(scope="module")
def made(files, rows, static_params):
    """Kind of rounding -> the residual network's static file on four bits.

    The perceptron's first layer has more inputs than there are rows here: there is too little to learn from.
    """
    roundings = {"learned": METHOD.model_dump() | {"steps": 100}, "nearest": {"kind": "nearest"}}
    student = onnx.load_from_string(files["resnet"])
    return {
        kind: static(student, rows, static_params(bits={"weights": 4, "activations": 8}, rounding=rounding))
        for kind, rounding in roundings.items()
    }


def test_a_file_with_learned_rounding_is_nearer_to_its_student_on_rows_that_it_never_saw(made, files, rows):
    unseen = np.flatnonzero(~rows.calibration)
    student = run_rows(open_session(files["resnet"]), rows, unseen)
    wrong = {
        kind: np.square(run_rows(open_session(content), rows, unseen) - student).mean()
        for kind, content in made.items()
    }
    assert wrong["learned"] < 0.5 * wrong["nearest"]


def test_learned_rounding_changes_integers_and_no_scale(made):
    floats = {
        kind: sorted(
            numpy_helper.to_array(tensor).tobytes()
            for tensor in onnx.load_from_string(content).graph.initializer
            if tensor.data_type == onnx.TensorProto.FLOAT
        )
        for kind, content in made.items()
    }
    assert floats["learned"] == floats["nearest"]
    assert made["learned"] != made["nearest"]


def test_a_layer_that_pads_by_itself_is_refused_by_name(files, rows, static_params):
    from distillery.errors import ParamsError

    student = onnx.load_from_string(files["resnet"])
    node = next(n for n in student.graph.node if n.op_type == "Conv")
    for attribute in [a for a in node.attribute if a.name == "pads"]:
        node.attribute.remove(attribute)
    node.attribute.append(helper.make_attribute("auto_pad", "SAME_UPPER"))
    number = list(student.graph.node).index(node)
    with pytest.raises(ParamsError, match=rf"Conv_{number} pads by itself.*nearest"):
        static(student, rows, static_params(rounding=METHOD.model_dump()))
