"""Recorded rows and predictions: the same bytes every time, and every harm to a file is found."""

import io

import numpy as np
import pytest

from distillery.artifacts import digest_bytes
from distillery.data.rows import Split
from distillery.inference import open_session, run_rows
from distillery.smoke import ROWS, record_smoke, smoke_test
from distillery.smoke_probe import disagreeing


def logits_of(content, rows):
    held_out = np.flatnonzero((rows.splits == Split.VALIDATION) | (rows.splits == Split.TEST))
    return run_rows(open_session(content), rows, held_out)


@pytest.fixture(scope="module")
def record(rows, files):
    return record_smoke(rows, {family: logits_of(content, rows) for family, content in files.items()})


def test_a_file_that_was_not_touched_gives_the_recorded_predictions(record, files):
    for family, content in files.items():
        found = smoke_test(content, digest_bytes(content), record, family)
        assert (found.rows, found.faults) == (ROWS, ())


def test_equal_predictions_make_equal_bytes_with_rows_from_the_whole_of_the_data(record, rows, files):
    logits = {family: logits_of(content, rows) for family, content in reversed(files.items())}
    assert record_smoke(rows, logits) == record
    with np.load(io.BytesIO(record), allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["feed.input", "logits.mlp", "logits.resnet"]
        assert len(np.unique(arrays["logits.mlp"].argmax(1))) == len(rows.classes)


def test_a_table_with_names_in_it_is_recorded_too(table, table_file):
    record = record_smoke(table, {"student": logits_of(table_file, table)})
    assert smoke_test(table_file, digest_bytes(table_file), record, "student").faults == ()


def test_other_bytes_are_said_with_both_digests(record, files):
    (fault,) = smoke_test(files["mlp"] + b" ", digest_bytes(files["mlp"]), record, "mlp").faults
    assert digest_bytes(files["mlp"]) in fault


def test_a_file_that_is_no_model_is_said_in_a_line(record):
    (fault,) = smoke_test(b"no model", digest_bytes(b"no model"), record, "mlp").faults
    assert fault.startswith("it cannot be loaded and run in a fresh process: ")
    assert "\n" not in fault


def test_a_file_that_predicts_otherwise_is_said_by_row(record, files):
    found = smoke_test(files["mlp"], digest_bytes(files["mlp"]), record, "resnet")
    assert f"of {ROWS} recorded rows are predicted otherwise: rows " in found.faults[0]


def test_without_a_record_the_file_is_only_checked_and_loaded(files):
    assert smoke_test(files["mlp"], digest_bytes(files["mlp"]), None, "mlp").faults == ()


def test_a_recorded_tie_may_fall_either_way_and_nothing_else_may():
    recorded = np.array([[0.0, 1.0, 1.0001], [0.0, 0.5, 1.0], [0.0, 1.0, 2.0]], np.float32)
    now = np.array([[0.0, 1.1, 1.0], [0.0, 1.1, 1.0], [np.nan, 1.0, 2.0]], np.float32)
    assert disagreeing(recorded, now).tolist() == [False, True, True]
