from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from distillery.distillation import distill, tapped
from distillery.labelling import label, load_targets
from distillery.models.points import points


@pytest.fixture(scope="module")
def taught(rows, students, augment, runtime, tmp_path_factory):
    """A trained teacher and its targets."""
    folder = tmp_path_factory.mktemp("targets")
    for _ in label(students["resnet"], rows, augment, runtime, folder / "targets.npy"):
        pass
    return students["resnet"], load_targets(folder)


@pytest.fixture(scope="module")
def method(shipped, training):
    """The shipped block under a short training, with changes by keyword as params.yaml would say them."""

    def make(epochs=3, **changes):
        plain = shipped.distill.model_dump() | {"training": training(epochs=epochs).model_dump()} | changes
        return type(shipped.distill).model_validate(plain)

    return make


def pair(kind, student, teacher, weight=1.0, warm_up=0):
    return {"kind": kind, "student": student, "teacher": teacher, "weight": weight, "warm_up": warm_up}


def weights_of(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_student_of_the_teacher_alone_comes_to_agree_with_it(
    rows, taught, untrained, augment, training, shipped, runtime
):
    teacher, targets = taught
    method = shipped.distill.model_copy(
        update={"alpha": 1.0, "training": training(epochs=16, schedule="one_cycle", learning_rate=0.02)}
    )
    student = untrained("resnet")
    epochs = list(distill(student, rows, targets, augment, method, runtime))
    assert epochs[-1].loss < 0.5 * epochs[0].loss
    images = torch.from_numpy(np.array(rows.features))
    with torch.no_grad():
        agreement = (student(images).argmax(1) == teacher(images).argmax(1)).float().mean()
    assert agreement > 0.6


@pytest.mark.parametrize(
    "term",
    [
        pair("distances", "logits", "logits"),
        pair("angles", "logits", "logits"),
        pair("distances", "pool1", "pool1"),
        pair("angles", "pool1", "residual2"),
        pair("hints", "residual1", "residual2"),
        pair("hints", "pool1", "pool1"),
        pair("attention", "conv1", "residual1", weight=100.0),
    ],
)
def test_a_term_shapes_what_is_learned_and_leaves_nothing_on_the_models(
    term, rows, taught, untrained, augment, method, runtime
):
    teacher, targets = taught
    before = copy.deepcopy(teacher.state_dict())
    plain, student = untrained("resnet"), untrained("resnet")
    list(distill(plain, rows, targets, augment, method(), runtime, teacher))
    epochs = list(distill(student, rows, targets, augment, method(terms=[term]), runtime, teacher))
    assert np.isfinite([epoch.loss for epoch in epochs]).all()
    assert not torch.equal(weights_of(plain), weights_of(student))
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    assert not any(module._forward_hooks for model in (teacher, student) for module in model.modules())
    assert set(student.state_dict()) == set(plain.state_dict())


@pytest.mark.parametrize("kind", ["hints", "attention"])
def test_the_student_comes_to_look_like_the_teacher_where_it_is_shown(
    kind, rows, taught, untrained, augment, method, runtime
):
    """The loss is nearly that of the term alone, and it goes down."""
    weight = {"hints": 100.0, "attention": 1e5}[kind]
    heavy = method(epochs=8, alpha=1.0, terms=[pair(kind, "residual1", "residual1", weight)])
    stream = distill(untrained("resnet"), rows, taught[1], augment, heavy, runtime, taught[0])
    losses = [epoch.loss for epoch in stream]
    assert losses[-1] < 0.5 * losses[0]


def test_what_reads_logits_alone_needs_no_teacher(rows, taught, untrained, augment, method, runtime):
    terms = [pair("distances", "logits", "logits"), pair("angles", "pool1", "logits")]
    alone, beside = untrained("resnet"), untrained("resnet")
    list(distill(alone, rows, taught[1], augment, method(terms=terms), runtime))
    list(distill(beside, rows, taught[1], augment, method(terms=terms), runtime, taught[0]))
    assert torch.equal(weights_of(alone), weights_of(beside))


def test_what_looks_inside_refuses_to_go_without_a_teacher(rows, taught, untrained, augment, method, runtime):
    looking = method(terms=[pair("hints", "pool1", "pool1")])
    with pytest.raises(ValueError, match="looks inside the teacher"):
        list(distill(untrained("resnet"), rows, taught[1], augment, looking, runtime))


def test_distilling_twice_gives_the_same_weights(rows, taught, untrained, augment, method, runtime):
    terms = [pair("hints", "residual1", "residual2"), pair("angles", "logits", "logits")]
    pace = {"kind": "by_agreement", "temperature": 1.0, "alpha": 0.2}
    twice = []
    for seed in range(2):
        student = untrained("resnet")
        torch.manual_seed(seed)  # what ran before has no say
        list(distill(student, rows, taught[1], augment, method(terms=terms, pace=pace), runtime, taught[0]))
        twice += [weights_of(student)]
    assert torch.equal(*twice)


def test_a_warm_up_begins_gently(rows, taught, untrained, augment, method, runtime):
    teacher, targets = taught
    first = {}
    for warm_up in (0, 100):
        gentle = method(terms=[pair("hints", "residual1", "residual1", 1000.0, warm_up)])
        first[warm_up] = next(distill(untrained("resnet"), rows, targets, augment, gentle, runtime, teacher))
    assert first[100].loss < 0.2 * first[0].loss


@pytest.mark.parametrize(
    "pace",
    [
        {"kind": "rising", "epochs": 3},
        {"kind": "annealed", "temperature": 1.0, "alpha": 0.0},
        {"kind": "by_agreement", "temperature": 1.0, "alpha": 0.0},
    ],
)
def test_a_pace_changes_what_is_learned(pace, rows, taught, untrained, augment, method, runtime):
    plain, paced = untrained("resnet"), untrained("resnet")
    list(distill(plain, rows, taught[1], augment, method(), runtime))
    list(distill(paced, rows, taught[1], augment, method(pace=pace), runtime))
    assert not torch.equal(weights_of(plain), weights_of(paced))


@pytest.mark.parametrize("family", ["mlp", "resnet"])
def test_the_points_have_the_sizes_that_come_out(family, students, rows):
    model = students[family]
    known = points(model.network)
    with tapped(model, set(known)) as features:
        model(torch.from_numpy(np.array(rows.features[:3])))
        found = {name: tuple(feature.shape) for name, feature in features.items()}
    assert found == {name: (3, *point.size) for name, point in known.items()}
