"""The pipeline as data: which steps, of what, in which order."""

from pathlib import Path

import pytest

from distillery.params.project import load_params
from flows.compress import CONTROL, TEACHER, compress
from tasks.steps import STEPS, Noun, interpreted_by

ROOT = Path(__file__).resolve().parents[2]
NAMED = [  # of the shipped params; others may name more
    "prepare_data", "train_teacher", "label_with_teacher", "distill_student", "train_control",
    "quantize_student", "export_model", "evaluate_model", "measure_model", "choose_model", "register_model",
]  # fmt: skip


class Recorder:
    """Takes every call down and makes nothing."""

    def __init__(self):
        self.calls = []

    def interpret(self, call):
        self.calls.append(call)
        return Noun(call.step.name, call.variant, None)

    def folder(self, noun):
        return None


@pytest.fixture(scope="module")
def recorded():
    recorder = Recorder()
    with interpreted_by(recorder):
        made = compress(load_params(ROOT / "params.yaml"))
    return recorder.calls, made


def nouns(call):
    for value in call.inputs:
        if isinstance(value, Noun):
            yield value.label
        elif isinstance(value, dict):
            yield from (noun.label for noun in value.values())


def test_the_steps_carry_the_agreed_names(recorded):
    calls, _ = recorded
    assert sorted({call.step.name for call in calls}) == sorted(NAMED)
    elsewhere = {"adopt_teacher", "label_with_file", "combine_targets"}
    assert {step.name for step in STEPS} == {*NAMED, *elsewhere}


def test_every_call_is_labelled_once(recorded):
    labels = [call.label for call in recorded[0]]
    assert len(labels) == len(set(labels))


def test_inputs_are_made_before_they_are_read(recorded):
    made = set()
    for call in recorded[0]:
        assert set(nouns(call)) <= made
        made.add(call.label)


def test_the_variants_are_the_agreed_ones(recorded):
    assert list(recorded[1].models) == [
        "teacher-fp32", "student-fp32", "control-fp32",
        "student-int8-dynamic", "student-int8-static", "student-int8-qat",
    ]  # fmt: skip


def test_the_control_never_sees_the_teacher(recorded):
    (control,) = (call for call in recorded[0] if call.step.name == "train_control")
    assert set(nouns(control)) == {"prepare_data"}


def test_neither_teacher_nor_control_may_be_chosen(recorded):
    (choice,) = (call for call in recorded[0] if call.step.name == "choose_model")
    assert not {TEACHER, CONTROL} & set(choice.inputs[0])


def test_every_body_is_where_its_step_says():
    for step in STEPS:
        source = (ROOT / "tasks" / f"{step.name}.py").read_text()
        assert f"def {step.name}(" in source
