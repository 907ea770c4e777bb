from __future__ import annotations

import io
import json

import numpy as np
import pytest

from distillery import raw_arrays
from distillery.data.form import Series, Tokens
from distillery.errors import DataError
from distillery.export import export
from distillery.models.network import Classifier
from distillery.models.recurrent import Gru
from distillery.prediction import Predicting
from distillery.raw_rows import Piped
from distillery.raw_sequences import open_ids, open_series

SERIES = np.random.default_rng(0).normal(size=(7, 5, 2)).astype(np.float32)
IDS = np.random.default_rng(0).integers(0, 9, (7, 4))
GRU = Gru(family="gru", layers=1, width=4, both_ways=False, embed=3, dropout=0.0)


def as_file(folder, kind, rows):
    file = folder / f"rows.{kind}"
    match kind:
        case "npy":
            np.save(file, rows)
        case "npz":
            np.savez(file, input=rows)
        case "csv":
            file.write_text("\n".join(",".join(map(str, row.ravel().tolist())) for row in rows))
        case "jsonl":
            file.write_text("\n".join(json.dumps(row.tolist()) for row in rows))
    return file


def all_of(opened):
    batches = list(opened.batches)
    names = [name for batch in batches for name in batch.names]
    assert names == [str(number) for number in range(len(names))]
    return np.concatenate([batch.feed["input"] for batch in batches])


@pytest.mark.parametrize("kind", ["npy", "npz", "csv", "jsonl"])
def test_series_and_ids_are_read_from_any_file_some_at_a_time(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(raw_arrays, "CHUNK_BYTES", 8 * 10 * 3)
    series = open_series(as_file(tmp_path, kind, SERIES), (5, 2))
    assert series.total in (7, None)
    found = all_of(series)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, SERIES)
    ids = all_of(open_ids(as_file(tmp_path, kind, IDS), (4,)))
    assert ids.dtype == np.int64
    np.testing.assert_array_equal(ids, IDS)


def test_series_of_one_channel_may_come_without_it(tmp_path):
    found = all_of(open_series(as_file(tmp_path, "npy", SERIES[:, :, 0]), (5, 1)))
    np.testing.assert_array_equal(found, SERIES[:, :, :1])


def test_the_rows_of_an_archive_that_an_import_takes_are_found_by_its_names(tmp_path):
    np.savez(tmp_path / "a.npz", labels=np.zeros(7), tokens=IDS)
    np.testing.assert_array_equal(all_of(open_ids(tmp_path / "a.npz", (4,))), IDS)


def test_what_is_piped_is_read_as_a_file_is():
    lines = "\n".join(json.dumps({"input": row.tolist()}) for row in IDS)
    np.testing.assert_array_equal(all_of(open_ids(Piped(io.BytesIO(lines.encode())), (4,))), IDS)


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e39])
def test_a_step_that_is_no_number_is_named(tmp_path, number):
    rows = SERIES.astype(np.float64)
    rows[3, 2, 1] = number
    with pytest.raises(DataError, match=r"rows.npy row 3 step 2: is no finite number"):
        all_of(open_series(as_file(tmp_path, "npy", rows), (5, 2)))


@pytest.mark.parametrize("number", [0.5, np.nan, 2.0**63, -np.inf])
def test_a_step_that_is_no_id_is_named_with_its_row_in_the_whole_file(tmp_path, monkeypatch, number):
    monkeypatch.setattr(raw_arrays, "CHUNK_BYTES", 8 * 4 * 2)
    rows = IDS.astype(np.float64)
    rows[5, 1] = number
    with pytest.raises(DataError, match=r"rows.npy row 5 step 1: is no whole number of 64 bits"):
        all_of(open_ids(as_file(tmp_path, "npy", rows), (4,)))


def test_unsigned_ids_beyond_64_bits_are_refused_and_not_wrapped(tmp_path):
    rows = np.full((2, 4), 2**63, np.uint64)
    with pytest.raises(DataError, match="row 0 step 0: is no whole number of 64 bits"):
        all_of(open_ids(as_file(tmp_path, "npy", rows), (4,)))


@pytest.mark.parametrize("rows", [SERIES, IDS[:, :3], IDS.astype(str)])
def test_rows_of_another_size_or_kind_are_refused(tmp_path, rows):
    with pytest.raises(DataError, match=r"the model takes int64 \(N, 4\)"):
        open_ids(as_file(tmp_path, "npy", rows), (4,))


def test_ids_as_floats_of_16_bits_are_read_without_a_warning(tmp_path):
    halves = as_file(tmp_path, "npy", IDS.astype(np.float16))
    assert np.array_equal(all_of(open_ids(halves, (4,))), IDS)


def test_other_sources_are_refused_by_what_is_read(tmp_path):
    (tmp_path / "rows.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"\.png is not read here; the model takes sequences: use .*\.npy"):
        open_series(tmp_path / "rows.png", (5, 2))
    with pytest.raises(DataError, match=r"is not a file: name an \.npy"):
        open_series(tmp_path, (5, 2))


@pytest.mark.parametrize(
    ("form", "rows"), [(Series(length=5, channels=2), SERIES), (Tokens(length=4, vocabulary=9), IDS)]
)
def test_a_file_that_takes_sequences_predicts_them(tmp_path, form, rows):
    model = Classifier(GRU.network(form, 3)).eval()
    content = export(model, ("a", "b", "c"))
    predicting = Predicting(content, as_file(tmp_path, "npy", rows))
    assert predicting.total == 7
    (predicted,) = predicting
    assert predicted.shares.shape == (7, 3)
    again = [one.shares for one in Predicting(content, as_file(tmp_path, "csv", rows))]
    np.testing.assert_allclose(np.concatenate(again), predicted.shares, rtol=1e-6)
