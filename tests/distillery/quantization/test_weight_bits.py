"""Weights on 4, 8 and 16 bits: the grid, what is stored, what runs, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from distillery.errors import ParamsError
from distillery.export import export
from distillery.feeding import feeder
from distillery.inference import open_session, run_rows
from distillery.integers import weights
from distillery.measurement import count_weights
from distillery.models.mlp import Mlp
from distillery.operators import compute_operators, integer_share, macs_by_weight
from distillery.quantization.quantize import static, weight_sizes
from distillery.quantization.weight_bits import Grid, fit_grid
from distillery.sparsity import zero_share

BITS = [(4, 8), (16, 8), (8, 16), (16, 16), (4, 16)]


@pytest.fixture(scope="module")
def made(files, rows, static_params):
    """Family and bits of weights and activations -> the static file, made once."""
    known = {}

    def file(family, bits):
        if (family, bits) not in known:
            method = static_params(bits=dict(zip(("weights", "activations"), bits, strict=True)))
            known[family, bits] = static(onnx.load_from_string(files[family]), rows, method)
        return known[family, bits]

    return file


def kernels(content):
    """The kernels and matrices of a file as compute reads them, by name, and how each is stored."""
    model = onnx.load_from_string(content)
    names = macs_by_weight(model)
    return {name: values for name, values in weights(model.graph).items() if name in names}


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("family", ["mlp", "resnet"])
def test_what_onnx_runtime_makes_of_a_file_is_what_its_operators_say(made, rows, family, bits):
    """The reference evaluator runs the graph as it stands. A sum on a rounding edge may go the other way."""
    content = made(family, bits)
    some = np.arange(20)
    (theirs,) = ReferenceEvaluator(onnx.load_from_string(content)).run(
        None, feeder(rows.form)(rows.features[some])
    )
    ours = run_rows(open_session(content), rows, some)
    assert np.abs(ours - theirs).max() < 0.02 * np.ptp(theirs)
    assert np.median(np.abs(ours - theirs)) < 1e-3 * np.ptp(theirs)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("family", ["mlp", "resnet"])
def test_more_bits_are_nearer_to_the_student(made, files, rows, family, bits):
    student = run_rows(open_session(files[family]), rows, np.arange(len(rows.labels)))

    def wrong(bits):
        logits = run_rows(open_session(made(family, bits)), rows, np.arange(len(student)))
        return np.square(logits - student).mean()

    more = tuple({4: 8, 8: 16, 16: 16}[count] for count in bits)
    assert more == bits or wrong(more) < wrong(bits)


@pytest.mark.parametrize("bits", [*BITS, (8, 8)])
@pytest.mark.parametrize("family", ["mlp", "resnet"])
def test_the_integer_share_is_of_what_really_runs(made, family, bits):
    """No integer kernel takes 16 bits, of weights or of activations; four bits are unpacked to eight."""
    content = made(family, bits)
    operators, macs = compute_operators(content), sum(macs_by_weight(onnx.load_from_string(content)).values())
    assert integer_share(operators, macs) == (0.0 if 16 in bits else 1.0)
    assert sum(operator.macs for operator in operators) == macs  # each found again in the graph that runs


@pytest.mark.parametrize("bits", [*BITS, (8, 8)])
@pytest.mark.parametrize("family", ["mlp", "resnet"])
def test_weights_lie_within_their_bits_and_are_counted_as_before(made, files, family, bits):
    content = made(family, bits)
    assert count_weights(content) == count_weights(files[family])
    found = kernels(content)
    sizes = weight_sizes(onnx.load_from_string(files[family]))
    assert sum(v.size for v in found.values()) == sum(sizes.values())
    limits = 2 ** (bits[0] - 1)
    for values in found.values():
        assert values.dtype == np.dtype(f"int{max(8, bits[0])}")
        assert -limits <= values.min() < -limits / 4  # the range is used
        assert limits / 4 < values.max() < limits
    zeros = sum(int((values == 0).sum()) for values in found.values())
    assert zero_share(content) == zeros / sum(v.size for v in found.values())


def test_four_bits_are_stored_two_a_byte_and_unpacked_to_eight(made):
    graph = onnx.load_from_string(made("mlp", (4, 8))).graph
    packed = {t.name: len(t.raw_data) for t in graph.initializer if t.data_type == TensorProto.INT4}
    assert sorted(packed.values()) == [16 * 10 / 2, 64 * 16 / 2]
    unpacked = {n.input[0]: n.attribute[0].i for n in graph.node if n.input[0] in packed}
    assert unpacked == dict.fromkeys(packed, TensorProto.INT8)


def test_a_few_weights_stay_a_byte_each_where_the_node_that_unpacks_is_larger(made):
    """The residual network's first kernel and its projection have 36 and 32 weights."""
    stored = onnx.load_from_string(made("resnet", (4, 8))).graph.initializer
    kinds = {math.prod(t.dims): t.data_type for t in stored if len(t.dims) == 4}
    assert kinds == {
        36: TensorProto.INT8, 32: TensorProto.INT8,
        144: TensorProto.INT4, 288: TensorProto.INT4, 576: TensorProto.INT4,
    }  # fmt: skip


@pytest.mark.parametrize("per_channel", ["per_channel", "per_tensor"])
def test_a_file_of_four_bits_is_smaller_by_nearly_half_of_its_weights(
    untrained, rows, static_params, per_channel
):
    model = type(untrained("mlp"))(Mlp(family="mlp", hidden=(256,), dropout=0.0).network(rows.form, 10))
    student = onnx.load_from_string(export(model, rows.classes))
    methods = (
        static_params(weights=per_channel, bits={"weights": bits, "activations": 8}) for bits in (8, 4)
    )
    eight, four = (len(static(student, rows, method)) for method in methods)
    assert eight - four > 0.45 * (64 * 256 + 256 * 10)


@pytest.mark.parametrize("correct_biases", [True, False])
def test_one_scale_a_tensor_is_one_scale_for_its_bias_too(files, rows, static_params, correct_biases):
    method = static_params(weights="per_tensor", correct_biases=correct_biases)
    graph = onnx.load_from_string(static(onnx.load_from_string(files["mlp"]), rows, method)).graph
    assert {math.prod(t.dims) for t in graph.initializer if t.data_type == TensorProto.FLOAT} == {1}


def test_a_layers_own_bits_go_before_the_methods(files, rows, static_params):
    student = onnx.load_from_string(files["mlp"])
    first, last = weight_sizes(student)
    content = static(student, rows, static_params(), bits={first: 4, last: 32})
    stored = onnx.load_from_string(content).graph.initializer
    assert {math.prod(t.dims): t.data_type for t in stored if len(t.dims) == 2} == {
        64 * 16: TensorProto.INT4,
        16 * 10: TensorProto.FLOAT,
    }
    assert [o.is_integer for o in compute_operators(content)] == [True, False]
    assert static(student, rows, static_params(), bits={last: 32}) == static(
        student, rows, static_params(), in_float=[last]
    )


@pytest.mark.parametrize("bits", [(16, 16), (16, 8), (8, 16), (8, 8)])
@pytest.mark.parametrize("correct_biases", [True, False])
def test_a_bias_that_is_large_beside_the_steps_of_its_products_is_kept(
    files, rows, static_params, bits, correct_biases
):
    """On the grid of sixteen bits by sixteen, where ONNX Runtime puts a float one, 31 bits end before it."""
    student = onnx.load_from_string(files["mlp"])
    last = [node for node in student.graph.node if node.op_type == "Gemm"][-1]
    bias = next(t for t in student.graph.initializer if t.name == last.input[2])
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(50), bias.name))
    named_bits = dict(zip(("weights", "activations"), bits, strict=True))
    content = static(student, rows, static_params(bits=named_bits, correct_biases=correct_biases))
    some = np.flatnonzero(rows.calibration)
    wanted = run_rows(open_session(student.SerializeToString()), rows, some)
    assert np.abs(run_rows(open_session(content), rows, some) - wanted).mean() < 0.05
    assert count_weights(content) == count_weights(files["mlp"])


def test_weights_that_two_layers_share_get_bits_of_their_own(rows, static_params, files):
    """Equal weights are stored once; here both layers of a perceptron read the same."""
    student = onnx.load_from_string(files["mlp"])
    first, last = [node for node in student.graph.node if node.op_type == "Gemm"]
    known = {t.name: t for t in student.graph.initializer}
    square = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    known[first.input[1]].CopyFrom(numpy_helper.from_array(square, first.input[1]))
    known[first.input[2]].CopyFrom(numpy_helper.from_array(square[0], first.input[2]))
    known[last.input[2]].CopyFrom(numpy_helper.from_array(square[1], last.input[2]))
    last.input[1] = first.input[1]
    student.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 64
    names = list(weight_sizes(student))
    content = static(student, rows, static_params(), bits={names[1]: 4})
    assert sorted(values.dtype.name for values in kernels(content).values()) == ["int8", "int8"]
    assert sorted(np.abs(values.astype(int)).max() <= 8 for values in kernels(content).values()) == [0, 1]


@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 8, 16]), st.booleans(), st.integers(0, 1))
def test_a_fitted_grid_rounds_no_worse_than_that_of_the_whole_range(seed, bits, per_channel, axis):
    random = np.random.default_rng(seed)
    weight = random.standard_t(2, (5, 7)).astype(np.float32) * 10.0 ** random.integers(-3, 3)
    weight = weight.astype(np.float32)
    grid = fit_grid(weight, axis, bits, per_channel=per_channel)
    assert grid.scale.shape == ((weight.shape[axis],) if per_channel else ())
    reach = np.abs(weight).max(axis=1 - axis if per_channel else None)
    whole = Grid((reach / np.float32(2 ** (bits - 1) - 1)).astype(np.float32), axis, bits)

    def wrong(grid):
        return np.square(grid.dequantized(grid.nearest(weight)) - weight, dtype=np.float64).sum()

    assert wrong(grid) <= wrong(whole) * (1 + 1e-6)
    q = grid.nearest(weight)
    assert grid.low <= q.min() <= q.max() <= grid.high


@pytest.mark.parametrize("size", [0.0, 1e-45, 1e-38, 1e38])
def test_a_grid_of_weights_of_any_size_has_a_scale_to_divide_by(size):
    weight = np.array([[size, -size, 0.0], [1.0, 0.5, 0.0]], np.float32)
    grid = fit_grid(weight, 0, 4, per_channel=True)
    assert (grid.scale > 0).all()
    assert np.isfinite(grid.dequantized(grid.nearest(weight))).all()
    assert grid.nearest(weight)[1].tolist() in ([7, 4, 0], [7, 3, 0])


def test_a_grid_is_as_counted_by_hand():
    """Four bits hold -8 to 7. A far weight is cut where its error is smaller than those that it causes."""
    weight = np.array([[-7, 3.4, 2.5, -0.5]], np.float32)
    grid = fit_grid(weight, 0, 4, per_channel=True)
    assert (grid.low, grid.high) == (-8, 7)
    assert Grid(np.ones((), np.float32), 0, 4).nearest(weight).tolist() == [[-7, 3, 2, 0]]
    assert Grid(np.full(1, 0.5, np.float32), 0, 4).nearest(weight).tolist() == [[-8, 7, 5, -1]]
    many = np.array([[1.0, *[0.05] * 200]], np.float32)
    assert fit_grid(many, 0, 4, per_channel=True).scale[0] < 0.5 / 7
    assert fit_grid(np.zeros((1, 3), np.float32), 0, 4, per_channel=True).nearest(many[:, :3]).any()


@pytest.mark.parametrize("bits", BITS)
def test_an_opset_without_these_bits_is_refused_layer_by_layer(files, rows, static_params, bits):
    student = onnx.load_from_string(files["mlp"])
    student.opset_import[0].version = 20
    counts = " and ".join(str(count) for count in sorted(set(bits) - {8}))
    method = static_params(bits={"weights": bits[0], "activations": bits[1]})
    with pytest.raises(ParamsError) as caught:
        static(student, rows, method)
    names = list(weight_sizes(student))
    for name, fault in zip(names, caught.value.faults, strict=True):
        assert f"{counts} bits for {name} need ONNX opset 21" in fault
    assert all("this file has 20" in fault and "take 8 bits" in fault for fault in caught.value.faults)
    assert static(student, rows, static_params())  # eight are older


def test_a_student_without_a_layer_that_has_weights_is_refused(rows, static_params):
    graph = helper.make_graph(
        [helper.make_node("Identity", ["input"], ["logits"])],
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
    )
    student = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    with pytest.raises(ParamsError, match="no Conv, Gemm or MatMul with a stored weight"):
        static(student, rows, static_params(bits={"weights": 4, "activations": 8}))
