from __future__ import annotations

import pytest

from distillery.pacing import Progress, Weights, paced, risen


@pytest.fixture
def weights(shipped):
    """The weights of a pace at a point of eleven epochs, from temperature 4 and alpha 0.8."""

    def make(pace, epoch=0, agreement=0.0):
        plain = shipped.distill.model_dump() | {"temperature": 4.0, "alpha": 0.8, "pace": pace}
        return paced(type(shipped.distill).model_validate(plain), Progress(epoch, 11, agreement))

    return make


def test_constant_weights_stay(weights):
    assert {weights({"kind": "constant"}, epoch, 0.9) for epoch in range(11)} == {Weights(4.0, 0.8)}


def test_rising_weights_are_there_after_as_many_epochs_and_stay(weights):
    alphas = [weights({"kind": "rising", "epochs": 4}, epoch).alpha for epoch in range(6)]
    assert alphas == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_annealed_weights_go_straight_from_the_first_epoch_to_the_last(weights):
    pace = {"kind": "annealed", "temperature": 1.0, "alpha": 0.3}
    assert weights(pace, 0) == Weights(4.0, 0.8)
    assert weights(pace, 5) == Weights(pytest.approx(2.5), pytest.approx(0.55))
    assert weights(pace, 10) == Weights(pytest.approx(1.0), pytest.approx(0.3))


def test_weights_by_agreement_follow_the_student_and_not_the_clock(weights):
    pace = {"kind": "by_agreement", "temperature": 2.0, "alpha": 0.0}
    assert weights(pace, 9, 0.0) == Weights(4.0, 0.8)
    assert weights(pace, 1, 0.75) == Weights(pytest.approx(2.5), pytest.approx(0.2))
    assert weights(pace, 1, 1.0) == Weights(pytest.approx(2.0), pytest.approx(0.0))


@pytest.mark.parametrize(("epochs", "shares"), [(0, [1, 1, 1]), (1, [1, 1, 1]), (2, [0.5, 1, 1])])
def test_a_warm_up_takes_so_many_epochs(epochs, shares):
    assert [risen(epochs, Progress(epoch, 3, 0.0)) for epoch in range(3)] == shares
