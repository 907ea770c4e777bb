"""The presets that prune, as a user runs them, on a project whose teacher is there already."""

import json

import pytest
import torch

from distillery.models.network import count_parameters, load_model
from distillery.pruning.masks import by_magnitude, prunable

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


def kernels(project, step):
    return prunable(load_model(project.artifact(step))).values()


def typical(weights):
    """The mean magnitude of those that are not zero."""
    there = torch.cat([weight.detach().flatten() for weight in weights])
    return float(there[there != 0].abs().mean())


@pytest.mark.slow
def test_a_threshold_and_a_pattern_in_turn_leave_two_of_four(project, root):
    small = ("prune.0.training.epochs=4", "prune.1.training.epochs=4", "prune.0.penalty.weight=0.01")
    settings = [part for setting in small for part in ("--set", setting)]
    done = project("run", "--json", "--params", str(root / "params/sparse.yaml"), *settings)
    whole, thinned, patterned = (
        kernels(project, step) for step in ("distill_student", "prune_student", "prune_student.link-3")
    )
    shares = [float((weight == 0).float().mean()) for weight in thinned]
    assert min(shares) > 0.2  # within half a deviation lie 38 % of what is normal
    assert max(shares) > min(shares)  # each layer says its own
    assert typical(thinned) < typical(whole)  # though the smallest are gone: the penalty draws
    for weight in patterned:
        rows = weight.detach().movedim(1, -1).flatten(0, -2)
        for group in rows.split(4, dim=1):
            assert int((group != 0).sum(1).max()) <= 2

    variants = {variant["name"]: variant for variant in done.json["variants"]}
    assert [name for name in variants if "pruned" in name] == PRUNED
    for name in PRUNED:
        assert variants[name]["accuracy"] > 0.3  # of ten classes
        assert variants[name]["zero_share"] > 0.45
        assert variants[name]["transport_bytes"] < variants[name.replace("-pruned", "")]["transport_bytes"]


@pytest.mark.slow
@pytest.mark.parametrize("grow", ["gradient", "activation"])
def test_weights_come_back_while_as_many_are_zero(project, root, grow):
    small = (f"prune.grow={grow}", "prune.training.epochs=4", "prune.every=10", "prune.scope=layer")
    settings = [part for setting in small for part in ("--set", setting)]
    done = project("run", "--json", "--params", str(root / "params/regrow.yaml"), *settings)
    epochs = json.loads((project.artifact("prune_student") / "epochs.json").read_text())
    assert [epoch["removed"] for epoch in epochs] == pytest.approx([0.7] * 4, abs=0.01)
    came_back = 0
    for before, after in zip(
        *(kernels(project, step) for step in ("distill_student", "prune_student")), strict=True
    ):
        smallest = by_magnitude({"": before}, 0.7, "layer")[""].logical_not()  # zero at the first step
        came_back += int((after != 0)[smallest].sum())
    assert came_back > 10
    variants = {variant["name"]: variant for variant in done.json["variants"]}
    for name in PRUNED:
        assert variants[name]["accuracy"] > 0.3
        assert variants[name]["zero_share"] == pytest.approx(0.7, abs=0.02)


def test_a_chain_that_cannot_be_is_refused_at_once_and_nothing_runs(project, root):
    settings = ("student.model={family: mlp, hidden: [], dropout: 0.0}",)
    done = project("plan", "--params", str(root / "params/pruned.yaml"), "--set", *settings, code=2)
    assert "prune.kind: channels finds none that may go" in done.err
    assert "magnitude, threshold, regrow and pattern" in done.err


CHAIN = (
    "student.model.stages=2", "chain=[prune, distill, prune, quantize]",
    "prune=[{kind: channels, importance: l1, scope: layer, share: 0.25, rounds: 1, multiple: 1, "
    "max_accuracy_drop: 100, penalty: null, training: %s}, "
    "{kind: magnitude, share: 0.8, scope: layer, ramp_epochs: 1, every: 2, penalty: null, training: %s}]",
)  # fmt: skip
TRAINING = (
    "{epochs: 2, batch_size: 32, optimizer: adamw, learning_rate: 0.004, momentum: 0.9, weight_decay: 0.01, "
    "schedule: cosine, patience: null, target: null}"
)


@pytest.mark.slow
def test_a_chain_is_followed_in_its_order_and_its_zeros_reach_the_files(project, root):
    settings = [part for setting in CHAIN for part in ("--set", setting.replace("%s", TRAINING))]
    command = ("run", "--json", "--params", str(root / "params/chain.yaml"), *settings)
    done = project(*command)
    status = done.status()
    links = ("prune_student", None), ("distill_student", "link-2"), ("prune_student", "link-3")
    assert [status[link] for link in links] == ["ran"] * 3
    assert status["train_teacher", None] == status["label_with_teacher", None] == "cached"

    whole = load_model(project.artifact("train_control"))
    models = [load_model(project.artifact(".".join(filter(None, link)))) for link in links]
    sizes = [count_parameters(model) for model in (whole, *models)]
    assert sizes[0] > sizes[1] == sizes[2] == sizes[3]
    variants = {variant["name"]: variant for variant in done.json["variants"]}
    assert [name for name in variants if "pruned" in name] == PRUNED
    for name in PRUNED:
        assert variants[name]["zero_share"] >= 0.79
        assert variants[name]["transport_bytes"] < variants[name.replace("-pruned", "")]["transport_bytes"]

    printed = project(*(word for word in command if word != "--json")).out
    assert "packed bytes" in printed
    assert "packed bytes" in (project.folder / done.json["report"]).read_text()
    assert set(project(*command).status().values()) == {"cached"}


def test_a_chain_out_of_order_is_refused_before_anything_runs(project, root):
    done = project(
        "run", "--params", str(root / "params/pruned.yaml"),
        "--set", "chain=[distill, quantize, prune]", code=2,
    )  # fmt: skip
    assert "prune comes after quantize" in done.err
    assert "put quantize last" in done.err
