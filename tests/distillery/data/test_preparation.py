from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from distillery.data.canonical import read_canonical
from distillery.data.importing import materialise
from distillery.data.naming import digest_rows, group_rows, name_rows
from distillery.data.preparation import prepare
from distillery.data.rows import Split, load_rows
from distillery.data.sources import MemoryReader, read_digits
from distillery.errors import DataError


@pytest.fixture(scope="module")
def digits():
    (chunk,) = read_digits().chunks()
    return chunk


def test_prepared_rows_have_ids_splits_and_a_digest(prepared, digits, shipped, tmp_path):
    rows = prepared(read_digits())
    np.testing.assert_array_equal(rows.features, digits.features)
    np.testing.assert_array_equal(rows.labels, digits.labels.codes)
    assert rows.classes == tuple("0123456789")
    digests = digest_rows(digits.features, rows.form)
    groups = group_rows(digests, tmp_path)
    np.testing.assert_array_equal(rows.row_ids, name_rows(groups, slice(0, 1797)))
    counts = [len(rows.where(split)) for split in Split]
    assert sum(counts) == 1797
    assert counts[1:] == pytest.approx([0.15 * 1797, 0.2 * 1797, 0], abs=5)
    assert rows.calibration.sum() == shipped.data.calibration
    assert (rows.splits[rows.calibration] == Split.TRAIN).all()


def test_changing_one_label_changes_no_row_id_but_the_data_digest(prepared, digits):
    codes = digits.labels.codes.copy()
    codes[7] = (codes[7] + 1) % 10
    changed = MemoryReader("digits", digits.features, dataclasses.replace(digits.labels, codes=codes))
    before, after = prepared(read_digits()), prepared(changed)
    np.testing.assert_array_equal(before.row_ids, after.row_ids)
    assert before.data_digest != after.data_digest


def test_the_digest_is_of_the_bytes_that_were_read(tmp_path, shipped):
    folder, into = tmp_path / "data", tmp_path / "into"
    folder.mkdir()
    into.mkdir()
    materialise(read_digits(), {"source": "digits", "path": None}, folder)
    features = np.load(folder / "features-000.npy")
    features[0, 0, 0] += 1
    np.save(folder / "features-000.npy", features)
    data = read_canonical(folder)
    prepare(data, shipped.data, into)
    assert load_rows(into).data_digest != data.schema.data_digest


def test_preparing_twice_gives_the_same_bytes(prepared):
    folders = [prepared(read_digits()).features.filename for _ in range(2)]
    one, two = (sorted(Path(name).parent.iterdir()) for name in folders)
    assert [p.name for p in one] == [p.name for p in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


def test_rows_that_cannot_be_split_are_refused(prepared, digits):
    few = dataclasses.replace(digits.labels, codes=digits.labels.codes[:12])
    with pytest.raises(DataError, match="cannot be split"):
        prepared(MemoryReader("digits", digits.features[:12], few), calibration=1)
