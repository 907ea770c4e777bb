from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.form import Column, Shape, Table
from distillery.models.encoding import (
    FARTHEST,
    CategoryEncoding,
    NumberEncoding,
    PixelEncoding,
    TableEncoding,
    encoding_of,
)

NAN = float("nan")


def numbers(*missing):
    return Table(
        columns=tuple(Column(name=f"n{i}", categories=None, missing=m) for i, m in enumerate(missing))
    )


def categories(*counts):
    names = (tuple(f"v{code}" for code in range(count)) for count in counts)
    columns = (Column(name=f"c{i}", categories=n, missing=True) for i, n in enumerate(names))
    return Table(columns=tuple(columns))


def encoded(table, rows):
    return encoding_of(table)(torch.tensor(rows)).tolist()


def test_a_number_is_counted_in_deviations_from_the_mean():
    encoding = NumberEncoding(numbers(False, False))
    encoding.normalise_by(torch.tensor([10.0, -4.0]), torch.tensor([2.0, 0.5]))
    assert encoding(torch.tensor([[12.0, -4.0], [7.0, -3.0]])).tolist() == [[1.0, 0.0], [-1.5, 2.0]]


def test_a_missing_number_is_the_mean_and_flagged_just_where_the_column_misses_some():
    encoding = NumberEncoding(numbers(False, True))
    encoding.normalise_by(torch.tensor([10.0, 10.0]), torch.tensor([2.0, 2.0]))
    assert encoding(torch.tensor([[NAN, 12.0], [12.0, NAN]])).tolist() == [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]


def test_a_column_that_does_not_vary_tells_nothing_whatever_it_holds_later():
    encoding = NumberEncoding(numbers(False, False))
    encoding.normalise_by(torch.tensor([5.0, 5.0]), torch.tensor([0.0, 1e-45]))
    later = torch.tensor([[5.0, 5.0], [7.0, 7.0], [NAN, NAN], [float("inf"), 1e38]])
    assert not encoding(later).any()


def test_a_date_keeps_its_digits():
    """In float32 x * scale + shift would lose them: both are about 16,000 here."""
    encoding = NumberEncoding(numbers(False))
    encoding.normalise_by(torch.tensor([1.6e9]), torch.tensor([1e5]))
    day = np.float32(1.6e9 + 5120)  # whole steps of 128 that float32 has there
    assert encoding(torch.tensor([[day]])).item() == pytest.approx(0.0512, abs=1e-7)


@given(st.floats(width=32), st.floats(-(2.0**126), 2.0**126, width=32), st.floats(0, 2.0**126, width=32))
def test_whatever_comes_in_no_feature_is_infinite_or_no_number(value, mean, std):
    encoding = NumberEncoding(numbers(True))
    encoding.normalise_by(torch.tensor([mean]), torch.tensor([std]))
    feature, flag = encoding(torch.tensor([[value]], dtype=torch.float32))[0].tolist()
    assert -FARTHEST <= feature <= FARTHEST
    assert flag == np.isnan(value)


def test_a_code_becomes_a_one_and_no_code_or_a_strange_one_none():
    table = categories(2, 3)
    assert encoded(table, [[1.0, 0.0]]) == [[0, 1, 1, 0, 0]]
    assert encoded(table, [[-1.0, 2.0]]) == [[0, 0, 0, 0, 1]]
    assert encoded(table, [[2.0, -1.0]]) == [[0, 0, 0, 0, 0]]


def test_a_category_that_was_not_seen_is_as_good_as_missing():
    encoding = CategoryEncoding(categories(3))
    encoding.restrict_to(torch.tensor([True, False, True]))
    every = torch.tensor([[-1], [0], [1], [2]])
    assert encoding(every).tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_columns_are_found_where_they_stand():
    mixed = Table(columns=(*categories(2).columns, *numbers(True).columns, *categories(1).columns))
    assert encoded(mixed, [[1.0, 0.5, 0.0], [0.0, NAN, -1.0]]) == [[0.5, 0, 0, 1, 1], [0, 1, 1, 0, 0]]
    assert encoding_of(mixed).size == (5,)


@pytest.mark.parametrize(("table", "kinds"), [(numbers(True), 1), (categories(2), 1)])
def test_a_table_of_one_kind_has_one_encoder(table, kinds):
    encoding = encoding_of(table)
    assert isinstance(encoding, TableEncoding)
    assert len(encoding.encoders) == len(encoding.examples()) == kinds


def test_images_are_encoded_by_channel():
    encoding = encoding_of(Shape(height=1, width=2, channels=2))
    assert isinstance(encoding, PixelEncoding)
    encoding.normalise_by(torch.tensor([10.0, 20.0]), torch.tensor([2.0, 4.0]))
    rows = torch.tensor([[[[10, 24], [12, 20]]]], dtype=torch.uint8)
    assert encoding(rows).tolist() == [[[[0.0, 1.0]], [[1.0, 0.0]]]]


def test_what_was_learned_is_saved_and_where_columns_stand_is_known_anyway():
    names = set(encoding_of(Table(columns=(*numbers(True).columns, *categories(2).columns))).state_dict())
    assert names == {"numbers.mean", "numbers.scale", "categories.codes"}
