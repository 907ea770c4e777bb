"""The order in which a student is pruned and distilled again: as calls, and run in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distillery.models.network import count_parameters, load_model
from distillery.params.project import load_params
from distillery.pruning.masks import prunable, zero_share
from flows.chaining import follow_chain
from flows.teaching import teach
from tasks.steps import Noun, interpreted_by, prepare_data, train_control

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "runtime.precision=fp32", "runtime.device=cpu", "augment.views=2", "distill.training.epochs=2",
    "student.model.width=4", "student.model.stages=2", "runtime.threads=1", "distill.training.batch_size=16",
    "data.test=0.6", "data.validation=0.25", "data.calibration=32",  # 270 rows to train on
    "teacher.training.epochs=2", "teacher.model.width=4", "teacher.model.stages=2",
]  # fmt: skip
LINK = {"penalty": None, "training": {
    "epochs": 2, "batch_size": 16, "optimizer": "adamw", "learning_rate": 0.01, "momentum": 0.9,
    "weight_decay": 0.0, "schedule": "constant", "patience": None, "target": None,
}}  # fmt: skip
CHANNELS = LINK | {
    "kind": "channels", "importance": "l1", "scope": "layer", "share": 0.5, "rounds": 1, "multiple": 1,
    "max_accuracy_drop": 100.0,
}  # fmt: skip
MAGNITUDE = LINK | {"kind": "magnitude", "share": 0.6, "scope": "layer", "ramp_epochs": 1, "every": 2}
THRESHOLD = LINK | {"kind": "threshold", "deviations": 0.5, "scope": "layer"}


def params_of(chain, *methods, more=()):
    settings = [f"chain=[{', '.join(chain)}]", f"prune={json.dumps(methods)}"]
    return load_params(ROOT / "params.yaml", settings=[*TINY, *settings, *more])


def follow(interpreter, params):
    with interpreted_by(interpreter):
        data = prepare_data(params.data)
        made = teach(data, params)
        control = train_control(data, params.augment, params.student, params.distill.training, params.runtime)
        return made, control, follow_chain(data, made, control, params)


class Recorder:
    """Takes every call down and makes nothing."""

    def __init__(self):
        self.calls = {}

    def interpret(self, call):
        assert call.label not in self.calls
        self.calls[call.label] = call
        return Noun(call.step.name, call.variant, None)

    def folder(self, noun):
        return None


@pytest.mark.parametrize(
    ("chain", "methods", "links"),
    [
        (["distill", "prune", "quantize"], [MAGNITUDE], {"prune_student": "distill_student"}),
        (["prune", "quantize"], [MAGNITUDE], {"prune_student": "train_control"}),
        (
            ["prune", "distill", "quantize"], [MAGNITUDE],
            {"prune_student": "train_control", "distill_student.link-2": "prune_student"},
        ),
        (
            ["distill", "prune", "distill", "prune", "quantize"], [CHANNELS, MAGNITUDE],
            {
                "prune_student": "distill_student", "distill_student.link-3": "prune_student",
                "prune_student.link-4": "distill_student.link-3",
            },
        ),
    ],
)  # fmt: skip
def test_every_link_starts_from_the_one_before(chain, methods, links):
    recorder = Recorder()
    made, _, end = follow(recorder, params_of(chain, *methods))
    calls = {label: call for label, call in recorder.calls.items() if label in links}
    inner = [label for label in recorder.calls if "link" in label or "prune" in label]
    assert inner == list(links)
    for label, call in calls.items():
        nouns = [value.label for value in call.inputs if isinstance(value, Noun)]
        assert links[label] in nouns
        assert made.targets.label in nouns
        assert made.guide.label == "train_teacher"
    assert end.label == list(links)[-1]


def test_each_pruning_gets_its_own_method():
    recorder = Recorder()
    follow(recorder, params_of(["distill", "prune", "prune", "quantize"], CHANNELS, THRESHOLD))
    asked = {
        label: next(value.kind for value in call.inputs if getattr(value, "place", "") == "prune")
        for label, call in recorder.calls.items() if call.step.name == "prune_student"
    }  # fmt: skip
    assert asked == {"prune_student": "channels", "prune_student.link-3": "threshold"}


def test_a_chain_is_narrower_keeps_its_zeros_and_never_touches_the_whole_student(in_process):
    in_process.skipping = ("export_model",)
    chain = ["distill", "prune", "prune", "distill", "quantize"]
    made, _, end = follow(in_process, params_of(chain, CHANNELS, MAGNITUDE))
    names = ("distill_student", "prune_student", "prune_student.link-3", "distill_student.link-4")
    models = [load_model(in_process.project / name) for name in names]
    sizes = [count_parameters(model) for model in models]
    assert sizes[0] > sizes[1] == sizes[2] == sizes[3]
    zeros = [prunable(model) for model in models]
    assert [round(zero_share(weights), 1) for weights in zeros] == [0.0, 0.0, 0.6, 0.6]
    for name, weight in zeros[2].items():
        assert ((zeros[3][name] == 0) == (weight == 0)).all()
        assert not zeros[3][name].equal(weight)  # it did learn
    assert end.label == names[3]
    assert in_process.folder(made.student).name == names[0]


def test_what_is_pruned_first_learns_what_the_teacher_shows_inside(in_process):
    in_process.skipping = ("export_model",)
    terms = "{kind: hints, weight: 1.0, warm_up: 0, student: residual1, teacher: residual1}"
    params = params_of(["prune", "distill", "quantize"], CHANNELS, more=[f"distill.terms=[{terms}]"])
    _, _, end = follow(in_process, params)
    assert end.label == "distill_student.link-2"
    narrower = load_model(in_process.folder(end))
    assert count_parameters(narrower) < count_parameters(load_model(in_process.project / "train_control"))
    shown = [value.label for value in in_process.calls[-1].inputs if isinstance(value, Noun)]
    assert shown == ["prepare_data", "label_with_teacher", "train_teacher", "prune_student"]


def test_the_preset_runs_with_shorter_trainings(in_process):
    in_process.skipping = ("export_model",)
    preset = load_params(
        ROOT / "params.yaml", [ROOT / "params" / "chain.yaml"], [*TINY, "student.model.width=8"]
    )
    channels, magnitude = preset.prune
    short = {"training": channels.training.model_copy(update={"epochs": 2})}
    methods = (
        channels.model_copy(update=short | {"rounds": 1, "max_accuracy_drop": 100.0}),
        magnitude.model_copy(update=short | {"ramp_epochs": 1}),
    )
    made, _, end = follow(in_process, preset.model_copy(update={"prune": methods}))
    assert end.label == "prune_student.link-4"
    whole, narrower = (load_model(in_process.folder(noun)) for noun in (made.student, end))
    assert count_parameters(narrower) < count_parameters(whole)
    assert zero_share(prunable(narrower)) == pytest.approx(magnitude.share, abs=0.01)
