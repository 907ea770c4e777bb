"""Two files side by side: predictions by the data's classes, rounds in turn, memory of fresh processes."""

import dataclasses

import numpy as np
import pytest

from distillery.data.form import Shape
from distillery.data.rows import Split
from distillery.errors import DistilleryError
from distillery.evidence import NO_CLASS
from distillery.feeding import feeder
from distillery.inference import open_session, run_rows
from distillery.pairing import footprint, judged, predicted, takes, time_pair


@pytest.fixture(scope="module")
def feed(rows):
    return feeder(rows.form)(rows.features[:16])


def test_classes_are_the_datas_matched_by_name(rows, files):
    positions = rows.where(Split.TEST)
    own = run_rows(open_session(files["resnet"]), rows, positions).argmax(1)
    codes, probability = predicted(files["resnet"], rows, positions)
    assert (codes == own).all()
    assert ((probability > 0.1) & (probability <= 1)).all()
    renamed = dataclasses.replace(rows, classes=(*rows.classes[1:], "another"))
    codes, _ = predicted(files["resnet"], renamed, positions)
    assert (codes == np.where(own == 0, NO_CLASS, own - 1)).all()


def test_a_version_is_judged_with_what_its_file_takes(rows, files, feed):
    found = judged("3", files["mlp"], rows, rows.where(Split.TEST)[:5], feed)
    assert (found.version, found.predicted.shape) == ("3", (5,))
    assert found.footprint.file_bytes == len(files["mlp"])
    assert found.footprint.integer_op_share == 0.0
    assert len(found.footprint.peak_rss_bytes) == 3
    assert min(found.footprint.peak_rss_bytes) > 2**20


def test_both_files_are_timed_in_as_many_rounds(files, feed):
    times = time_pair(files["mlp"], files["resnet"], feed, 30)
    assert times.champion.shape == times.challenger.shape == (30,)
    assert (times.champion > 0).all()
    assert (times.challenger > 0).all()


def test_a_table_is_timed_with_its_names(table, table_file):
    feed = feeder(table.form)(table.features[:4])
    assert len(time_pair(table_file, table_file, feed, 3).champion) == 3
    assert takes(table_file, table) is None


def test_a_file_for_other_rows_is_said(rows, files, table, table_file):
    assert takes(files["mlp"], rows) is None
    larger = dataclasses.replace(rows, form=Shape(height=9, width=8, channels=1))
    assert "[8, 8, 1], and the data's are of [9, 8, 1]" in takes(files["mlp"], larger)
    assert "the data's are of {'input': ['größe'" in takes(files["mlp"], table)
    assert takes(table_file, rows) is not None


def test_a_file_that_cannot_run_is_an_error(feed, files):
    with pytest.raises(DistilleryError, match="measuring the files next to each other failed"):
        time_pair(b"nonsense", files["mlp"], feed, 1)
    assert footprint(files["mlp"], feed).file_bytes == len(files["mlp"])
