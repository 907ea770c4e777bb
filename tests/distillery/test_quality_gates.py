from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery import quality_gates
from distillery.deciding import at_least, at_most
from distillery.evidence import NO_CLASS, paired
from distillery.statistics.tango import tango_interval
from distillery.verdict import Outcome

PASSED, REFUSED, UNDECIDED = Outcome


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.5, 1.0, 3.0, 8.0]))
def test_accuracy_is_decided_by_tangos_bounds_alone(evidence, promotion, gained, lost, margin):
    gate = promotion(accuracy__margin=margin).accuracy
    found = quality_gates.accuracy(gate, paired(evidence(gained=gained, lost=lost)))
    low, high = (100 * float(bound) for bound in tango_interval(gained, lost, 360))
    expected = PASSED if low >= -margin else REFUSED if high < -margin else UNDECIDED
    assert found.outcome is expected
    assert found.numbers["difference"] == pytest.approx(100 * (gained - lost) / 360)
    assert (found.numbers["low"], found.numbers["high"]) == pytest.approx((low, high), abs=1e-8)


def test_too_few_rows_are_told_with_how_many_would_decide(evidence, promotion):
    """360 rows at 2 % disagreement cannot tell a loss of a point."""
    gate = promotion(accuracy__margin=1.0).accuracy
    found = quality_gates.accuracy(gate, paired(evidence(gained=3, lost=4)))
    assert found.outcome is UNDECIDED
    needed = found.numbers["rows_to_decide"]
    assert 1000 < needed < 3000
    assert f"360 rows are too few; about {needed:,} would" in found.said
    enough = quality_gates.accuracy(
        gate, paired(evidence(rows=needed, gained=needed // 100, lost=needed // 100))
    )
    assert enough.outcome is PASSED


def test_a_challenger_near_the_margin_on_many_rows_is_said_to_be_near(evidence, promotion):
    gate = promotion(accuracy__margin=1.0).accuracy
    found = quality_gates.accuracy(gate, paired(evidence(rows=10_000, gained=50, lost=140)))
    assert found.outcome is UNDECIDED
    assert "close to the margin" in found.said


def test_below_min_rows_a_gate_refuses_but_does_not_pass(evidence, promotion):
    gates = promotion(accuracy__min_rows=361, macro_f1__min_rows=361)
    for gate, ask in ((gates.accuracy, quality_gates.accuracy), (gates.macro_f1, quality_gates.macro_f1)):
        equal = ask(gate, paired(evidence()))
        assert equal.outcome is UNDECIDED
        assert equal.numbers["rows_to_decide"] == 361
        assert "360 rows are too few; about 361" in equal.said
        assert ask(gate, paired(evidence(lost=60))).outcome is REFUSED


def test_macro_f1_sees_the_small_class_that_accuracy_does_not(evidence, promotion):
    labels = np.zeros(2000, np.int64)
    labels[:40] = 1
    whole = evidence(rows=2000, classes=2)
    said = labels.copy()
    said[:20] = 0
    champion = replace(whole.champion, predicted=labels)
    whole = replace(whole, labels=labels, champion=champion, challenger=replace(champion, predicted=said))
    gates = promotion()
    assert quality_gates.accuracy(gates.accuracy, paired(whole)).outcome is PASSED
    found = quality_gates.macro_f1(gates.macro_f1, paired(whole))
    assert found.outcome is REFUSED
    assert found.numbers["difference"] == pytest.approx(-16.9, abs=0.1)


def test_flips_are_told_with_their_rows_the_surest_first_and_never_block(evidence):
    found = quality_gates.flips(paired(evidence(gained=3, lost=30)))
    assert (found.outcome, found.blocks) == (REFUSED, False)
    assert (found.numbers["gained"], found.numbers["lost"]) == (3, 30)
    assert found.numbers["lost_rows"] == [f"{row:04d}-0" for row in range(29, 19, -1)]
    assert found.numbers["gained_rows"] == ["0032-0", "0031-0", "0030-0"]
    assert found.numbers["p"] < 1e-5
    equal = quality_gates.flips(paired(evidence(gained=4, lost=4)))
    assert (equal.outcome, equal.blocks, equal.numbers["p"]) == (PASSED, False, 1.0)
    better = quality_gates.flips(paired(evidence(gained=30, lost=3)))
    assert better.outcome is PASSED


def test_must_pass_rows_are_those_of_the_parameters_and_of_their_file(evidence, promotion):
    named = {"must_pass__rows": ("0000-0", "0100-0"), "must_pass__file": "rows.txt"}
    gate = promotion(**named).must_pass
    (found,) = quality_gates.must_pass(gate, evidence(lost=1, must_pass=("0200-0", "0100-0")))
    assert found.outcome is REFUSED
    assert found.numbers["rows"] == 3
    assert found.numbers["wrong_rows"] == ["0000-0"]
    assert "0000-0" in found.said
    (found,) = quality_gates.must_pass(gate, evidence(must_pass=("0200-0",)))
    assert found.outcome is PASSED


def test_a_must_pass_row_that_is_no_test_row_leaves_it_undecided_and_a_wrong_one_refuses(evidence, promotion):
    gate = promotion(must_pass__rows=("nowhere-0",)).must_pass
    (found,) = quality_gates.must_pass(gate, evidence())
    assert (found.outcome, found.blocks) == (UNDECIDED, True)
    assert "nowhere-0" in found.said
    both = promotion(must_pass__rows=("nowhere-0", "0000-0")).must_pass
    (found,) = quality_gates.must_pass(both, evidence(lost=1))
    assert found.outcome is REFUSED
    assert (found.numbers["wrong"], found.numbers["missing"]) == (1, 1)


def test_no_must_pass_rows_are_no_gate(evidence, promotion):
    assert quality_gates.must_pass(promotion().must_pass, evidence()) == []


def test_a_file_that_is_surer_and_no_better_is_worse_calibrated(evidence, promotion):
    whole = evidence(rows=2000, gained=200, lost=200)
    champion = replace(whole.champion, probability=np.full(2000, 0.9, np.float32))
    surer = replace(whole.challenger, probability=np.full(2000, 0.99, np.float32))
    gate = promotion(calibration__margin=2.0).calibration
    (found,) = quality_gates.calibration(gate, paired(replace(whole, champion=champion, challenger=surer)))
    assert found.outcome is REFUSED
    assert found.numbers["difference"] == pytest.approx(9, abs=1e-4)
    same = replace(surer, probability=champion.probability)
    (found,) = quality_gates.calibration(gate, paired(replace(whole, champion=champion, challenger=same)))
    assert found.outcome is PASSED
    (found,) = quality_gates.calibration(
        promotion(calibration__margin=8.9).calibration,
        paired(replace(whole, champion=champion, challenger=surer)),
    )
    assert found.outcome is UNDECIDED
    assert "equally good challenger" in found.said


@pytest.mark.parametrize(
    ("differ", "floor", "outcome"),
    [(0, 0.99, PASSED), (10, 0.95, PASSED), (60, 0.95, REFUSED), (18, 0.95, UNDECIDED)],
)
def test_agreement_with_the_teacher_is_held_to_its_floor(evidence, promotion, differ, floor, outcome):
    whole = evidence()
    teacher = np.where(np.arange(360) < differ, NO_CLASS, whole.labels)
    gate = promotion(teacher__min_agreement=floor).teacher
    (found,) = quality_gates.teacher(gate, replace(whole, teacher=teacher))
    assert found.outcome is outcome
    assert found.numbers["agreement"] == pytest.approx(1 - differ / 360)


def test_two_classes_that_the_data_lack_are_no_agreement(evidence, promotion):
    whole = evidence()
    nowhere = np.full(360, NO_CLASS)
    whole = replace(whole, teacher=nowhere, challenger=replace(whole.challenger, predicted=nowhere))
    (found,) = quality_gates.teacher(promotion(teacher__min_agreement=0.5).teacher, whole)
    assert found.numbers["agreement"] == 0
    assert found.outcome is REFUSED


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(-1, 1))
def test_an_interval_at_the_bound_decides_and_one_around_it_does_not(low, width, bound):
    high = low + width
    outcome = at_least((low, high), bound)
    assert (outcome is PASSED) == (low >= bound)
    assert (outcome is REFUSED) == (high < bound)
    mirrored = at_most((-high, -low), -bound)
    assert mirrored is outcome
