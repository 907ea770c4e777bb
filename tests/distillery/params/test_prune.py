from __future__ import annotations

import copy

import pytest
import yaml

from distillery.errors import ParamsError
from distillery.params.project import load_params, overlaid, read_tree, validate
from distillery.params.prune import (
    ChannelParams,
    MagnitudeParams,
    PatternParams,
    RegrowParams,
    ThresholdParams,
)

TRAINING = {
    "epochs": 5, "batch_size": 32, "optimizer": "adamw", "learning_rate": 0.01, "momentum": 0.9,
    "weight_decay": 0.0, "schedule": "cosine", "patience": None, "target": None,
}  # fmt: skip
METHODS = {
    MagnitudeParams: {"kind": "magnitude", "share": 0.8, "scope": "layer", "ramp_epochs": 3, "every": 10},
    RegrowParams: {
        "kind": "regrow", "share": 0.8, "scope": "network", "every": 10, "drop": 0.3, "until": 0.75,
        "grow": "activation",
    },
    ThresholdParams: {"kind": "threshold", "deviations": 0.7, "scope": "layer"},
    PatternParams: {"kind": "pattern", "keep": 2, "of": 4},
    ChannelParams: {
        "kind": "channels", "importance": "l1", "scope": "layer", "share": 0.2, "rounds": 3, "multiple": 1,
        "max_accuracy_drop": 0.5,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def tree(root):
    return yaml.safe_load((root / "params.yaml").read_text())


def block(kind, **changes):
    return {"penalty": None, "training": copy.deepcopy(TRAINING)} | METHODS[kind] | changes


def checked(tree, prune, **student):
    return validate(overlaid(tree | {"prune": prune}, {"student": student}), "params.yaml").prune


def only(methods):
    (method,) = methods
    return method


def faults(tree, prune, **student):
    with pytest.raises(ParamsError) as caught:
        checked(tree, prune, **student)
    return caught.value.faults


@pytest.mark.parametrize("kind", METHODS)
def test_every_method_is_read_as_its_own_type(tree, kind):
    assert type(only(checked(tree, block(kind)))) is kind
    penalised = only(checked(tree, block(kind, penalty={"kind": "group", "weight": 0.001})))
    assert (penalised.penalty.kind, penalised.penalty.weight) == ("group", 0.001)


def test_as_shipped_nothing_is_pruned(shipped):
    assert shipped.prune == ()
    assert shipped.model_dump(mode="json")["prune"] is None


def test_a_block_is_a_list_of_one_and_is_written_as_it_was_read(tree):
    one, other = block(PatternParams), block(MagnitudeParams)
    assert checked(tree, [one]) == checked(tree, one)
    assert checked(tree, []) == checked(tree, None) == ()
    chain = {"chain": ["distill", "prune", "prune", "quantize"]}
    for given, links in ((one, {}), ([one, other], chain), (None, {})):
        params = validate(tree | {"prune": given} | links, "params.yaml")
        assert params.model_dump(mode="json")["prune"] == given
        assert validate(params.model_dump(mode="json"), "params.yaml").prune == params.prune


def test_the_preset_prunes_channels_of_a_wider_student(root, shipped):
    preset = load_params(root / "params.yaml", [root / "params" / "pruned.yaml"])
    assert isinstance(only(preset.prune), ChannelParams)
    assert preset.student.model.width > shipped.student.model.width
    assert preset.distill == shipped.distill


def test_another_kind_replaces_the_block_and_the_same_kind_is_overlaid(root, tree):
    below = read_tree(root / "params" / "pruned.yaml")
    assert overlaid(below, {"prune": block(PatternParams)})["prune"] == block(PatternParams)
    narrower = overlaid(below, {"prune": {"share": 0.4}})["prune"]
    assert narrower == below["prune"] | {"share": 0.4}
    assert overlaid(below, {"prune": None})["prune"] is None


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (MagnitudeParams, {"share": 0}),
        (MagnitudeParams, {"share": 1}),
        (MagnitudeParams, {"scope": "global"}),
        (MagnitudeParams, {"every": 0}),
        (RegrowParams, {"drop": 1.0}),
        (RegrowParams, {"until": 0.0}),
        (RegrowParams, {"grow": "random"}),
        (ThresholdParams, {"deviations": 0}),
        (PatternParams, {"keep": 0}),
        (PatternParams, {"of": 1}),
        (ChannelParams, {"rounds": 0}),
        (ChannelParams, {"importance": "l2"}),
        (ChannelParams, {"max_accuracy_drop": -1}),
        (ChannelParams, {"multiple": 0}),
    ],
)
def test_a_number_out_of_range_is_named_by_its_path(tree, kind, changes):
    (name, value), *_ = changes.items()
    (fault,) = faults(tree, block(kind, **changes))
    assert fault.startswith(f"prune.{name}: ")
    assert repr(value) in fault


def test_an_unknown_kind_and_unknown_names_are_told_without_union_tags(tree):
    (fault,) = faults(tree, block(PatternParams) | {"kind": "random"})
    assert fault.startswith("prune: ")
    assert "random" in fault
    (fault,) = faults(tree, block(PatternParams, zzz=1))
    assert fault.startswith("prune.zzz: is unknown")
    (fault,) = faults(tree, block(PatternParams, penalty={"kind": "l1", "weight": 0}))
    assert fault.startswith("prune.penalty.weight: ")


def test_in_a_list_a_fault_names_the_place(tree):
    found = faults(tree, [block(PatternParams, keep=0), block(MagnitudeParams, zzz=1)])
    assert found[0].startswith("prune.0.keep: ")
    assert found[1].startswith("prune.1.zzz: is unknown")
    (fault,) = faults(tree, ["magnitude"])
    assert fault.startswith("prune.0: ")
    (fault,) = faults(tree, "magnitude")
    assert fault.startswith("prune: ")


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (MagnitudeParams, {"ramp_epochs": 5}, "prune: ramp_epochs must be below training.epochs"),
        (PatternParams, {"keep": 4}, "prune: keep must be below of"),
    ],
)
def test_a_method_that_contradicts_itself_is_refused(tree, kind, changes, words):
    (fault,) = faults(tree, block(kind, **changes))
    assert words in fault


GROUP = {"kind": "group", "weight": 0.01}
LSTM = {"family": "lstm", "layers": 1, "width": 4, "both_ways": False, "embed": 4, "dropout": 0.0}
MLP = {"family": "mlp", "hidden": [16], "dropout": 0.0}


@pytest.mark.parametrize(
    ("kind", "changes", "model", "words"),
    [
        (ChannelParams, {}, MLP | {"hidden": []}, "layers.1 gives the logits; magnitude, threshold"),
        (ChannelParams, {"importance": "scale"}, MLP, "layers.1 has none; use l1 or group"),
        (ChannelParams, {"share": 0.02}, MLP, "no channel would go, layers have 16 channels"),
        (ChannelParams, {"share": 0.02, "scope": "network"}, MLP, "no channel would go"),
        (
            ChannelParams,
            {"share": 0.5, "multiple": 16},
            MLP,
            "share 0.5 in multiples of 16 is asked: raise it",
        ),
        (ChannelParams, {"multiple": 16, "scope": "network"}, MLP, "no channel would go"),
        (PatternParams, {"keep": 16, "of": 32}, MLP, "of the 16 inputs of layers.2"),
        (
            PatternParams,
            {"penalty": GROUP},
            MLP | {"hidden": []},
            "layers.1 gives the logits; use l1 or null",
        ),
        (MagnitudeParams, {"penalty": GROUP}, LSTM, "prune.penalty.kind: group finds no channels"),
    ],
)
def test_a_method_that_cannot_prune_the_student_is_refused_before_anything_runs(
    tree, kind, changes, model, words
):
    (fault,) = faults(tree, block(kind, **changes), model=model)
    assert words in fault
    assert "prune." in fault


@pytest.mark.parametrize("kind", METHODS)
def test_every_method_takes_a_perceptron_with_hidden_units(tree, kind):
    assert type(only(checked(tree, block(kind), model=MLP))) is kind
