from __future__ import annotations

import numpy as np

from distillery.data.form import Column, Shape, Table
from distillery.feeding import column_names, feeder

MIXED = Table(
    columns=(
        Column(name="colour", categories=("red", "blue"), missing=True),
        Column(name="size", categories=None, missing=True),
        Column(name="kind", categories=(), missing=True),
        Column(name="age", categories=None, missing=False),
    )
)


def test_images_are_fed_as_they_are():
    images = np.arange(12, dtype=np.uint8).reshape(2, 2, 3, 1)
    feed = feeder(Shape(height=2, width=3, channels=1))(images[::-1])
    assert list(feed) == ["input"]
    np.testing.assert_array_equal(feed["input"], images[::-1])
    assert feed["input"].flags.c_contiguous


def test_a_tables_numbers_and_names_are_fed_apart_in_the_order_of_the_columns():
    rows = np.array([[1, 2.5, -1, 40], [-1, np.nan, -1, 7], [0, 0, -1, 0]], np.float32)
    feed = feeder(MIXED)(rows)
    np.testing.assert_array_equal(feed["input"], np.array([[2.5, 40], [np.nan, 7], [0, 0]], np.float32))
    assert feed["input"].dtype == np.float32
    assert feed["categories"].tolist() == [["blue", ""], ["", ""], ["red", ""]]
    assert feed["categories"].dtype == object
    assert column_names(MIXED) == {"input": ["size", "age"], "categories": ["colour", "kind"]}


def test_a_kind_without_columns_is_left_out():
    for kept, name in (((0, 2), "categories"), ((1, 3), "input")):
        table = Table(columns=tuple(MIXED.columns[i] for i in kept))
        assert list(feeder(table)(np.zeros((3, 2), np.float32) - 1)) == [name] == list(column_names(table))


def test_no_rows_make_an_empty_feed_of_the_same_shape():
    feed = feeder(MIXED)(np.zeros((0, 4), np.float32))
    assert {name: array.shape for name, array in feed.items()} == {"input": (0, 2), "categories": (0, 2)}
