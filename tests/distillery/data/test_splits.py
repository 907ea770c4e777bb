from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.naming import group_rows
from distillery.data.rows import Split
from distillery.data.splits import Versions, assign_splits, choose_calibration, replay_earlier
from distillery.errors import DataError
from distillery.params.data import DataParams

CLASSES = ("zero", "one", "two")


def data(**changes):
    block = {
        "source": "digits",
        "path": None,
        "validation": 0.2,
        "test": 0.3,
        "calibration": 5,
        "split_seed": 0,
        "replay": 1.0,
    }
    return DataParams.model_validate(block | changes)


def digests_of(names):
    return [hashlib.sha256(str(name).encode()).hexdigest()[:32] for name in names]


def numbers(digests):
    return np.array([[int(d[:16], 16), int(d[16:], 16)] for d in digests], np.uint64).reshape(-1, 2)


def grouped(digests):
    return group_rows(numbers(digests), Path(gettempdir()))


def split(digests, labels, classes=CLASSES, tested=None, method=None, versions=None):
    rows = Versions(versions or (len(labels),), tested)
    return assign_splits(grouped(digests), labels, classes, rows, method or data(), Path(gettempdir()))


def calibration(digests, splits, count, seed):
    return choose_calibration(grouped(digests), splits, count, seed)


def many(count=300):
    return digests_of(range(count)), np.arange(count) % 3


def by_digest(digests, splits):
    return dict(zip(digests, splits.tolist(), strict=True))


def test_every_class_is_split_by_the_shares():
    digests, labels = many()
    splits = split(digests, labels)
    for code in range(3):
        counts = np.bincount(splits[labels == code], minlength=3)
        assert counts.tolist() == [50, 20, 30]


def test_the_same_rows_are_split_the_same_way_twice_and_another_seed_otherwise():
    digests, labels = many()
    first = split(digests, labels)
    assert (first == split(digests, labels)).all()
    assert (first != split(digests, labels, method=data(split_seed=1))).mean() > 0.3


@given(st.randoms(use_true_random=False))
def test_a_row_keeps_its_split_when_the_rows_come_in_another_order(random):
    digests, labels = many(60)
    before = by_digest(digests, split(digests, labels))
    order = list(range(60))
    random.shuffle(order)
    shuffled = [digests[i] for i in order]
    assert by_digest(shuffled, split(shuffled, labels[order])) == before


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), min_size=60, max_size=120), st.randoms())
def test_equal_rows_share_a_split_whatever_their_labels_and_order(pairs, random):
    pairs += [(100 + i, i % 3) for i in range(60)]  # so that no class runs out of rows

    def split_pairs(pairs):
        digests, labels = digests_of(p[0] for p in pairs), np.array([p[1] for p in pairs])
        return digests, split(digests, labels)

    digests, splits = split_pairs(pairs)
    sharing = by_digest(digests, splits)
    assert all(sharing[d] == s for d, s in zip(digests, splits.tolist(), strict=True))
    random.shuffle(pairs)
    assert by_digest(*split_pairs(pairs)) == sharing


def test_a_sources_own_test_rows_stay_test_and_no_other_row_becomes_one():
    digests, labels = many()
    own = np.zeros(300, bool)
    own[200:] = True
    splits = split(digests, labels, tested=own)
    assert ((splits == Split.TEST) == own).all()
    assert (splits[:200] == Split.VALIDATION).sum() == 3 * round(0.2 * 200 / 3)


def test_every_class_too_small_to_split_is_told_at_once():
    digests, labels = many(62)
    labels = np.where(np.arange(62) < 60, 0, np.arange(62) - 59)  # one row of class 1, one of class 2
    with pytest.raises(DataError) as caught:
        split(digests, labels)
    assert {fault.split(":")[0] for fault in caught.value.faults} == {"class 'one'", "class 'two'"}
    assert "data.validation" in caught.value.message


def test_a_class_without_rows_is_told():
    digests, labels = many(60)
    with pytest.raises(DataError) as caught:
        split(digests, labels, (*CLASSES, "three"))
    assert all("class 'three': none of its 0 rows" in fault for fault in caught.value.faults)


def test_rows_that_are_all_equal_cannot_be_split():
    with pytest.raises(DataError, match="cannot be split"):
        split(digests_of([1] * 50), np.zeros(50, int), ("zero",))


@given(st.integers(1, 40), st.floats(0.01, 0.6), st.floats(0.01, 0.39))
def test_a_class_is_split_into_three_nonempty_parts_or_refused(count, validation, test):
    digests = digests_of(range(count))
    try:
        method = data(validation=validation, test=test)
        splits = split(digests, np.zeros(count, int), ("zero",), method=method)
    except DataError as error:
        assert error.faults
    else:
        assert set(splits.tolist()) == {0, 1, 2}


def test_calibration_rows_are_as_many_train_rows_as_asked_for():
    digests, labels = many()
    splits = split(digests, labels)
    marked = calibration(digests, splits, 17, 0)
    assert marked.sum() == 17
    assert (splits[marked] == Split.TRAIN).all()
    assert (marked == calibration(digests, splits, 17, 0)).all()
    assert (marked != calibration(digests, splits, 17, 1)).any()


def test_calibration_is_a_random_choice_not_the_rows_that_were_split_first():
    """Choosing 75 of 150 by an order of its own: each half of the split's order holds its share."""
    digests, labels = many()
    splits = split(digests, labels)
    train = np.flatnonzero(splits == Split.TRAIN)
    by_split = sorted(train, key=lambda i: hashlib.sha256(f"0:{digests[i]}".encode()).digest())
    marked = calibration(digests, splits, 75, 0)
    assert 20 < marked[by_split[:75]].sum() < 55


def test_more_calibration_rows_than_train_has_are_refused():
    digests, labels = many()
    splits = split(digests, labels)
    with pytest.raises(DataError, match=r"data\.calibration asks for 151 rows, but train has 150"):
        calibration(digests, splits, 151, 0)


def test_a_train_row_that_the_source_also_tests_on_is_left_out():
    digests = [f"{i:032x}" for i in (*range(40), 3, 100, 101)]
    labels = np.array([i % 2 for i in range(40)] + [1, 0, 1])
    own_test = np.array([False] * 40 + [True] * 3)
    data = DataParams(
        source="digits", path=None, validation=0.2, test=0.2, calibration=1, split_seed=0, replay=1.0
    )
    splits = split(digests, labels, ("0", "1"), own_test, data)
    assert splits[3] == Split.LEFT_OUT
    assert (splits == Split.LEFT_OUT).sum() == 1
    assert (splits[40:] == Split.TEST).all()


@given(st.integers(0, 2**31), st.integers(1, 60))
def test_rows_that_come_later_move_no_earlier_row(seed, more):
    random = np.random.default_rng(seed)
    names = [f"{i:032x}" for i in random.permutation(1000)[: 90 + more]]
    labels = np.concatenate([np.arange(90) % 3, random.integers(0, 3, more)])
    after = split(names, labels, versions=(90, more))
    np.testing.assert_array_equal(after[:90], split(names[:90], labels[:90]))


def test_a_row_that_comes_again_follows_the_first():
    names = [f"{i:032x}" for i in range(60)]
    splits = split(names * 2, np.tile(np.arange(60) % 3, 2), versions=(60, 60))
    np.testing.assert_array_equal(splits[60:], splits[:60])


def test_a_later_test_row_that_was_trained_on_is_left_out_and_moves_nothing():
    names, labels = many(90)
    before = split(names, labels)
    tested = np.repeat([False, True], 90)
    after = split(names * 2, np.tile(labels, 2), tested=tested, versions=(90, 90))
    np.testing.assert_array_equal(after[:90], before)
    np.testing.assert_array_equal(after[90:], np.where(before == Split.TEST, Split.TEST, Split.LEFT_OUT))


def test_a_version_that_brings_no_test_rows_draws_its_own():
    names, labels = many(180)
    tested = np.arange(180) < 30
    splits = split(names, labels, tested=tested, versions=(90, 90))
    assert (splits[:90] == Split.TEST).sum() == 30
    assert (splits[90:] == Split.TEST).sum() == 3 * round(0.3 * 30)


def replayed(digests, splits, share, versions):
    return replay_earlier(grouped(digests), splits, Versions(versions, None), data(replay=share))


def test_a_share_of_the_earlier_train_rows_is_trained_on_again_and_nothing_else_moves():
    digests, labels = many(3000)
    versions = (2000, 1000)
    splits = split(digests, labels, versions=versions)
    kept = {share: replayed(digests, splits, share, versions) for share in (0.0, 0.3, 0.6, 1.0)}
    earlier_train = (splits == Split.TRAIN) & (np.arange(3000) < 2000)
    for share, codes in kept.items():
        assert (codes[~earlier_train] == splits[~earlier_train]).all()
        assert (codes[earlier_train] == Split.TRAIN).mean() == pytest.approx(share, abs=0.04)
        assert set(codes[earlier_train]) <= {Split.TRAIN, Split.LEFT_OUT}
    assert (kept[0.6] == Split.TRAIN)[kept[0.3] == Split.TRAIN].all()


def test_a_data_set_of_one_version_has_nothing_to_replay():
    digests, labels = many()
    splits = split(digests, labels)
    assert (replayed(digests, splits, 0.0, (300,)) == splits).all()
