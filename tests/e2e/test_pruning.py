"""The preset that prunes, as a user runs it, on a project whose teacher is there already."""

import json

import pytest

from distillery.models.network import count_parameters, load_model

PRUNED = [
    "student-pruned-fp32", "student-pruned-int8-dynamic", "student-pruned-int8-static",
    "student-pruned-int8-qat",
]  # fmt: skip
SMALL = (
    "student.model.stages=2", "prune.rounds=2", "prune.multiple=1", "prune.training.epochs=2",
    "prune.max_accuracy_drop=100",
)  # fmt: skip


@pytest.mark.slow
def test_a_pruned_student_is_smaller_registered_and_not_made_twice(project, root):
    settings = [part for setting in SMALL for part in ("--set", setting)]
    command = ("run", "--json", "--params", str(root / "params/pruned.yaml"), *settings)
    done = project(*command)
    status = done.status()
    assert status["train_teacher", None] == status["label_with_teacher", None] == "cached"
    assert status["prune_student", None] == "ran"

    variants = {variant["name"]: variant for variant in done.json["variants"]}
    assert [name for name in variants if "pruned" in name] == PRUNED
    for name in PRUNED:
        whole = variants[name.replace("-pruned", "")]
        for number in ("file_bytes", "transport_bytes", "parameters", "macs"):
            assert variants[name][number] < whole[number]
    assert variants["student-pruned-fp32"]["zero_share"] == 0  # what is gone is not there
    assert done.json["chosen"]["name"] in PRUNED

    whole, narrower = (load_model(project.artifact(step)) for step in ("distill_student", "prune_student"))
    epochs = json.loads((project.artifact("prune_student") / "epochs.json").read_text())
    assert count_parameters(narrower) < count_parameters(whole)
    assert [epoch["done"] for epoch in epochs] == [1, 2, 3, 4]
    assert 0 < epochs[0]["removed"] < epochs[-1]["removed"] < 1

    assert set(PRUNED) <= {row["name"] for row in project("models", "--json").json}
    assert set(project(*command).status().values()) == {"cached"}


def test_a_chain_that_cannot_be_is_refused_at_once_and_nothing_runs(project, root):
    settings = ("student.model={family: mlp, hidden: [], dropout: 0.0}",)
    done = project("plan", "--params", str(root / "params/pruned.yaml"), "--set", *settings, code=2)
    assert "prune.kind: channels finds none that may go" in done.err
    assert "magnitude, threshold, regrow and pattern" in done.err
