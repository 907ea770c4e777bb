from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.choice import Candidate, broken_bounds, choose
from distillery.params.budget import BudgetParams

BUDGET = BudgetParams(max_accuracy_drop=1.0, max_bytes=16384, max_p50_ms=1.0)
GOOD = Candidate(accuracy=0.985, teacher_accuracy=0.99, file_bytes=10_000, latency_p50_ms=0.5)


def changed(**fields):
    return Candidate(**(vars(GOOD) | fields))


def test_bounds_that_are_just_met_are_kept():
    edge = Candidate(accuracy=0.98, teacher_accuracy=0.99, file_bytes=16384, latency_p50_ms=1.0)
    assert broken_bounds(edge, BUDGET) == []


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"accuracy": 0.9799}, ["max_accuracy_drop"]),
        ({"file_bytes": 16385}, ["max_bytes"]),
        ({"latency_p50_ms": 1.0001}, ["max_p50_ms"]),
        (
            {"accuracy": 0.5, "file_bytes": 10**6, "latency_p50_ms": 9.0},
            ["max_accuracy_drop", "max_bytes", "max_p50_ms"],
        ),
    ],
)
def test_every_broken_bound_is_named(fields, names):
    assert [text.split(":")[0] for text in broken_bounds(changed(**fields), BUDGET)] == names


def test_a_broken_bound_shows_both_numbers():
    assert broken_bounds(changed(file_bytes=20_000), BUDGET) == ["max_bytes: 20,000 > 16,384"]


def test_a_count_of_rows_is_not_broken_by_rounding():
    """3 of 300 rows are a point, although 100 * (0.99 - 0.98) > 1 in floating point."""
    assert 100 * (297 / 300 - 294 / 300) > 1
    assert broken_bounds(changed(accuracy=294 / 300, teacher_accuracy=297 / 300), BUDGET) == []


def test_the_smallest_that_keeps_the_budget_is_chosen():
    candidates = {
        "large": changed(file_bytes=12_000),
        "small": changed(file_bytes=9_000),
        "broken": changed(accuracy=0.1, file_bytes=10),
    }
    choice = choose(candidates, BUDGET)
    assert choice.chosen == "small"
    assert list(choice.broken) == ["large", "small", "broken"]
    assert choice.broken["small"] == []
    assert choice.broken["broken"]
    assert "9,000" in choice.reason


def test_nothing_is_chosen_when_none_keeps_the_budget():
    choice = choose({"a": changed(file_bytes=10**6), "b": changed(accuracy=0.0)}, BUDGET)
    assert choice.chosen is None
    assert all(choice.broken.values())
    assert "none of 2" in choice.reason


def test_equal_sizes_are_decided_by_accuracy_and_then_by_name():
    assert choose({"a": GOOD, "b": changed(accuracy=0.989)}, BUDGET).chosen == "b"
    assert choose({"b": GOOD, "a": GOOD}, BUDGET).chosen == "a"


def test_the_choice_is_plain_json():
    plain = choose({"a": GOOD}, BUDGET).to_json()
    assert json.loads(json.dumps(plain)) == plain


candidates = st.builds(
    Candidate,
    accuracy=st.floats(0, 1),
    teacher_accuracy=st.floats(0.9, 1),
    file_bytes=st.integers(1, 40_000),
    latency_p50_ms=st.floats(0.001, 2),
)


@given(st.dictionaries(st.sampled_from("abcdef"), candidates, min_size=1))
def test_the_choice_does_not_depend_on_the_order_of_the_candidates(given_candidates):
    backwards = dict(reversed(list(given_candidates.items())))
    assert choose(given_candidates, BUDGET).chosen == choose(backwards, BUDGET).chosen


@given(st.dictionaries(st.sampled_from("abcdef"), candidates, min_size=1))
def test_no_smaller_candidate_keeps_the_budget(given_candidates):
    choice = choose(given_candidates, BUDGET)
    keeping = [c.file_bytes for c in given_candidates.values() if not broken_bounds(c, BUDGET)]
    assert (choice.chosen is None) == (not keeping)
    if choice.chosen:
        assert given_candidates[choice.chosen].file_bytes == min(keeping)


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [(0.98, "1.00 points below"), (0.99, "0.00 points below"), (1.0, "1.00 points above")],
)
def test_the_reason_says_whether_it_is_below_or_above_the_teacher(accuracy, said):
    assert f"{said} the teacher" in choose({"student": changed(accuracy=accuracy)}, BUDGET).reason
