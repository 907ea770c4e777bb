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
@pytest.mark.parametrize("kind", ["series", "tokens"])
def test_sequences_are_imported_run_and_predicted(new_project, root, waves, sentences, kind):
    features, labels = waves() if kind == "series" else sentences()
    folder = new_project.folder
    np.savez(folder / "rows.npz", **{kind: features, "labels": labels})
    brought, ran, asked = typed_on("docs/sequences.md", "distillery")
    imported = new_project(*brought, "--json").json
    assert sorted(imported["classes"]) == sorted(set(labels.tolist()))
    (folder / "rows.npz").unlink()
    (folder / "params").mkdir()
    shutil.copy(root / ran[-1], folder / ran[-1])
    done = new_project(*ran, "--json", *SMALL)
    variants = {variant["name"]: variant for variant in done.json["variants"]}
    assert sorted(variants) == ["control-fp32", "student-fp32", "student-int8-dynamic", "teacher-fp32"]
    assert variants["student-int8-dynamic"]["integer_op_share"] == 1.0
    assert variants["student-int8-dynamic"]["accuracy"] > 0.5
    assert set(new_project(*ran, "--json", *SMALL).status().values()) <= {"cached"}
    np.savez(folder / asked[-1], input=features[:4])
    predicted = new_project(*asked, "--json")
    assert len(predicted.json) == 4
    assert all(row["label"] in set(labels.tolist()) for row in predicted.json)
