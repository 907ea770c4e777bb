from __future__ import annotations

import pytest
import yaml

from distillery.errors import ParamsError
from distillery.params.chain import followed, out_of_order
from distillery.params.project import load_params, validate

TRAINING = {
    "epochs": 5, "batch_size": 32, "optimizer": "adamw", "learning_rate": 0.01, "momentum": 0.9,
    "weight_decay": 0.0, "schedule": "cosine", "patience": None, "target": None,
}  # fmt: skip
KINDS = {
    "channels": {
        "importance": "l1", "scope": "layer", "share": 0.4, "rounds": 2, "multiple": 1,
        "max_accuracy_drop": 1.0,
    },
    "magnitude": {"share": 0.8, "scope": "layer", "ramp_epochs": 3, "every": 10},
    "threshold": {"deviations": 0.7, "scope": "layer"},
    "regrow": {
        "share": 0.8, "scope": "layer", "every": 10, "drop": 0.3, "until": 0.75, "grow": "activation",
    },
    "pattern": {"keep": 2, "of": 4},
}  # fmt: skip
D, P, Q = "distill", "prune", "quantize"


def prune(kind, **changes):
    return {"kind": kind, "penalty": None, "training": TRAINING} | KINDS[kind] | changes


@pytest.fixture(scope="module")
def tree(root):
    return yaml.safe_load((root / "params.yaml").read_text())


def read(tree, chain, *methods):
    return validate(tree | {"chain": chain, "prune": list(methods)}, "params.yaml")


def refusal(tree, chain, *methods):
    with pytest.raises(ParamsError) as caught:
        read(tree, chain, *methods)
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize(
    ("chain", "kinds"),
    [
        ([D, P, Q], ["magnitude"]),
        ([P, D, Q], ["channels"]),
        ([P, Q], ["channels"]),
        ([D, P, D, Q], ["pattern"]),
        ([D, P, P, Q], ["channels", "magnitude"]),
        ([D, P, D, P, Q], ["channels", "threshold"]),
        ([P, P, D, P, Q], ["channels", "magnitude", "regrow"]),
        ([D, P, P, Q], ["magnitude", "pattern"]),
        ([D, P, P, Q], ["threshold", "threshold"]),
        ([D, P, P, Q], ["pattern", "magnitude"]),
        ([D, P, P, Q], ["channels", "channels"]),
    ],
)
def test_an_order_that_makes_sense_is_read(tree, chain, kinds):
    params = read(tree, chain, *map(prune, kinds))
    assert list(params.chain) == chain
    assert [method.kind for method in params.prune] == kinds


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ([D, Q, P], "prune comes after quantize, but integers are not trained further: put quantize last"),
        ([Q, D, P, Q], "chain: distill comes after quantize"),
        ([D, P], "chain: quantize is missing: it ends every chain"),
        ([D, D, P, Q], "raise distill.training.epochs, or teachers.generations"),
        ([D, Q], "prune stands in it 0 times for 1 in prune: write it so: [distill, prune, quantize]"),
        ([D, P, P, Q], "prune stands in it 2 times for 1 in prune"),
        ([D, "finetune", Q], "chain.1: input should be 'distill', 'prune' or 'quantize', not 'finetune'"),
        ([], "chain: "),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_is_refused_with_what_to_do(tree, chain, words):
    assert words in refusal(tree, chain, prune("magnitude"))


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ((prune("magnitude"), prune("channels")), "prune.1.kind: channels would lose the zeros of magnitude"),
        ((prune("pattern"), prune("channels")), "prune.1.kind: channels would lose the zeros of pattern"),
        ((prune("pattern"), prune("regrow")), "prune.1.kind: what regrow lets grow back breaks the pattern"),
        ((prune("channels"), prune("pattern")), "prune.1.of: channels leaves widths in multiples of 1"),
        (
            (prune("channels", multiple=2), prune("pattern")),
            "no whole groups of 4; set prune.0.multiple to 4",
        ),
        (
            (prune("magnitude"), prune("magnitude", share=0.5)),
            "prune.1.share: 0.5 of the weights are to be zero where prune.0 leaves 0.8: nothing would go",
        ),
        ((prune("pattern"), prune("magnitude", share=0.5)), "prune.0 leaves 0.5: nothing would go"),
        ((prune("regrow"), prune("magnitude")), "prune.0 leaves 0.8: nothing would go"),
        ((prune("magnitude"), prune("regrow", share=0.7)), "prune.1.share: 0.7"),
        ((prune("channels", share=0.01), prune("magnitude")), "prune.0.share: no channel would go"),
    ],
)
def test_prunings_that_cannot_follow_each_other_are_refused(tree, methods, words):
    assert words in refusal(tree, [D, P, P, Q], *methods)


def test_a_pattern_after_channels_in_whole_groups_is_read(tree):
    wide = tree | {"student": {"model": tree["student"]["model"] | {"width": 16}}}
    methods = prune("channels", multiple=4), prune("pattern")
    assert len(read(wide, [D, P, P, Q], *methods).prune) == 2


def test_all_that_is_wrong_with_a_chain_is_said_at_once(tree):
    fault = refusal(tree, [D, D, Q, P], prune("magnitude"), prune("channels"))
    for words in ("channels would lose", "prune comes after quantize", "distill follows", "1 times for 2"):
        assert words in fault


def test_without_a_method_pruning_is_off_wherever_it_stands(tree):
    assert read(tree, [D, P, Q]).prune == ()
    assert read(tree, [D, Q]).prune == ()
    assert followed([P, D, P, Q], []) == [D, Q]
    assert not list(out_of_order([P, D, P, Q], []))
    assert "distill follows distill" in refusal(tree, [D, P, D, Q])
    assert "nothing comes before quantize: begin with distill" in refusal(tree, [P, Q])


def test_the_preset_is_a_chain_of_two_prunings(root, shipped):
    preset = load_params(root / "params.yaml", [root / "params" / "chain.yaml"])
    assert preset.chain == (D, P, D, P, Q)
    assert [method.kind for method in preset.prune] == ["channels", "magnitude"]
    assert shipped.chain == (D, P, Q)
    assert preset.distill == shipped.distill
