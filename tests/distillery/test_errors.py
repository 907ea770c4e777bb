from __future__ import annotations

import pickle

import pytest

from distillery import errors

CODES = {
    errors.DistilleryError: 1,
    errors.DiskError: 1,
    errors.Unreachable: 1,
    errors.UserMistake: 2,
    errors.ParamsError: 2,
    errors.DataError: 2,
    errors.ProjectError: 2,
    errors.StepError: 2,
    errors.Refused: 3,
    errors.RebuiltDifferently: 4,
    errors.Busy: 5,
}


@pytest.mark.parametrize(("error", "code"), CODES.items())
def test_every_error_has_the_exit_code_of_the_table(error, code):
    assert error("message").exit_code == code


def test_no_error_is_missing_from_the_table():
    classes = {c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, Exception)}
    assert classes == set(CODES)


def test_the_interrupted_code_is_that_of_a_shell():
    assert errors.INTERRUPTED == 128 + 2


def test_the_text_shows_the_message_and_every_fault():
    text = str(errors.DataError("cannot be split", ["class a: too few", "class b: none"]))
    assert text.splitlines() == ["cannot be split", "  - class a: too few", "  - class b: none"]


@pytest.mark.parametrize("error", CODES)
def test_an_error_crosses_a_process_border_with_its_faults(error):
    again = pickle.loads(pickle.dumps(error("message", ["one", "two"])))  # noqa: S301
    assert (type(again), again.message, again.faults) == (error, "message", ("one", "two"))
