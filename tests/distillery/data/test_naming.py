from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.form import Column, Shape, Table
from distillery.data.naming import digest_rows, group_rows, name_rows, seeded_order
from distillery.data.rows import row_names

SHAPE = Shape(height=1, width=1, channels=1)


def table(*categories):
    return Table(
        columns=(
            Column(name="size", categories=None, missing=True),
            Column(name="colour", categories=categories, missing=True),
        )
    )


def named(digests):
    groups = group_rows(digests, Path(gettempdir()))
    return row_names(name_rows(groups, slice(0, len(digests))))


def test_a_row_id_is_the_digest_of_its_bytes_and_an_occurrence_number():
    features = np.array([1, 2, 1], np.uint8).reshape(3, 1, 1, 1)
    one, two = (hashlib.sha256(bytes([i])).hexdigest()[:32] for i in (1, 2))
    assert named(digest_rows(features, SHAPE)) == [f"{one}-0", f"{two}-0", f"{one}-1"]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_row_ids_are_unique_and_count_equal_rows_from_zero(values):
    features = np.array(values, np.uint8).reshape(-1, 1, 1, 1)
    names = named(digest_rows(features, SHAPE))
    assert len(set(names)) == len(values)
    for value in set(values):
        mine = [name for name, of in zip(names, values, strict=True) if of == value]
        assert [name.split("-")[1] for name in mine] == [str(i) for i in range(len(mine))]
        assert len({name.split("-")[0] for name in mine}) == 1


def test_a_category_counts_by_its_name_not_by_its_code():
    here = digest_rows(np.array([[1.5, 0], [1.5, 1], [1.5, -1]], np.float32), table("red", "blue"))
    there = digest_rows(np.array([[1.5, 2], [1.5, 0], [1.5, -1]], np.float32), table("blue", "green", "red"))
    np.testing.assert_array_equal(here, there)
    assert len(np.unique(here, axis=0)) == 3


def test_zero_has_one_sign_and_nan_one_spelling():
    odd = np.array([0x7FC00001, 0x7FC00000], np.uint32).view(np.float32)
    rows = np.stack([np.array([0.0, -0.0, *odd], np.float32), np.zeros(4, np.float32)], axis=1)
    digests = digest_rows(rows, table("red"))
    assert (digests[0] == digests[1]).all()
    assert (digests[2] == digests[3]).all()
    assert (digests[0] != digests[2]).any()


def test_the_order_is_that_of_a_hash_of_seed_and_digest():
    digests = digest_rows(np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1), SHAPE)
    hexed = [f"{high:016x}{low:016x}" for high, low in digests.tolist()]
    expected = [int(hashlib.sha256(f"7:{name}".encode()).hexdigest()[:16], 16) for name in hexed]
    assert seeded_order(digests, 7).tolist() == expected


@given(st.lists(st.integers(0, 40), min_size=1, max_size=80), st.integers(1, 9))
def test_grouping_a_part_at_a_time_is_grouping_at_once(values, rows_at_once):
    digests = digest_rows(np.array(values, np.uint8).reshape(-1, 1, 1, 1), SHAPE)
    whole = group_rows(digests, Path(gettempdir()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("distillery.data.naming.ROWS_AT_ONCE", rows_at_once)
        parts = group_rows(digests, Path(gettempdir()))
    np.testing.assert_array_equal(parts.leader, whole.leader)
    np.testing.assert_array_equal(parts.occurrence, whole.occurrence)
    assert whole.leader.tolist() == [values.index(value) for value in values]
