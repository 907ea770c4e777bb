from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from distillery.inference import open_session, run_rows
from distillery.quantization.bias_correction import correct_biases
from distillery.quantization.quantize import static


def dense(weight, bias, rounded=False):
    """uint8 images (n, 8, 8, 1) -> flat floats -> one dense layer, by whatever weight."""
    biases = [] if bias is None else ["b"]
    nodes = [
        helper.make_node("Cast", ["input"], ["x"], to=TensorProto.FLOAT, name="Cast_0"),
        helper.make_node("Flatten", ["x"], ["f"], name="Flatten_1"),
        helper.make_node("Gemm", ["f", "w", *biases], ["logits"], transB=1, name="Gemm_2"),
    ]
    constants = {"w": weight} | ({} if bias is None else {"b": bias})
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("input", TensorProto.UINT8, ["n", 8, 8, 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(weight)])],
        [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def logits(model, rows, positions):
    return run_rows(open_session(model.SerializeToString()), rows, positions).astype(np.float64)


@pytest.mark.parametrize("bias", [None, np.array([1.0, -2.0, 3.0])])
def test_the_bias_takes_back_the_weights_error_times_the_mean_input(rows, bias):
    """Nagel et al. 2019, eq. 17: E[y'] - E[y] = e E[x], e the error of the weights."""
    random = np.random.default_rng(0)
    weight = random.normal(size=(3, 64))
    error = np.rint(weight * 4) / 4 - weight
    student, rounded = dense(weight, bias), dense(weight + error, bias)
    correct_biases(rounded, student, rows)
    calibration = np.flatnonzero(rows.calibration)
    mean = rows.features[calibration].reshape(len(calibration), -1).astype(np.float64).mean(0)
    new = {t.name: numpy_helper.to_array(t) for t in rounded.graph.initializer}["Gemm_2_corrected"]
    np.testing.assert_allclose(new, (0 if bias is None else bias) - error @ mean, rtol=1e-4)
    means = [logits(model, rows, calibration).mean(0) for model in (student, rounded)]
    np.testing.assert_allclose(means[0], means[1], rtol=1e-4)


@pytest.mark.parametrize("family", ["mlp", "resnet"])
def test_the_mean_logits_of_a_corrected_file_are_the_students(files, rows, static_params, family):
    student = onnx.load_from_string(files[family])
    calibration = np.flatnonzero(rows.calibration)
    wanted = logits(student, rows, calibration).mean(0)
    off = []
    for on in (False, True):
        content = static(student, rows, static_params(weights="per_tensor", correct_biases=on))
        off.append(np.abs(logits(onnx.load_from_string(content), rows, calibration).mean(0) - wanted).max())
    assert off[1] < 0.3 * off[0]
    assert off[1] < 2e-3 * np.ptp(wanted)


def test_correction_looks_at_the_calibration_rows_alone_and_gives_the_same_bytes_twice(
    files, rows, static_params
):
    import dataclasses

    dark = np.where(rows.calibration[:, None, None, None], rows.features, 255).astype(np.uint8)
    method = static_params(correct_biases=True)
    made = [
        static(onnx.load_from_string(files["mlp"]), given, method)
        for given in (rows, rows, dataclasses.replace(rows, features=dark))
    ]
    assert made[0] == made[1] == made[2]
    assert made[0] != static(onnx.load_from_string(files["mlp"]), rows, static_params())
