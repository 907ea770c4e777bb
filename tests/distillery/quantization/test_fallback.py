from __future__ import annotations

import dataclasses
import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from distillery.data.rows import Split
from distillery.inference import open_session, run_rows
from distillery.operators import compute_operators
from distillery.quantization.fallback import harms, static_within, worst_first
from distillery.quantization.quantize import layers, static


@pytest.fixture(scope="module")
def fragile(files):
    """The student with a layer that eight bits a tensor destroy: a convolution whose inputs are uneven.

    What it computes is the student's: the first convolution's channels are scaled the other way.
    """
    model = onnx.load_from_string(files["resnet"])
    convolutions = [n for n in model.graph.node if n.op_type == "Conv"]
    known = {t.name: t for t in model.graph.initializer}
    first, second = convolutions[1], convolutions[2]  # of the first block's body
    spread = np.array([2.0**-12, 2.0**-12, 1, 2.0**-12], np.float32)
    changes = (
        (first.input[1], spread[:, None, None, None]),
        (first.input[2], spread),
        (second.input[1], 1 / spread[:, None, None]),
    )
    for name, by in changes:
        known[name].CopyFrom(numpy_helper.from_array(numpy_helper.to_array(known[name]) * by, name))
    return model


@pytest.fixture(scope="module")
def method(static_params):
    return static_params(weights="per_tensor")


def accuracy(content, rows):
    held_out = rows.where(Split.VALIDATION)
    return (run_rows(open_session(content), rows, held_out).argmax(1) == rows.labels[held_out]).mean()


def test_the_layer_that_was_broken_is_found_first(fragile, rows, method):
    order = worst_first(fragile, rows, method)
    assert sorted(order) == sorted(layers(fragile))
    broken = [name for name in layers(fragile) if name.startswith("Conv")][1:3]
    assert order[0] in broken


def test_harm_is_of_the_nearest_rounding_and_nothing_is_learned_to_find_it(files, rows, static_params):
    long = {"kind": "learned", "steps": 10**9, "batch_size": 8, "learning_rate": 0.01, "regularization": 0.01}
    student = onnx.load_from_string(files["mlp"])
    assert harms(student, rows, static_params(rounding=long)) == harms(student, rows, static_params())


def test_layers_go_back_to_float_until_the_budget_holds_and_no_further(fragile, rows, method):
    student = accuracy(fragile.SerializeToString(), rows)
    content, curve = static_within(fragile, rows, method, max_accuracy_drop=2.0)
    assert [len(point.in_float) for point in curve] == list(range(len(curve)))
    assert 1 < len(curve) <= len(layers(fragile))
    assert all(point.accuracy < student - 0.02 for point in curve[:-1])
    assert curve[-1].accuracy == accuracy(content, rows) >= student - 0.02
    assert curve[-1].bytes == len(content)
    floats = [o for o in compute_operators(content) if not o.is_integer]
    assert len(floats) == len(curve[-1].in_float)
    assert content == static(fragile, rows, method, in_float=curve[-1].in_float)


def test_where_all_is_well_nothing_goes_back(files, rows, static_params):
    student = onnx.load_from_string(files["mlp"])
    content, curve = static_within(student, rows, static_params(), max_accuracy_drop=5.0)
    assert [point.in_float for point in curve] == [()]
    assert content == static(student, rows, static_params())


def test_where_nothing_else_will_do_the_file_is_the_students_and_the_curve_is_whole(
    files, rows, static_params
):
    """A class that a file names wrong on a validation row counts: the student's own labels are asked for."""
    student = onnx.load_from_string(files["resnet"])
    told = run_rows(open_session(files["resnet"]), rows, np.arange(len(rows.labels))).argmax(1)
    own = dataclasses.replace(rows, labels=told.astype(rows.labels.dtype))
    spoilt = static_params(weights="per_tensor", activations="symmetric")
    content, curve = static_within(student, own, spoilt, max_accuracy_drop=0.0)
    assert curve[-1].accuracy == 1.0
    assert all(point.accuracy < 1.0 for point in curve[:-1])
    assert (
        content == files["resnet"] if len(curve) == len(layers(student)) + 1 else content != files["resnet"]
    )


@pytest.mark.parametrize("kept", ["Conv_4", "Conv_6", "Conv_8", "Conv_11", "Conv_13", "Conv_14", "Gemm_19"])
def test_a_layer_in_float_keeps_its_weights_and_the_others_are_integers(files, rows, static_params, kept):
    student = onnx.load_from_string(files["resnet"])
    content = static(student, rows, static_params(), in_float=[kept])
    assert [o.is_integer for o in compute_operators(content)].count(False) == 1
    weights = {n.input[1] for n in student.graph.node if n.op_type in ("Conv", "Gemm")}
    sizes = {math.prod(t.dims): t.data_type for t in student.graph.initializer if t.name in weights}
    stored = [t for t in onnx.load_from_string(content).graph.initializer if math.prod(t.dims) in sizes]
    assert [t.data_type for t in stored if len(t.dims) > 1].count(TensorProto.FLOAT) == 1
    assert kept in layers(student)
