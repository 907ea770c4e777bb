"""Options and families that no preset turns on, each a whole run on a project whose teacher is there."""

from dataclasses import dataclass

import numpy as np
import onnx
import pytest

from distillery.models.network import load_model
from distillery.pruning.channels import channels_of
from distillery.pruning.surgery import group_norms

OTHER = (
    "{kind: trained, model: {family: mlp, hidden: [16], dropout: 0.0}, training: {epochs: 2, batch_size: 32, "
    "optimizer: adam, learning_rate: 0.01, momentum: 0.9, weight_decay: 0.0, label_smoothing: 0.0, "
    "schedule: constant, patience: null, target: null}}"
)
CHANNELS = (
    "{kind: channels, importance: scale, scope: layer, share: 0.25, rounds: 2, multiple: 1, "
    "max_accuracy_drop: 100, penalty: {kind: group, weight: 0.01}, training: {epochs: 4, batch_size: 32, "
    "optimizer: adamw, learning_rate: 0.004, momentum: 0.9, weight_decay: 0.0, schedule: cosine, "
    "patience: null, target: null}}"
)
CNN = "{family: cnn, convolutions: [8, 16], kernel: 3, norm: true, hidden: [16], dropout: 0.1}"
MOBILENET = (
    "{family: mobilenet_v2, stem: 8, stem_stride: 1, head: 32, width: 1.0, dropout: 0.0, stages: ["
    "{expand: 1, channels: 8, blocks: 2, stride: 1}, {expand: 2, channels: 16, blocks: 1, stride: 2}]}"
)
INT8 = ("student-int8-dynamic", "student-int8-static", "student-int8-qat")


@dataclass(frozen=True)
class Run:
    """What a run left; `before` has the variants of the project's first run."""

    project: object
    variants: dict
    before: dict


def weighted(run):
    of_both = ("label_with_teacher", "label_with_teacher.other-1", "combine_targets")
    first, second, both = (np.load(run.project.artifact(label) / "targets.npy") for label in of_both)
    np.testing.assert_allclose(both, (3 * first + second) / 4, rtol=1e-4, atol=1e-4)
    assert run.variants["student-fp32"]["accuracy"] > 0.3  # of ten classes


def learned_from_the_mean(run):
    aware, observed = run.variants["student-int8-qat"], run.before["student-int8-qat"]
    assert aware["accuracy"] > 0.3
    assert aware["file_bytes"] < observed["file_bytes"]
    graph = onnx.load(run.project.artifact("quantize_student.student-int8-qat") / "model.onnx").graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    scales = [
        tensors[node.input[1]] for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in tensors
        and tensors[node.input[0]].data_type == onnx.TensorProto.INT8
    ]  # fmt: skip
    assert sorted({tuple(scale.dims) for scale in scales}) == [(), (10,)]  # the last layer's: one a class
    assert sum(tuple(scale.dims) == (10,) for scale in scales) == 1


def channels(run):
    whole, pruned = run.variants["student-fp32"], run.variants["student-pruned-fp32"]
    for number in ("parameters", "macs", "file_bytes"):
        assert pruned[number] < whole[number]
    assert run.variants["student-pruned-int8-static"]["accuracy"] > 0.3
    drawn = typical_norm(run.project)
    run.project("run", "--set", f"prune={CHANNELS}", "--set", "prune.penalty=null")
    assert drawn < 0.9 * typical_norm(run.project)


def typical_norm(project):
    """The mean over the channels of the pruned student."""
    model = load_model(project.artifact("prune_student"))
    norms = group_norms(model, channels_of(model.network)).values()
    return np.mean(np.concatenate([norm.detach().numpy() for norm in norms]))


def family(run):
    names = ("student-fp32", "control-fp32", *INT8)
    assert {"teacher-fp32", *names} == set(run.variants)
    for name in names:
        assert run.variants[name]["accuracy"] > 0.3, name
    for name in INT8:
        assert run.variants[name]["file_bytes"] < run.variants["student-fp32"]["file_bytes"]
        assert run.variants[name]["integer_op_share"] > 0.9, name


OPTIONS = {
    "weighted": (
        weighted,
        (f"teachers.others=[{OTHER}]", "teachers.combine={kind: weighted, weights: [3, 1]}"),
    ),
    "lsq-mean": (
        learned_from_the_mean,
        ("quantize.qat.scales={kind: learned, start: mean, weights: per_tensor}",),
    ),
    "scale-group": (channels, (f"prune={CHANNELS}",)),
    "cnn": (family, (f"student.model={CNN}",)),
    "mobilenet_v2": (family, (f"student.model={MOBILENET}",)),
}


@pytest.mark.slow
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_or_family_runs_whole(first, project, option):
    judge, settings = OPTIONS[option]
    before = {variant["name"]: variant for variant in first[1].json["variants"]}
    done = project("run", "--json", *(part for setting in settings for part in ("--set", setting)))
    assert done.status()["train_teacher", None] == "cached"
    judge(Run(project, {variant["name"]: variant for variant in done.json["variants"]}, before))
