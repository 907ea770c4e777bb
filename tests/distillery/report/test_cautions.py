"""Sentences beside a table whose numbers hide something."""

from types import SimpleNamespace

import pytest

from distillery.report.cautions import CONTROL, STUDENT, cautions


def told(student, control, confusion, chosen="student-int8-qat", parities=()):
    variants = [
        SimpleNamespace(name=STUDENT, accuracy=student),
        SimpleNamespace(name=CONTROL, accuracy=control),
    ]
    return list(cautions(variants, chosen, confusion, ["no", "yes"], dict(parities)))


@pytest.mark.parametrize("control", [0.9, 0.95])
def test_nothing_is_said_where_the_student_is_no_worse_and_answers_every_class(control):
    assert told(0.95, control, [[5, 1], [2, 4]]) == []


def test_a_control_that_beats_the_student_is_said_with_the_points():
    (sentence,) = told(0.8, 0.85, [[5, 1], [2, 4]])
    assert sentence.startswith("control-fp32 is 5.00 points above student-fp32 on test rows")


def test_a_class_that_is_never_answered_is_named_however_good_the_accuracy():
    (sentence,) = told(0.9, 0.9, [[90, 0], [10, 0]])
    assert sentence.startswith("student-int8-qat answers no test row with yes")


def test_a_file_that_answers_otherwise_than_its_network_is_said_with_the_rows():
    compared = {
        STUDENT: {"rows": 1000, "agreement": 0.999},
        "student-int8-qat": {"rows": 1024, "agreement": 1022 / 1024},
    }
    (sentence,) = told(0.9, 0.9, None, parities=compared)
    assert sentence.startswith("student-int8-qat answers 2 of 1,024 validation rows otherwise than")


def test_without_a_choice_only_the_student_is_judged():
    assert told(0.9, 0.9, None, chosen=None) == []
