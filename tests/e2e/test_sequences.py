"""A user's own sequences, from an archive to predictions."""

import shutil

import numpy as np
import pytest

from tests.docs.documented import typed_on

SMALL = (
    "--set", "data.calibration=32",
    "--set", "teacher.training.epochs=2",
    "--set", "teacher.model.layers=1",
    "--set", "distill.training.epochs=6",
    "--set", "budget.max_accuracy_drop=100",
    "--set", "budget.max_p50_ms=1000",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "cell"), [("series", "lstm"), ("tokens", "lstm"), ("series", "gru")])
def test_sequences_are_imported_run_and_predicted(new_project, root, waves, sentences, kind, cell):
    student = f"{{family: {cell}, layers: 1, width: 16, both_ways: false, embed: 8, dropout: 0.0}}"
    small = (*SMALL, "--set", f"student.model={student}")
    features, labels = waves() if kind == "series" else sentences()
    folder = new_project.folder
    np.savez(folder / "rows.npz", **{kind: features, "labels": labels})
    brought, ran, asked = typed_on("docs/sequences.md", "distillery")
    imported = new_project(*brought, "--json").json
    assert sorted(imported["classes"]) == sorted(set(labels.tolist()))
    (folder / "rows.npz").unlink()
    (folder / "params").mkdir()
    shutil.copy(root / ran[-1], folder / ran[-1])
    done = new_project(*ran, "--json", *small)
    variants = {variant["name"]: variant for variant in done.json["variants"]}
    assert sorted(variants) == ["control-fp32", "student-fp32", "student-int8-dynamic", "teacher-fp32"]
    in_integers = variants["student-int8-dynamic"]["integer_op_share"]
    assert in_integers == 1.0 if cell == "lstm" else 0 < in_integers < 0.5  # ONNX Runtime has no integer GRU
    assert variants["student-int8-dynamic"]["accuracy"] > 0.5
    assert set(new_project(*ran, "--json", *small).status().values()) <= {"cached"}
    np.savez(folder / asked[-1], input=features[:4])
    predicted = new_project(*asked, "--json")
    assert len(predicted.json) == 4
    assert all(row["label"] in set(labels.tolist()) for row in predicted.json)
