"""Series and token ids in a data folder: form, statistics, names, versions and shift."""

from __future__ import annotations

import numpy as np
import pytest

from distillery.data.canonical import read_canonical
from distillery.data.chunks import describe, kind_of
from distillery.data.form import Series, Tokens, in_words
from distillery.data.importing import Import, Part, write_data
from distillery.data.naming import digest_rows
from distillery.data.readers.recognise import open_source
from distillery.data.rows import read_form
from distillery.data.unseen import first_versions
from distillery.errors import DataError

ORIGIN = {"source": "imported", "path": None}


@pytest.fixture
def folder(tmp_path):
    """Imports an archive's arrays, after a data set or instead of one; returns the data folder read."""
    made = iter(range(100))

    def make(before=None, previous=None, **arrays):
        at = tmp_path / str(next(made))
        at.mkdir()
        np.savez(tmp_path / "rows.npz", **arrays)
        wanted = Import((Part(open_source(tmp_path / "rows.npz")),), "rows", ORIGIN, before, previous)
        write_data(wanted, at).raise_errors("the rows")
        return read_canonical(at)

    return make


def test_series_are_float32_with_a_form_and_statistics_a_channel(folder, waves):
    x, y = waves(30)
    data = folder(series=x.astype(np.float64), labels=y)
    assert data.schema.form == Series(length=16, channels=2)
    assert data.shards[0].dtype == np.float32
    np.testing.assert_array_equal(next(data.features()), x)
    statistics = data.schema.versions[0].statistics
    assert list(statistics) == ["channel 0", "channel 1"]
    assert statistics["channel 1"].mean == pytest.approx(float(x[:, :, 1].mean()), rel=1e-5)
    assert statistics["channel 0"].count == 30 * 16


def test_tokens_are_int32_and_the_vocabulary_is_one_more_than_the_highest_id(folder):
    data = folder(tokens=np.array([[3, 1, 0], [2, 7, 1]], np.uint16), labels=["a", "b"])
    assert data.schema.form == Tokens(length=3, vocabulary=8)
    assert data.shards[0].dtype == np.int32
    statistics = data.schema.versions[0].statistics["token"]
    assert (statistics.count, statistics.low, statistics.high) == (5, 1.0, 7.0)  # padding is none


def test_ids_that_come_later_are_appended_and_what_came_before_is_known_as_it_was(folder):
    first = folder(tokens=[[1, 2], [2, 1]], labels=["a", "b"])
    both = folder(before=first, tokens=[[1, 9], [3, 1]], labels=["a", "b"])
    assert both.schema.form == Tokens(length=2, vocabulary=10)
    assert [version.rows for version in both.schema.versions] == [2, 2]
    assert first_versions(both, 1, 2).schema.form == first.schema.form


def test_fewer_ids_later_leave_the_vocabulary_as_it_is(folder):
    first = folder(tokens=[[1, 5], [2, 1]], labels=["a", "b"])
    assert folder(before=first, tokens=[[1, 1]], labels=["a"]).schema.form == first.schema.form


@pytest.mark.parametrize("other", [{"series": np.zeros((2, 3, 1))}, {"tokens": [[1, 2, 3], [1, 1, 1]]}])
def test_rows_of_another_length_or_kind_are_refused(folder, other):
    first = folder(tokens=[[1, 5], [2, 1]], labels=["a", "b"])
    with pytest.raises(DataError, match="not of one kind") as caught:
        folder(before=first, **other, labels=["a", "b"])
    assert caught.value.faults[0] == "sequences of 2 token ids"


def test_a_row_is_named_by_its_values_where_minus_zero_is_zero():
    series = np.array([[[0.0], [1.0]], [[-0.0], [1.0]], [[0.0], [2.0]]], np.float32)
    one, same, other = digest_rows(series, Series(length=2, channels=1)).tolist()
    assert one == same != other
    ids = np.array([[1, 2], [1, 2], [2, 1]], np.int32)
    one, same, other = digest_rows(ids, Tokens(length=2, vocabulary=9)).tolist()
    assert one == same != other
    grown = digest_rows(ids, Tokens(length=2, vocabulary=99))
    assert grown[0].tolist() == one  # a row keeps its name when the vocabulary grows


def test_a_shift_is_told_by_channel_and_of_tokens_by_length_and_id(folder, waves, sentences):
    x, y = waves(90)
    moved = x.copy()
    moved[:, :, 1] += 50
    shift = folder(previous=folder(series=x, labels=y), series=moved, labels=y).schema.versions[0].shift
    assert shift["channel 1"] > 1
    assert shift["channel 0"] < 0.1
    assert shift["channel 1 spread"] < 0.1
    ids, names = sentences(90)
    shorter = ids.copy()
    shorter[:, 5:] = 0
    shift = folder(previous=folder(tokens=ids, labels=names), tokens=shorter, labels=names)
    shift = shift.schema.versions[0].shift
    assert shift["length"] > 1
    assert shift["token"] < 0.25


def test_a_channel_that_never_varies_is_a_warning(folder):
    x = np.random.default_rng(0).random((4, 5, 2))
    x[:, :, 0] = 3
    data = folder(series=x, labels=["a", "b", "a", "b"])
    assert any("channel 0" in warning for warning in data.schema.versions[0].warnings)


def test_splits_and_forms_come_back_from_disk(sequences):
    series, tokens = sequences["series"], sequences["tokens"]
    assert series.form == Series(length=16, channels=2)
    assert tokens.form == Tokens(length=12, vocabulary=30)
    assert series.features.dtype == np.float32
    assert tokens.features.dtype == np.int32
    assert all(0 < int((series.splits == split).sum()) < 360 for split in range(3))
    assert read_form(tokens.form.model_dump()) == tokens.form


def test_forms_and_kinds_have_words():
    series, tokens = Series(length=5, channels=2), Tokens(length=5, vocabulary=9)
    assert describe(series) == in_words(series) == "series of 5 steps of 2 numbers"
    assert describe(tokens) == in_words(tokens) == "sequences of 5 token ids"
    assert kind_of(tokens) == kind_of(tokens.model_copy(update={"vocabulary": 10}))
