"""The presets that quantize with more care, as a user runs them, on a project whose student is there."""

import json

import onnx
import pytest


@pytest.mark.slow
def test_the_preset_makes_the_static_file_anew_with_its_curve_and_nothing_else(project, root):
    before = {variant["name"]: variant for variant in project("run", "--json").json["variants"]}
    command = ("run", "--json", "--params", str(root / "params/quantized.yaml"))
    done = project(*command)
    status = done.status()
    assert status["quantize_student", "student-int8-static"] == "ran"
    assert status["distill_student", None] == status["quantize_student", "student-int8-qat"] == "cached"

    variants = {variant["name"]: variant for variant in done.json["variants"]}
    assert variants.keys() == before.keys()
    careful, plain = variants["student-int8-static"], before["student-int8-static"]
    artifact = project.artifact("quantize_student.student-int8-static")
    curve = json.loads((artifact / "fallback.json").read_text())
    assert [len(point["in_float"]) for point in curve] == list(range(len(curve)))
    assert curve[-1]["bytes"] == careful["file_bytes"] == (artifact / "model.onnx").stat().st_size
    assert careful["macs"] == plain["macs"]
    assert variants["student-int8-qat"] == before["student-int8-qat"]
    assert set(project(*command).status().values()) == {"cached"}


@pytest.mark.slow
def test_the_preset_of_few_bits_says_which_layer_got_how_many(project, root):
    before = {variant["name"]: variant for variant in project("run", "--json").json["variants"]}
    command = (
        "run",
        "--json",
        "--params",
        str(root / "params/int4.yaml"),
        "--set",
        "quantize.static.rounding.steps=50",
    )
    done = project(*command)
    assert done.status()["quantize_student", "student-int8-static"] == "ran"
    variants = {variant["name"]: variant for variant in done.json["variants"]}
    few, plain = variants["student-int8-static"], before["student-int8-static"]
    artifact = project.artifact("quantize_student.student-int8-static")
    curve = json.loads((artifact / "mixed.json").read_text())
    assert set(curve[0]["bits"].values()) == {4}
    assert curve[-1]["bytes"] == few["file_bytes"] == (artifact / "model.onnx").stat().st_size
    assert few["macs"] == plain["macs"]
    assert few["integer_op_share"] == plain["integer_op_share"] == 1.0
    assert set(project(*command).status().values()) == {"cached"}


@pytest.mark.slow
def test_the_preset_of_sixteen_bits_runs_as_floats_and_is_no_larger(project, root):
    before = {variant["name"]: variant for variant in project("run", "--json").json["variants"]}
    command = ("run", "--json", "--params", str(root / "params/int16.yaml"))
    done = project(*command)
    status = done.status()
    assert status["quantize_student", "student-int8-static"] == "ran"
    assert status["quantize_student", "student-int8-qat"] == "cached"
    variants = {variant["name"]: variant for variant in done.json["variants"]}
    wide, plain = variants["student-int8-static"], before["student-int8-static"]
    assert (wide["integer_op_share"], plain["integer_op_share"]) == (0.0, 1.0)
    assert wide["file_bytes"] <= plain["file_bytes"]
    assert wide["accuracy"] == pytest.approx(variants["student-fp32"]["accuracy"], abs=0.01)
    graph = onnx.load(project.artifact("quantize_student.student-int8-static") / "model.onnx").graph
    kinds = {tensor.data_type for tensor in graph.initializer}
    assert {onnx.TensorProto.INT8, onnx.TensorProto.UINT16} <= kinds  # weights; zero points of activations
    assert set(project(*command).status().values()) == {"cached"}
