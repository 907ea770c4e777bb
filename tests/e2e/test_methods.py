"""Methods as a user turns them on: a teacher that is there already, and a chain, each a whole run."""

import shutil

import numpy as np
import pytest

PRESETS = "params"
ASSISTANT = "{family: resnet, stem_stride: 1, width: 6, stages: 2, blocks: 1, dropout: 0}"


def names(done, status):
    return {step["name"] for step in done.json["steps"] if step["status"] == status}


def labels(done):
    return {".".join(filter(None, (step["name"], step["variant"]))) for step in done.json["steps"]}


def targets_of(project, label):
    return np.load(project.artifact(label) / "targets.npy")


@pytest.mark.slow
def test_an_onnx_file_teaches_is_compared_with_and_rebuilt_from_the_registry_alone(project, root, tmp_path):
    brought = project.folder / "brought.onnx"
    shutil.copyfile(project.folder / "models/teacher.onnx", brought)
    before = project("run", "--json").json["variants"][0]
    settings = ("--params", str(root / PRESETS / "onnx-teacher.yaml"), "--set", "teacher.file=brought.onnx")
    done = project("run", "--json", *settings)
    assert {"adopt_teacher", "label_with_file", "distill_student"} <= names(done, "ran")
    assert not {"train_teacher", "label_with_teacher"} & (names(done, "ran") | names(done, "cached"))
    teacher = done.json["variants"][0]
    assert (teacher["name"], teacher["accuracy"]) == ("teacher-fp32", before["accuracy"])
    assert teacher["macs"] == before["macs"]
    plan = project("plan", "--json", *settings).json["steps"]
    assert {step["status"] for step in plan} == {"hit"}

    rows = {row["version"]: row for row in project("models", "--json").json}
    newest = max(rows, key=int)
    brought.unlink()
    told = project("reproduce", newest, "--to", str(tmp_path / "there"), "--json").json
    assert (told["verdict"], told["onnx_digest"]) == ("identical", rows[newest]["onnx_digest"])


@pytest.mark.slow
def test_weights_teach_as_the_teacher_did_from_which_they_come(project, root):
    before = project("run", "--json").json["variants"][0]
    brought = project.artifact("train_teacher") / "weights.safetensors"
    shutil.copyfile(brought, project.folder / "brought.safetensors")
    said, knows = targets_of(project, "label_with_teacher"), brought.read_bytes()
    small = (
        "teacher.file=brought.safetensors", "teacher.model.width=8", "teacher.model.stages=2",
        "teacher.model.dropout=0.0",
    )  # fmt: skip
    command = ("run", "--json", "--params", str(root / PRESETS / "weights-teacher.yaml"))
    done = project(*command, *(part for setting in small for part in ("--set", setting)))
    assert "adopt_teacher" in names(done, "ran")
    assert "train_teacher" not in names(done, "ran") | names(done, "cached")
    teacher = done.json["variants"][0]
    assert (teacher["name"], teacher["accuracy"]) == ("teacher-fp32", before["accuracy"])
    assert (project.artifact("adopt_teacher") / "weights.safetensors").read_bytes() == knows
    assert np.array_equal(targets_of(project, "label_with_teacher"), said)

    wider = project(*command, "--set", "teacher.file=brought.safetensors", code=2)
    assert "are not those of teacher.model" in wider.err


@pytest.mark.parametrize(("preset", "file"), [("onnx-teacher", "gone.onnx"), ("weights-teacher", "gone.st")])
def test_a_teacher_that_is_not_there_is_said_before_anything_runs(project, root, preset, file):
    settings = ("--params", str(root / PRESETS / f"{preset}.yaml"), "--set", f"teacher.file={file}")
    assert f"{file} is not there: name a file that exists" in project("run", *settings, code=2).err


@pytest.mark.slow
def test_a_chain_of_teachers_runs_from_end_to_end(project, root):
    small = (
        "teachers.others.0.training.epochs=1",
        f"teachers.assistants=[{{model: {ASSISTANT}}}]",
        "distill.training.epochs=2",
        "distill.terms=[{kind: attention, weight: 100, warm_up: 1, student: residual1, teacher: residual1}]",
    )
    preset = ("--params", str(root / PRESETS / "teachers.yaml"))
    done = project("run", "--json", *preset, *(part for setting in small for part in ("--set", setting)))
    assert {
        "train_teacher.other-1", "label_with_teacher.other-1", "combine_targets",
        "distill_student.assistant-1", "label_with_teacher.assistant-1", "distill_student.generation-1",
        "label_with_teacher.generation-1", "distill_student",
    } <= labels(done)  # fmt: skip
    assert "train_teacher" in names(done, "cached")
    surer, other, both = (
        targets_of(project, label)
        for label in ("label_with_teacher", "label_with_teacher.other-1", "combine_targets")
    )
    assert np.abs(both - surer).mean() < np.abs(both - other).mean()  # who learned longer counts more
    assert done.json["chosen"]["name"].startswith("student-")
