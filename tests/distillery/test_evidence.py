from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.errors import DistilleryError
from distillery.evidence import NO_CLASS, PairedTimes, listed_rows, match_classes, paired, right

names = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6, unique=True)


@given(names, names)
def test_classes_are_matched_by_name_whatever_their_order(own, classes):
    matched = match_classes(np.arange(len(own)), own, classes)
    for name, code in zip(own, matched.tolist(), strict=True):
        assert classes[code] == name if code != NO_CLASS else name not in classes


def test_a_model_is_wrong_on_a_class_that_it_lacks_and_on_one_that_the_data_lack(evidence):
    whole = evidence(rows=6, classes=3)
    says = np.array([1, 1, 1, 0, 0, 0])  # of its own classes: "zebra" and "1"
    matched = match_classes(says, ("zebra", "1"), whole.classes)
    assert matched.tolist() == [1, 1, 1, NO_CLASS, NO_CLASS, NO_CLASS]
    judged = replace(whole.challenger, predicted=matched)
    assert right(whole, judged).tolist() == [False, True, False, False, False, False]


def test_gained_and_lost_rows_are_those_that_one_file_alone_has_right(evidence):
    pair = paired(evidence(rows=20, gained=3, lost=2))
    assert np.flatnonzero(pair.lost).tolist() == [0, 1]
    assert np.flatnonzero(pair.gained).tolist() == [2, 3, 4]


def test_without_a_champion_there_is_no_pair(evidence):
    assert paired(evidence(champion=None)) is None


def test_all_parts_that_do_not_fit_are_told_at_once(evidence):
    whole = evidence(rows=5, classes=3)
    with pytest.raises(DistilleryError) as caught:
        replace(
            whole,
            labels=np.array([0, 1, 2, 3, 0]),
            champion=replace(whole.champion, predicted=np.array([0, -2, 0, 0, 0])),
            challenger=replace(whole.challenger, probability=np.ones(4, np.float32)),
            row_ids=np.array(["a", "b", "c", "d", "a"]),
            teacher=np.zeros(6, np.int64),
            slices={"colour": np.array(["red"])},
            times=PairedTimes(np.ones(3), np.array([1.0, 0.0, 1.0])),
        )
    told = "\n".join(caught.value.faults)
    for words in (
        "the labels are not all from 0 to 2",
        "version 1's classes are not all from -1 to 2",
        "version 2's probabilities have the shape (4,), not (5,)",
        "a row id stands twice",
        "the teacher's classes have the shape (6,)",
        "the slice colour have the shape (1,)",
        "times above 0",
    ):
        assert words in told
    assert len(caught.value.faults) == 7


def test_no_rows_are_no_evidence(evidence):
    with pytest.raises(DistilleryError) as caught:
        evidence(rows=0)
    assert "there are no test rows" in caught.value.faults


def test_a_file_of_must_pass_rows_has_an_id_a_line_comments_and_blank_lines():
    assert listed_rows("# ours\n\n a-0  # the seven that looks like a one\nb-1\r\na-0\n") == ("a-0", "b-1")
    assert listed_rows("") == ()
