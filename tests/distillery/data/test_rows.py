from __future__ import annotations

import numpy as np

from distillery.data.form import Shape
from distillery.data.rows import Split


def test_all_that_is_as_long_as_the_data_stays_on_disk(rows):
    for array in (rows.features, rows.labels, rows.row_ids, rows.splits, rows.calibration):
        assert isinstance(array, np.memmap)
        assert len(array) == 500
    assert rows.form == Shape(height=8, width=8, channels=1)


def test_the_positions_of_the_splits_cover_every_row_once(rows):
    positions = np.concatenate([rows.where(split) for split in Split])
    assert sorted(positions.tolist()) == list(range(len(rows.labels)))
    assert all((rows.splits[rows.where(split)] == split).all() for split in Split)
