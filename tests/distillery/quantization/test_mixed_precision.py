"""Bits by layer: the order by hand on made-up harms, the budgets on real students."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from distillery.data.rows import Split
from distillery.operators import compute_operators
from distillery.params.quantize import MixedParams
from distillery.quantization.fallback import accuracy, harms
from distillery.quantization.mixed_precision import harms_by_bits, ladder, static_mixed
from distillery.quantization.quantize import static, weight_sizes


def mixed(**fields):
    return MixedParams.model_validate({"bits": (4, 8), "max_accuracy_drop": None, "max_bytes": None} | fields)


@pytest.fixture(scope="module")
def fragile(files):
    """The perceptron whose first layer has a channel of weights forty times as large, which the last undoes.

    What it computes is the student's; four bits a tensor leave little of the other channels.
    """
    model = onnx.load_from_string(files["mlp"])
    first, last = [node for node in model.graph.node if node.op_type == "Gemm"]
    known = {t.name: t for t in model.graph.initializer}
    spread = np.ones(16, np.float32)
    spread[0] = 40
    changes = ((first.input[1], spread[:, None]), (first.input[2], spread), (last.input[1], 1 / spread))
    for name, by in changes:
        known[name].CopyFrom(numpy_helper.from_array(numpy_helper.to_array(known[name]) * by, name))
    return model


@pytest.fixture(scope="module")
def method(static_params):
    return static_params(weights="per_tensor")


def test_the_layer_whose_next_bits_take_most_harm_away_for_a_byte_goes_up_first():
    sizes = {"a": 100, "b": 10, "c": 10}
    harm = {
        4: {"a": 9.0, "b": 2.0, "c": 1.0},
        8: {"a": 1.0, "b": 0.5, "c": 0.9},
        32: dict.fromkeys("abc", 0.0),
    }
    # a byte is worth to a: 8 / 400, then 1 / 2400; to b: 1.5 / 40, then 0.5 / 240; to c: 0.1 / 40, 0.9 / 240
    steps = [list(bits.values()) for bits in ladder(sizes, harm, (4, 8, 32))]
    assert steps == [[4, 4, 4], [4, 8, 4], [8, 8, 4], [8, 8, 8], [8, 8, 32], [8, 32, 32], [32, 32, 32]]


@given(st.lists(st.tuples(st.integers(1, 1000), st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=6))
def test_every_step_raises_one_layer_to_its_next_bits_and_the_last_has_the_most(drawn):
    sizes = {str(at): size for at, (size, _, _) in enumerate(drawn)}
    harm = {4: {str(at): high for at, (_, high, _) in enumerate(drawn)}}
    harm |= {8: {str(at): low for at, (_, _, low) in enumerate(drawn)}, 16: dict.fromkeys(sizes, 0.0)}
    steps = list(ladder(sizes, harm, (4, 8, 16)))
    assert steps[0] == dict.fromkeys(sizes, 4)
    assert steps[-1] == dict.fromkeys(sizes, 16)
    assert len(steps) == 2 * len(sizes) + 1
    for before, after in pairwise(steps):
        (name,) = [name for name in sizes if before[name] != after[name]]
        assert (before[name], after[name]) in {(4, 8), (8, 16)}


def test_harms_are_those_of_the_fallback_and_of_float_none(fragile, rows, method, static_params):
    found = harms_by_bits(fragile, rows, method, (4, 8, 32))
    assert found[8] == harms(fragile, rows, method)
    four = static_params(weights="per_tensor", bits={"weights": 4, "activations": 8})
    assert found[4] == harms(fragile, rows, four)
    assert set(found[32].values()) == {0.0}
    first, _ = weight_sizes(fragile)
    assert found[4][first] == max(found[4].values()) > found[8][first]


def test_bits_rise_until_the_accuracy_holds_and_no_further(fragile, rows, method):
    held_out = rows.where(Split.VALIDATION)
    student = accuracy(fragile.SerializeToString(), rows, held_out)
    content, curve = static_mixed(fragile, rows, method, mixed(max_accuracy_drop=5.0))
    assert len(curve) > 1
    assert all(point.accuracy < student - 0.05 for point in curve[:-1])
    assert curve[-1].accuracy == accuracy(content, rows, held_out) >= student - 0.05
    assert curve[-1].bytes == len(content)
    assert content == static(fragile, rows, method, bits=curve[-1].bits)
    first, last = weight_sizes(fragile)
    assert curve[0].bits == {first: 4, last: 4}
    assert curve[1].bits[first] == 8


def test_bits_rise_while_the_file_is_small_enough(files, rows, static_params):
    student, method = onnx.load_from_string(files["mlp"]), static_params()
    _, whole = static_mixed(student, rows, method, mixed(max_bytes=10**9))
    assert [len(set(point.bits.values())) for point in whole] == [1, 2, 1]
    assert [point.bytes for point in whole] == sorted(point.bytes for point in whole)
    for limit, taken in ((whole[1].bytes, 1), (whole[1].bytes - 1, 0), (1, 0)):
        content, curve = static_mixed(student, rows, method, mixed(max_bytes=limit))
        assert curve == whole[: taken + 1]
        assert len(content) == whole[taken].bytes


def test_of_two_budgets_the_size_is_kept(fragile, rows, method):
    _, free = static_mixed(fragile, rows, method, mixed(max_accuracy_drop=0.0, bits=(4, 8, 32)))
    limit = free[-1].bytes - 1
    content, curve = static_mixed(
        fragile, rows, method, mixed(max_accuracy_drop=0.0, bits=(4, 8, 32), max_bytes=limit)
    )
    assert len(content) <= limit
    assert curve == free[: len(curve)]
    assert len(curve) < len(free)


def test_the_last_point_there_can_be_is_the_student(files, rows, static_params):
    student = onnx.load_from_string(files["mlp"])
    content, curve = static_mixed(student, rows, static_params(), mixed(bits=(8, 32), max_bytes=10**9))
    assert content == files["mlp"]
    assert [sorted(point.bits.values()) for point in curve] == [[8, 8], [8, 32], [32, 32]]
    assert not any(operator.is_integer for operator in compute_operators(content))


def test_eight_bits_for_all_is_the_plain_static_file(files, rows, static_params):
    student = onnx.load_from_string(files["mlp"])
    content, _ = static_mixed(student, rows, static_params(), mixed(max_bytes=10**9))
    assert content == static(student, rows, static_params())
    assert TensorProto.INT4 not in {t.data_type for t in onnx.load_from_string(content).graph.initializer}
