from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.readers.values import (
    MISSING,
    are_numbers,
    cells,
    encode,
    is_text,
    parse_numbers,
    to_numbers,
)


def names(values):
    encoded = encode(values)
    return [None if code < 0 else encoded.names[code] for code in encoded.codes.tolist()]


TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]


@pytest.mark.parametrize("kind", TEXTS)
def test_text_of_any_kind_is_text_and_is_named_alike(kind):
    values = pa.array(["b", None, "a", "", "b"], pa.string()).cast(kind)
    assert is_text(values.type)
    assert names(values) == ["b", None, "a", None, "b"]
    assert set(encode(values).names) == {"a", "b"}


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()])
def test_a_whole_number_has_one_name_whatever_its_type(kind):
    values = pa.array([0, 1, 2, None, 1]).cast(kind)
    assert not is_text(values.type)
    assert names(values) == ["0", "1", "2", None, "1"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([None, None]), [None, None]),
        (pa.array([], pa.string()), []),
        (pa.array([1.5, math.nan, -0.0]), ["1.5", None, "0"]),
        (pa.array([1e300, 2.0**70]), ["1e+300", "1.1805916207174113e+21"]),
        (pa.array([Decimal("1.00"), Decimal("1.50"), None]), ["1", "1.50", None]),
        (pa.array([2**63 - 1, -(2**63)]), ["9223372036854775807", "-9223372036854775808"]),
        (pa.array([7, 9, 7]).dictionary_encode(), ["7", "9", "7"]),
        (pa.DictionaryArray.from_arrays([0, 2, None], ["a", "b", "a"]), ["a", "a", None]),
    ],
)  # fmt: skip
def test_values_are_named_by_what_they_are(values, expected):
    assert names(values) == expected


def test_only_names_that_some_row_has_are_listed():
    assert encode(pa.DictionaryArray.from_arrays([1, None], ["never", "once"])).names == ("once",)


@pytest.mark.parametrize("cell", [*MISSING, "  ", " NA ", "\tnull"])
def test_a_cell_that_says_nothing_is_null(cell):
    assert cells(pa.array([cell, " a b "])).to_pylist() == [None, "a b"]


@pytest.mark.parametrize("cell", ["na", "None", "-", "?", "0", "N/A"])
def test_any_other_cell_says_something(cell):
    assert cells(pa.array([cell])).to_pylist() == [cell]


NUMBERS = {
    "1.": 1, ".5": 0.5, "+2E-1": 0.2, " 3 ": 3, "-0": 0, "007": 7, "1e-400": 0, "1e400": math.inf,
    "-inf": -math.inf, "+Infinity": math.inf, "3.5e38": math.inf,
}  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_is_read_alone_and_beside_words(text):
    assert to_numbers(pa.array([text]))[0].tolist() == [np.float32(NUMBERS[text])]
    numbers, wrong = to_numbers(pa.array(["dog", text, None, ""]))
    assert numbers[1] == np.float32(NUMBERS[text])
    assert np.isnan(numbers[[0, 2, 3]]).all()
    assert wrong == {0: "dog"}


@pytest.mark.parametrize(
    "text", ["0x10", "1_000", "1,5", "1 2", "--1", "e5", "1e", "١", "½", "nano", "true", "-", "."]
)
def test_what_is_no_number_is_told_by_its_row(text):
    assert not are_numbers(pa.array(["1", text]))
    assert to_numbers(pa.array(["1", text]))[1] == {1: text}


@pytest.mark.parametrize(
    "kind", [*TEXTS, pa.int16(), pa.float16(), pa.decimal128(21, 1), pa.dictionary(pa.int8(), pa.int64())]
)
def test_every_kind_becomes_the_same_numbers(kind):
    plain = pa.array(["1", None, "2"] if is_text(kind) else [1, None, 2])
    wide = plain.dictionary_encode() if pa.types.is_dictionary(kind) else plain.cast(kind)
    numbers, wrong = to_numbers(wide)
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, [1, np.nan, 2])
    assert wrong == {}


def test_booleans_and_nothing_at_all_are_numbers():
    np.testing.assert_array_equal(to_numbers(pa.array([True, None, False]))[0], [1, np.nan, 0])
    assert np.isnan(to_numbers(pa.array([None, None]))[0]).all()


@given(st.lists(st.floats(width=32) | st.none(), min_size=1))
def test_floats_survive_being_written_as_text(floats):
    texts = pa.array([None if x is None else repr(x) for x in floats], pa.string())
    expected = [np.nan if x is None else x for x in floats]
    np.testing.assert_array_equal(to_numbers(texts)[0], np.array(expected, np.float32))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=6))
def test_any_text_is_a_number_or_told_and_nothing_is_raised(texts):
    values, wrong = parse_numbers(pa.array(texts, pa.string()))
    assert len(values) == len(texts)
    for row, text in enumerate(texts):
        assert (row in wrong) == (values[row].as_py() is None and bool(text.strip()))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.none(), max_size=8))
def test_any_text_keeps_its_name(texts):
    assert names(pa.array(texts, pa.string())) == [text or None for text in texts]
