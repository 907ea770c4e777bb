from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.report.comparison import (
    class_recalls,
    confusion,
    flips,
    paired_change,
    pareto_front,
    reliability,
    stages,
)
from distillery.report.facts import Answers

LABELS = st.lists(
    st.tuples(*[st.integers(0, 3)] * 3, st.floats(0.25, 1.0, width=32)), min_size=1, max_size=60
)


def pair(rows):
    labels, first, second, sure = (np.array(column) for column in zip(*rows, strict=True))
    sure = sure.astype(np.float32)
    return tuple(Answers(np.arange(len(rows)), labels, predicted, sure) for predicted in (first, second))


@given(LABELS)
def test_the_change_is_that_of_the_accuracies_and_lies_in_its_interval(rows):
    first, second = pair(rows)
    change = paired_change(first, second)
    assert change.points == pytest.approx(100 * (second.right.mean() - first.right.mean()))
    assert change.low <= change.points * len(rows) / (len(rows) + 2) <= change.high
    assert -100 <= change.low <= change.high <= 100


@given(LABELS)
def test_the_way_back_is_the_change_turned_round(rows):
    first, second = pair(rows)
    there, back = paired_change(first, second), paired_change(second, first)
    assert (there.gained, there.lost) == (back.lost, back.gained)
    assert there.low == pytest.approx(-back.high)


def test_the_interval_is_agresti_and_mins():
    """Their n = 4: counts (0.5 added) 1.5, 2.5 of n + 2: d = -1/6, se = sqrt(4 - 1/6)/6."""
    labels = np.zeros(4, np.int64)
    first = Answers(np.arange(4), labels, np.array([0, 0, 1, 0]), np.ones(4, np.float32))
    second = Answers(np.arange(4), labels, np.array([1, 1, 0, 0]), np.ones(4, np.float32))
    change = paired_change(first, second)
    half = 1.959963984540054 * (4 - 1 / 6) ** 0.5 / 6
    assert (change.low, change.high) == pytest.approx((100 * (-1 / 6 - half), 100 * (-1 / 6 + half)))


@given(LABELS)
def test_flips_are_the_rows_that_differ_each_once(rows):
    first, second = pair(rows)
    found = flips(first, second)
    every = np.concatenate([found.lost, found.gained, found.neither])
    assert sorted(every.tolist()) == np.flatnonzero(first.predicted != second.predicted).tolist()
    assert len(found) == len(every)
    change = paired_change(first, second)
    assert (len(found.lost), len(found.gained)) == (change.lost, change.gained)


def test_the_surest_flips_come_first(tested):
    first, second = tested([0, 1, 2, 3], 0), tested([0, 1, 2, 3], 4)
    assert flips(first, second).lost.tolist() == [3, 2, 1, 0]


@given(LABELS)
def test_a_confusion_counts_every_row_in_its_place(rows):
    first, _ = pair(rows)
    counts = confusion(first, 4)
    assert counts.sum() == len(rows)
    assert np.trace(counts) == first.right.sum()
    assert counts[rows[0][0], rows[0][1]] > 0


def test_recalls_leave_out_classes_without_test_rows(tested):
    before, after = tested([0, 0, 2], 0, classes=3), tested([0, 0, 2], 1, classes=3)
    found = class_recalls(before, after, ("a", "b", "c"))
    assert [(r.name, r.rows, r.before, r.after) for r in found] == [("a", 2, 2, 1), ("c", 1, 1, 1)]


@given(LABELS)
def test_reliability_bins_hold_every_row_and_the_error_is_a_share(rows):
    first, _ = pair(rows)
    found = reliability(first)
    assert sum(b.rows for b in found.bins) == len(rows)
    assert all(b.low <= b.accuracy <= b.high for b in found.bins)
    assert 0 <= found.error <= 1


def test_a_file_that_is_right_as_often_as_it_says_has_no_error():
    labels, predicted = np.zeros(4, np.int64), np.array([0, 0, 0, 1])
    assert reliability(Answers(np.arange(4), labels, predicted, np.full(4, 0.75, np.float32))).error == 0


def test_the_front_leaves_out_what_is_bigger_and_no_better(variant):
    small, same, big, worse = (
        variant("small", file_bytes=1, accuracy=0.9), variant("same", file_bytes=2, accuracy=0.9),
        variant("big", file_bytes=3, accuracy=0.95), variant("worse", file_bytes=4, accuracy=0.94),
    )  # fmt: skip
    assert pareto_front([worse, big, same, small], "file_bytes") == [small, big]


def test_the_steps_lead_from_the_teacher_to_the_subject(facts):
    found = stages(facts)
    what = ["smaller network", "distillation", "quantization (int8-dynamic)"]
    assert [stage.what for stage in found] == what
    assert all(before.after == after.before for before, after in pairwise(found))
    assert (found[0].before, found[-1].after) == (facts.teacher, facts.subject)


def test_a_pruned_subject_has_pruning_on_its_way(facts_of, rows, variant, facts):
    names = ("student-pruned-fp32", "student-pruned-int8-static")
    extra = dict.fromkeys(names, facts.tested["student-fp32"])
    variants = (*facts.variants, *(variant(name) for name in extra))
    for chosen, last in ((names[1], ["pruning", "quantization (int8-static)"]), (names[0], ["pruning"])):
        pruned = facts_of(rows, variants=variants, tested={**facts.tested, **extra}, chosen=chosen)
        assert [stage.what for stage in stages(pruned)] == ["smaller network", "distillation", *last]
