"""The pipeline as data: which steps, of what, in which order."""

from pathlib import Path

import pytest

from distillery.params.project import load_params
from distillery.params.student import StudentParams
from flows.compress import CONTROL, TEACHER, compress
from tasks.steps import STEPS, Noun, interpreted_by

ROOT = Path(__file__).resolve().parents[2]
NAMED = [  # of the shipped params; others may name more
    "prepare_data", "train_teacher", "label_with_teacher", "distill_student", "train_control",
    "prune_student", "quantize_student", "export_model", "evaluate_model", "measure_model", "choose_model",
    "register_model", "write_report",
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


def record(*overlays):
    recorder = Recorder()
    with interpreted_by(recorder):
        made = compress(load_params(ROOT / "params.yaml", overlays))
    return recorder.calls, made


@pytest.fixture(scope="module")
def recorded():
    return record()


@pytest.fixture(scope="module")
def pruned():
    return record(ROOT / "params" / "pruned.yaml")


@pytest.fixture(scope="module")
def chain():
    return record(ROOT / "params" / "chain.yaml")


def nouns(call):
    for value in call.inputs:
        if isinstance(value, Noun):
            yield value.label
        elif isinstance(value, dict):
            yield from (noun.label for noun in value.values())


def test_the_steps_carry_the_agreed_names(recorded, pruned):
    elsewhere = {"adopt_teacher", "label_with_file", "combine_targets", "remember_champion"}
    assert {step.name for step in STEPS} == {*NAMED, *elsewhere}
    assert {call.step.name for call in pruned[0]} == set(NAMED)
    assert {call.step.name for call in recorded[0]} == set(NAMED) - {"prune_student"}


def test_an_update_learns_from_the_champion_too_wherever_it_learns_from_the_teacher(recorded):
    params = load_params(ROOT / "params.yaml", settings=[f"retrain.remember.model={'a' * 64}"])
    recorder = Recorder()
    with interpreted_by(recorder):
        compress(params)
    readers = {
        target: {call.label for call in calls if target in nouns(call)}
        for target, calls in (
            ("label_with_teacher", recorded[0]),
            ("remember_champion", recorder.calls),
        )
    }
    assert readers["remember_champion"] == readers["label_with_teacher"] != set()


def test_every_call_is_labelled_once(recorded, pruned, chain):
    for calls, _ in (recorded, pruned, chain):
        labels = [call.label for call in calls]
        assert len(labels) == len(set(labels))


@pytest.mark.parametrize("flow", ["recorded", "pruned", "chain"])
def test_inputs_are_made_before_they_are_read(flow, request):
    made = set()
    for call in request.getfixturevalue(flow)[0]:
        assert set(nouns(call)) <= made
        made.add(call.label)


def test_the_variants_are_the_agreed_ones(recorded):
    assert list(recorded[1].models) == [
        "teacher-fp32", "student-fp32", "control-fp32",
        "student-int8-dynamic", "student-int8-static", "student-int8-qat",
    ]  # fmt: skip


def test_a_pruned_student_is_a_variant_in_float_and_in_every_int8(recorded, pruned):
    more = [name for name in pruned[1].models if name not in recorded[1].models]
    assert more == [
        "student-pruned-fp32", "student-pruned-int8-dynamic", "student-pruned-int8-static",
        "student-pruned-int8-qat",
    ]  # fmt: skip
    choice, registration, _ = pruned[0][-3:]
    assert set(more) < set(choice.inputs[0])
    assert {registration.inputs[1][name].label for name in more} == {"prune_student"}


def test_pruning_starts_from_the_distilled_student_and_quantizing_from_the_pruned_one(pruned):
    calls = {call.label: set(nouns(call)) for call in pruned[0]}
    assert calls["prune_student"] == {"prepare_data", "distill_student", "label_with_teacher"}
    for way in ("dynamic", "static", "qat"):
        assert calls[f"quantize_student.student-pruned-int8-{way}"] == {
            "prepare_data", "prune_student", "export_model.student-pruned-fp32", "label_with_teacher",
        }  # fmt: skip
        assert "prune_student" not in calls[f"quantize_student.student-int8-{way}"]


def test_a_chain_ends_in_the_same_variants_made_from_its_last_link(pruned, chain):
    assert list(chain[1].models) == list(pruned[1].models)
    calls = {call.label: set(nouns(call)) for call in chain[0]}
    assert calls["export_model.student-pruned-fp32"] == {"prepare_data", "prune_student.link-4"}
    for way in ("dynamic", "static", "qat"):
        assert "prune_student.link-4" in calls[f"quantize_student.student-pruned-int8-{way}"]
        assert "distill_student" in calls[f"quantize_student.student-int8-{way}"]


def test_what_came_before_pruning_is_called_as_without_it(recorded, pruned):
    handed = {call.label: call.inputs for call in pruned[0]}
    params = load_params(ROOT / "params.yaml", [ROOT / "params" / "pruned.yaml"]).student  # it is wider there
    for call in recorded[0][:-3]:
        inputs = tuple(params if isinstance(value, StudentParams) else value for value in call.inputs)
        assert handed[call.label] == inputs


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


def test_a_way_to_quantize_that_is_null_makes_no_variant():
    _, made = record(ROOT / "params/sequences.yaml")
    assert list(made.models) == [TEACHER, "student-fp32", CONTROL, "student-int8-dynamic"]
