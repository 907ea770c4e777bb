"""Archives of sequences: what is recognised, and what is refused with its place."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from distillery.data.chunks import TokenIds
from distillery.data.form import Column, Series, Shape, Table
from distillery.data.readers.npz_sequences import MOST_TOKENS, sequences
from distillery.data.readers.recognise import open_source
from distillery.errors import DataError

Y = ["a", "b"]
NUMBERS = np.arange(24.0).reshape(2, 4, 3)


@pytest.fixture
def opened(tmp_path):
    """A reader of an archive with these arrays."""

    def make(known=None, resize=None, **named):
        np.savez(tmp_path / "rows.npz", **named)
        return open_source(tmp_path / "rows.npz", known=known, resize=resize)

    return make


@pytest.mark.parametrize(
    ("named", "form"),
    [
        ({"x": NUMBERS}, Series(length=4, channels=3)),
        ({"features": NUMBERS.astype(np.float16)}, Series(length=4, channels=3)),
        ({"series": NUMBERS.astype(np.int64)}, Series(length=4, channels=3)),
        ({"series": NUMBERS.astype(np.uint8)}, Series(length=4, channels=3)),
        ({"series": NUMBERS[:, :, 0]}, Series(length=4, channels=1)),
        ({"tokens": NUMBERS[:, :, 0].astype(np.int64)}, TokenIds(4)),
        ({"x": NUMBERS.astype(np.uint8)}, Shape(height=4, width=3, channels=1)),
    ],
)
def test_the_name_and_the_type_of_an_array_say_what_it_holds(opened, named, form):
    assert opened(**named, labels=Y).form == form


def test_whole_numbers_in_two_dimensions_are_a_table_unless_they_are_called_tokens(opened):
    reader = opened(x=NUMBERS[:, :, 0].astype(np.int64), labels=Y)
    assert reader.form.names == ("f0", "f1", "f2", "f3")


def test_parts_of_an_archive_are_train_and_test_rows(opened):
    reader = opened(series_train=NUMBERS, y_train=Y, series_test=NUMBERS[:1], y_test=Y[:1])
    chunks = list(reader.chunks())
    assert [(len(chunk.features), chunk.tested) for chunk in chunks] == [(2, False), (1, True)]
    np.testing.assert_array_equal(chunks[0].features, NUMBERS.astype(np.float32))


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"images": NUMBERS}, "images must be uint8, 0 to 255; sequences are called series or tokens"),
        ({"tokens": NUMBERS}, r"is float64 \(2, 4, 3\): tokens must be whole numbers \(N, L\)"),
        ({"tokens": NUMBERS[:, :, 0]}, "tokens must be whole numbers"),
        ({"series": NUMBERS[..., None]}, r"series must be numbers \(N, L\) or \(N, L, C\)"),
        ({"series": np.array([["a"], ["b"]])}, "series must be numbers"),
        ({"series": np.zeros((2, 0, 3))}, "its rows are empty"),
    ],
)
def test_what_cannot_be_a_sequence_is_refused_with_what_can(opened, named, said):
    with pytest.raises(DataError) as caught:
        opened(**named, labels=Y)
    assert any(re.search(said, fault) for fault in caught.value.faults)


def test_numbers_that_are_not_finite_are_errors_with_their_row_and_step(opened):
    x = NUMBERS.copy()
    x[1, 2, 0], x[0, 3, 1] = np.nan, 1e300
    (chunk,) = opened(series=x, labels=Y).chunks()
    assert [finding.code for finding in chunk.findings] == ["nan_or_inf"] * 2
    assert "row 0: step 3 is no finite number" in chunk.findings[0].message
    assert "row 1: step 2" in chunk.findings[1].message


@pytest.mark.parametrize("wrong", [-1, MOST_TOKENS, 2**62])
def test_numbers_that_are_no_ids_are_errors_with_their_row_and_step(opened, wrong):
    (chunk,) = opened(tokens=np.array([[1, 2], [3, wrong]]), labels=Y).chunks()
    (finding,) = chunk.findings
    assert (finding.severity, finding.code) == ("error", "no_token")
    assert f"row 1: step 1 is {wrong}" in finding.message


def test_a_float_array_that_may_have_been_images_is_told_to_be_taken_for_series(opened):
    (chunk,) = opened(x=NUMBERS, labels=Y).chunks()
    assert "series of 4 steps of 3 numbers" in chunk.findings[0].message
    (chunk,) = opened(series=NUMBERS, labels=Y).chunks()
    assert not chunk.findings


def test_sequences_are_not_resized_and_do_not_join_a_table(opened):
    with pytest.raises(DataError, match="is of sequences, so --resize says nothing"):
        opened(series=NUMBERS, labels=Y, resize=(3, 3))
    known = Table(columns=(Column(name="f0", categories=None, missing=False),))
    with pytest.raises(DataError, match="series of 4 steps of 3 numbers, and the data set is a table"):
        opened(series=NUMBERS, labels=Y, known=known)


@given(
    st.sampled_from([np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64]).flatmap(
        lambda kind: arrays.arrays(kind, st.tuples(st.integers(1, 5), st.integers(1, 6)))
    )
)
def test_ids_of_any_integer_type_are_kept_or_told(block):
    ids, findings = sequences(TokenIds(block.shape[1]), block, str)
    inside = np.array([[0 <= int(value) < MOST_TOKENS for value in row] for row in block.tolist()])
    np.testing.assert_array_equal(ids[inside], block[inside])
    assert not ids[~inside].any()
    assert len(findings) == int((~inside).any(axis=1).sum())
