"""Who teaches whom: every preset of methods run once, in this process, under tiny budgets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from distillery.data.form import Shape
from distillery.errors import ParamsError
from distillery.models.network import Classifier, load_model, save_model
from distillery.models.resnet import ResNet
from distillery.params.project import load_params
from distillery.warm_start import pack
from flows.teaching import teach
from tasks.fitting import require_readable
from tasks.knowledge import keep
from tasks.steps import interpreted_by, prepare_data

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "runtime.precision=fp32", "runtime.device=cpu", "augment.views=2", "distill.training.epochs=2",
    "student.model.width=2", "student.model.stages=2", "runtime.threads=1", "distill.training.batch_size=16",
    "data.test=0.6", "data.validation=0.25", "data.calibration=32",  # 270 rows to train on
]  # fmt: skip
TRAINED = ["teacher.training.epochs=2", "teacher.model.width=4", "teacher.model.stages=2"]


def taught(in_process, *settings, preset=None, skipping=("export_model",)):
    overlays = [] if preset is None else [ROOT / "params" / f"{preset}.yaml"]
    params = load_params(ROOT / "params.yaml", overlays, [*TINY, *settings])
    in_process.skipping = skipping
    with interpreted_by(in_process):
        data = prepare_data(params.data)
        require_readable(data, params)
        return teach(data, params), params


def targets_of(in_process, label):
    return np.load(in_process.project / label / "targets.npy")


def weights_of(in_process, label):
    return (in_process.project / label / "weights.safetensors").read_bytes()


def plain_steps():
    return ["prepare_data", "train_teacher", "label_with_teacher", "distill_student"]


@pytest.mark.parametrize("preset", ["dkd", "relations", "hints"])
def test_a_preset_of_losses_runs_the_same_steps(preset, in_process):
    made, params = taught(in_process, *TRAINED, preset=preset)
    assert in_process.labels[:4] == plain_steps()
    assert (in_process.folder(made.student) / "weights.safetensors").is_file()
    shown = [value.label for value in in_process.calls[3].inputs if hasattr(value, "label")]
    assert ("train_teacher" in shown) == params.distill.looks_inside == (preset == "hints")


def test_the_preset_of_teachers_runs_and_every_link_learns_from_the_one_before(in_process):
    other = "{kind: trained, model: {family: mlp, hidden: [8], dropout: 0}, training: {epochs: 2, "
    other += "batch_size: 64, optimizer: adam, learning_rate: 0.01, momentum: 0.9, weight_decay: 0, "
    other += "label_smoothing: 0, schedule: constant, patience: null, target: null}}"
    assistant = "{model: {family: resnet, stem_stride: 2, width: 3, stages: 2, blocks: 1, dropout: 0}}"
    small = [f"teachers.others=[{other}]", f"teachers.assistants=[{assistant}]"]
    made, _ = taught(in_process, *TRAINED, *small, preset="teachers")
    assert in_process.labels == [
        "prepare_data", "train_teacher", "label_with_teacher", "train_teacher.other-1",
        "label_with_teacher.other-1", "combine_targets", "distill_student.assistant-1",
        "label_with_teacher.assistant-1", "distill_student.generation-1", "label_with_teacher.generation-1",
        "distill_student",
    ]  # fmt: skip
    learned_from = {call.label: call.inputs[1].label for call in in_process.calls if "distill" in call.label}
    assert learned_from == {
        "distill_student.assistant-1": "combine_targets",
        "distill_student.generation-1": "label_with_teacher.assistant-1",
        "distill_student": "label_with_teacher.generation-1",
    }
    assert made.targets.label == "label_with_teacher.generation-1"
    first, second = (targets_of(in_process, f"label_with_teacher{name}") for name in ("", ".other-1"))
    combined = targets_of(in_process, "combine_targets")
    low, high = np.minimum(first, second), np.maximum(first, second)
    assert ((low - 1e-4 <= combined) & (combined <= high + 1e-4)).all()


def test_equal_teachers_start_from_seeds_of_their_own(in_process):
    same = load_params(ROOT / "params.yaml", (), [*TINY, *TRAINED]).teacher.model_dump(mode="json")
    taught(in_process, *TRAINED, f"teachers.others=[{same}]".replace("None", "null"))
    assert weights_of(in_process, "train_teacher") != weights_of(in_process, "train_teacher.other-1")


@pytest.fixture
def trained(in_process):
    """A project with a trained teacher and its files."""
    made, _ = taught(in_process, *TRAINED, skipping=())
    folder = in_process.project
    shutil.copyfile(in_process.folder(made.file) / "model.onnx", folder / "teacher.onnx")
    shutil.copyfile(in_process.folder(made.teacher) / "weights.safetensors", folder / "teacher.safetensors")
    kept = {"targets": targets_of(in_process, "label_with_teacher")}
    kept["student"] = weights_of(in_process, "distill_student")
    for label in in_process.labels:
        shutil.rmtree(folder / label)
    in_process.calls.clear()
    return kept


def test_a_teacher_that_is_an_onnx_file_is_not_trained_and_says_the_same(in_process, trained):
    made, _ = taught(in_process, preset="onnx-teacher")
    assert in_process.labels == ["prepare_data", "adopt_teacher", "label_with_file", "distill_student"]
    assert made.file == made.teacher
    found = targets_of(in_process, "label_with_file")
    np.testing.assert_allclose(found, trained["targets"], rtol=1e-3, atol=1e-3)


def test_a_teacher_that_is_a_file_of_weights_is_the_teacher(in_process, trained):
    model = "{family: resnet, stem_stride: 1, width: 4, stages: 2, blocks: 1, dropout: 0.1}"
    taught(in_process, f"teacher={{kind: weights, file: teacher.safetensors, model: {model}}}")
    assert in_process.labels[:4] == ["prepare_data", "adopt_teacher", "label_with_teacher", "distill_student"]
    assert np.array_equal(targets_of(in_process, "label_with_teacher"), trained["targets"])
    assert weights_of(in_process, "distill_student") == trained["student"]


def test_a_point_that_a_model_has_not_is_refused_before_anything_trains(in_process):
    term = "{kind: hints, weight: 1, warm_up: 0, student: residual7, teacher: residual2}"
    with pytest.raises(ParamsError) as caught:
        taught(in_process, f"distill.terms=[{term}]")
    (fault,) = caught.value.faults
    assert fault.startswith(
        "distill.terms.0.student: student.model has no 'residual7'; it has conv1, residual1"
    )
    assert in_process.labels == ["prepare_data"]


def test_a_warm_student_begins_from_the_network_that_the_params_name(in_process, trained):
    """At a rate of nothing it ends where it began; its encoding is the present rows'."""
    folder = in_process.project
    shape = ResNet(family="resnet", stem_stride=1, width=2, stages=2, blocks=1, dropout=0.0)
    earlier = Classifier(shape.network(Shape(height=8, width=8, channels=1), 10))
    save_model(earlier, folder)
    parts = ((folder / name).read_bytes() for name in ("network.json", "weights.safetensors"))
    digest = keep(folder, pack(*parts, [str(number) for number in range(10)]))
    named = ["retrain.start=warm", f"retrain.begin.network={digest}"]
    made, _ = taught(in_process, *TRAINED, *named, "distill.training.learning_rate=1.0e-12")
    assert in_process.labels == plain_steps()
    student = load_model(in_process.folder(made.student))
    for name, tensor in earlier.named_parameters():
        torch.testing.assert_close(student.get_parameter(name), tensor, atol=1e-6, rtol=0)
    assert float(student.encoding.scale) != 1


def test_a_network_that_is_named_is_not_begun_from_where_the_start_is_fresh(in_process, trained):
    taught(in_process, *TRAINED, f"retrain.begin.network={'a' * 64}")
    assert weights_of(in_process, "distill_student") == trained["student"]
