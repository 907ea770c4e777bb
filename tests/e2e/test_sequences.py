"""A user's own sequences, from an archive to predictions."""

import numpy as np
import pytest

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
    imported = new_project("data", "import", "rows.npz", "--json").json
    assert sorted(imported["classes"]) == sorted(set(labels.tolist()))
    (folder / "rows.npz").unlink()
    preset = ("--params", str(root / "params/sequences.yaml"), *SMALL)
    done = new_project("run", "--json", *preset)
    variants = {variant["name"]: variant for variant in done.json["variants"]}
    assert sorted(variants) == ["control-fp32", "student-fp32", "student-int8-dynamic", "teacher-fp32"]
    assert variants["student-int8-dynamic"]["integer_op_share"] == 1.0
    assert variants["student-int8-dynamic"]["accuracy"] > 0.5
    assert set(new_project("run", "--json", *preset).status().values()) <= {"cached"}
    np.savez(folder / "new.npz", input=features[:4])
    predicted = new_project("predict", "new.npz", "--json")
    assert len(predicted.json) == 4
    assert all(row["label"] in set(labels.tolist()) for row in predicted.json)
