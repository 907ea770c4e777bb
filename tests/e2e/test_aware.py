"""The presets of aware training, as a user runs them, on a project whose student is there."""

import json

import pytest

EPOCHS = ("quantize.qat.training.epochs=4",)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "settings", "whole_from"),
    [("lsq", (), 0), ("progressive", ("quantize.qat.progress.epochs=2",), 2)],
)
def test_a_preset_trains_the_aware_student_anew_and_nothing_else(project, root, preset, settings, whole_from):
    overlay = [part for setting in (*EPOCHS, *settings) for part in ("--set", setting)]
    command = ("run", "--json", "--params", str(root / f"params/{preset}.yaml"), *overlay)
    done = project(*command)
    status = done.status()
    assert status["quantize_student", "student-int8-qat"] == "ran"
    assert status["distill_student", None] == status["quantize_student", "student-int8-static"] == "cached"

    (aware,) = (variant for variant in done.json["variants"] if variant["name"] == "student-int8-qat")
    artifact = project.artifact("quantize_student.student-int8-qat")
    assert aware["file_bytes"] == (artifact / "model.onnx").stat().st_size
    assert json.loads((artifact / "parity.json").read_text())["agreement"] >= 0.999  # of all
    epochs = json.loads((artifact / "epochs.json").read_text())
    assert [epoch["done"] for epoch in epochs] == [1, 2, 3, 4]
    assert max(epoch["done"] for epoch in epochs if epoch["best"]) > whole_from
    assert not any(epoch["best"] for epoch in epochs[:whole_from])
    assert set(project(*command).status().values()) == {"cached"}
