from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from distillery import group_gates
from distillery.evidence import paired
from distillery.statistics.tango import tango_interval
from distillery.verdict import Outcome

PASSED, REFUSED, UNDECIDED = Outcome


@pytest.fixture
def with_lost(evidence):
    """Evidence in which the challenger lost so many rows of each class, by name."""

    def make(rows, **lost):
        whole = evidence(rows=rows)
        said = whole.labels.copy()
        for name, count in lost.items():
            said[np.flatnonzero(whole.labels == int(name[1:]))[:count]] = (int(name[1:]) + 1) % 10
        return paired(replace(whole, challenger=replace(whole.challenger, predicted=said)))

    return make


def test_classes_that_keep_the_bound_pass_with_the_worst_named(with_lost, promotion):
    (found,) = group_gates.per_class(promotion().per_class, with_lost(10_000, c3=40))
    assert (found.gate, found.outcome, found.blocks) == ("classes", PASSED, True)
    assert "3 (-4.0 points" in found.said
    assert found.numbers["worst"][0]["name"] == "3"
    low, _ = tango_interval(0, 40, 1000)
    assert found.numbers["worst"][0]["low"] == pytest.approx(100 * float(low), abs=1e-8)
    assert (found.numbers["passed"], found.numbers["refused"], found.numbers["undecided"]) == (10, 0, 0)


def test_one_class_that_breaks_the_bound_refuses_whatever_undecided_does(with_lost, promotion):
    (found,) = group_gates.per_class(promotion().per_class, with_lost(360, c7=20, c1=1))
    assert (found.outcome, found.blocks) == (REFUSED, True)
    assert found.said.startswith("1 of 10 lose more than 10 points: 7 (-55.6 points")


def test_small_classes_are_undecidable_and_not_passed(with_lost, promotion):
    (found,) = group_gates.per_class(promotion(per_class__max_class_drop=5.0).per_class, with_lost(360))
    assert (found.outcome, found.blocks) == (UNDECIDED, False)
    assert found.numbers["undecided"] == 10
    assert "10 of 10 cannot be held to 5 points, about 52 rows each would do" in found.said
    assert "and 7 more" in found.said
    (few,) = group_gates.per_class(promotion(per_class__min_rows=37).per_class, with_lost(360))
    assert few.outcome is UNDECIDED


def test_a_class_without_a_row_is_undecidable(evidence, promotion):
    whole = evidence(rows=2000)
    pair = paired(replace(whole, classes=(*whole.classes, "new")))
    (found,) = group_gates.per_class(promotion().per_class, pair)
    assert found.outcome is UNDECIDED
    assert found.numbers["worst"][0] == {
        "name": "new",
        "rows": 0,
        "difference": 0.0,
        "low": -100.0,
        "high": 100.0,
        "outcome": "undecided",
    }


def test_a_class_that_the_challenger_lacks_loses_all_its_rows(with_lost, promotion):
    (found,) = group_gates.per_class(promotion().per_class, with_lost(360, c9=36))
    assert found.outcome is REFUSED
    assert "9 (-100.0 points" in found.said


def test_every_value_of_a_named_column_is_held_to_the_bound(evidence, promotion):
    whole = replace(
        evidence(rows=3000, lost=300), slices={"colour": np.array(["blue"] * 600 + ["red"] * 2400)}
    )
    classes, colour = group_gates.per_class(promotion(per_class__slices=("colour",)).per_class, paired(whole))
    assert classes.gate == "classes"
    assert (colour.gate, colour.outcome) == ("slice colour", REFUSED)
    assert "1 of 2 lose more than 10 points: blue (-50.0 points" in colour.said
    _, high = tango_interval(0, 300, 600, NormalDist().inv_cdf(0.975))
    assert colour.numbers["worst"][0]["high"] == pytest.approx(100 * float(high), abs=1e-8)


def test_a_named_column_that_is_not_there_is_undecided(evidence, promotion):
    gate = promotion(per_class__slices=("colour",), per_class__undecided="block").per_class
    _, colour = group_gates.per_class(gate, paired(evidence()))
    assert (colour.outcome, colour.blocks) == (UNDECIDED, True)
    assert "no column colour" in colour.said


def test_many_equal_classes_are_not_refused_by_their_number(evidence, promotion):
    """Of 200 classes that each lose exactly the bound, one in twenty files or fewer is refused."""
    random = np.random.default_rng(0)
    whole = evidence(rows=20_000, classes=200)
    refused = 0
    for _ in range(50):
        said = np.where(random.random(20_000) < 0.1, (whole.labels + 1) % 200, whole.labels)
        pair = paired(replace(whole, challenger=replace(whole.challenger, predicted=said)))
        (found,) = group_gates.per_class(promotion().per_class, pair)
        refused += found.outcome is REFUSED
    assert refused <= 5


@pytest.fixture
def forgetful(evidence):
    """A challenger that lost rows of the first of two data versions and gained as many in the second."""

    def make(rows, lost):
        whole = evidence(rows=rows)
        said, versions = whole.labels.copy(), np.repeat([1, 2], rows // 2)
        said[:lost] = (said[:lost] + 1) % 10
        wrong = whole.labels.copy()
        wrong[-lost or rows :] = (wrong[-lost or rows :] + 1) % 10
        champion = replace(whole.champion, predicted=wrong)
        challenger = replace(whole.challenger, predicted=said)
        return paired(replace(whole, champion=champion, challenger=challenger, versions=versions))

    return make


def test_what_is_forgotten_is_not_made_good_by_what_is_learned(forgetful, promotion):
    (found,) = group_gates.forgetting(promotion().forgetting, forgetful(2000, 100))
    assert (found.gate, found.outcome, found.blocks) == ("forgetting", REFUSED, True)
    assert found.said.startswith("1 of 1 lose more than 3 points: version 1 (-10.0 points")
    low, high = tango_interval(0, 100, 1000)
    (group,) = found.numbers["worst"]
    assert (group["low"], group["high"]) == pytest.approx((100 * float(low), 100 * float(high)), abs=1e-8)


def test_what_is_kept_passes_and_little_data_decide_nothing(forgetful, promotion):
    assert group_gates.forgetting(promotion().forgetting, forgetful(2000, 5))[0].outcome == PASSED
    assert group_gates.forgetting(promotion().forgetting, forgetful(60, 0))[0].outcome == UNDECIDED


def test_a_data_set_of_one_version_has_nothing_to_forget(evidence, promotion):
    gate, whole = promotion().forgetting, evidence(rows=1000)
    assert group_gates.forgetting(gate, paired(whole)) == []
    (unknown,) = group_gates.forgetting(gate, paired(replace(whole, versions=None)))
    assert (unknown.outcome, unknown.blocks) == (UNDECIDED, True)
