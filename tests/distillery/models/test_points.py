from __future__ import annotations

import pytest

from distillery.data.form import Shape
from distillery.errors import ParamsError
from distillery.models.mlp import Mlp
from distillery.models.points import Lesson, Point, points, require_comparable
from distillery.models.resnet import ResNet
from distillery.params.distill import Angles, Attention, Hints

IMAGE = Shape(height=12, width=12, channels=1)


def resnet(width=4, stride=1, stages=3):
    return ResNet(
        family="resnet", stem_stride=stride, width=width, stages=stages, blocks=1, dropout=0.1
    ).network(IMAGE, 10)


MLP = Mlp(family="mlp", hidden=(7, 5), dropout=0.1).network(IMAGE, 10)


def term(kind, student, teacher):
    return kind(kind=kind.__name__.lower(), weight=1.0, warm_up=0, student=student, teacher=teacher)


def faults(terms, student, teacher):
    with pytest.raises(ParamsError) as caught:
        require_comparable(terms, [Lesson("student.model", student, "teacher.model", teacher)])
    return caught.value.faults


def test_every_layer_with_an_output_of_its_own_is_a_point_and_the_logits_are_not():
    assert points(resnet()) == {
        "conv1": Point(0, (4, 12, 12)),
        "residual1": Point(1, (4, 12, 12)),
        "residual2": Point(2, (8, 6, 6)),
        "residual3": Point(3, (16, 3, 3)),
        "pool1": Point(4, (16,)),
    }
    assert points(MLP) == {"linear1": Point(1, (7,)), "linear2": Point(3, (5,))}


def test_points_that_fit_are_let_pass():
    terms = [
        term(Hints, "residual1", "residual2"),
        term(Hints, "pool1", "pool1"),
        term(Attention, "residual3", "conv1"),
        term(Angles, "pool1", "logits"),
        term(Angles, "residual2", "pool1"),
    ]
    require_comparable(terms, [Lesson("student.model", resnet(), "teacher.model", resnet(width=9))])


def test_an_unknown_point_is_refused_with_those_that_there_are():
    (fault,) = faults([term(Hints, "residual4", "residual1")], resnet(), resnet())
    assert fault == (
        "distill.terms.0.student: student.model has no 'residual4'; "
        "it has conv1, residual1, residual2, residual3, pool1, logits"
    )


def test_a_file_of_outputs_has_its_logits_alone():
    (fault,) = faults([term(Angles, "pool1", "pool1")], resnet(), None)
    assert fault == "distill.terms.0.teacher: teacher.model has no 'pool1'; it has logits"


@pytest.mark.parametrize(
    ("wanted", "student", "teacher", "words"),
    [
        (term(Attention, "pool1", "pool1"), resnet(), resnet(), "attention compares maps; pool1 is 16"),
        (term(Attention, "linear1", "residual1"), MLP, resnet(), "attention compares maps; linear1 is 7"),
        (term(Hints, "linear1", "residual1"), MLP, resnet(), "hints compare two maps or two rows"),
        (term(Hints, "residual3", "conv1"), resnet(stride=2), resnet(stages=1), None),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_sizes(wanted, student, teacher, words):
    if words is None:  # 2 x 2 of 12 x 12
        require_comparable([wanted], [Lesson("student.model", student, "teacher.model", teacher)])
    else:
        (fault,) = faults([wanted], student, teacher)
        assert words in fault
        assert fault.endswith("(student.model from teacher.model)")


def test_maps_whose_sizes_do_not_divide_each_other_are_refused():
    """8 x 8 halved twice by a stride is 2 x 2; 3 x 3 stays."""
    three, two = resnet(), resnet(stride=2)
    assert points(three)["residual3"].size == (16, 3, 3)
    assert points(two)["residual3"].size == (16, 2, 2)
    (fault,) = faults([term(Hints, "residual3", "residual3")], two, three)
    assert "the height and width of one map must divide the other's" in fault
    assert "16 x 2 x 2" in fault


def test_every_fault_of_every_lesson_is_told():
    lessons = [Lesson(name, MLP, "teacher.model", MLP) for name in ("first", "second")]
    with pytest.raises(ParamsError) as caught:
        require_comparable([term(Hints, "conv1", "linear1"), term(Hints, "linear1", "conv1")], lessons)
    assert len(caught.value.faults) == 4
