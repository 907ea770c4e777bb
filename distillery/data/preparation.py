"""From a data folder to prepared rows: named, split, and marked for calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillery.artifacts import write_json
from distillery.data.arrays import ArrayWriter, steps
from distillery.data.canonical import Canonical, digest_data
from distillery.data.naming import Groups, digest_all, group_rows, name_rows
from distillery.data.rows import ROW_ID, Split
from distillery.data.splits import Versions, assign_splits, choose_calibration, replay_earlier, require_all
from distillery.params.data import DataParams


def prepare(data: Canonical, params: DataParams, into: Path) -> None:
    """Write every row with its name and its split into an empty folder, as `load_rows` reads them.

    Raises DataError where a class has too few rows to be in every split, or train too few to calibrate on.
    """
    schema = data.schema
    groups = group_rows(digest_all(data, into), into)
    codes = replay_earlier(groups, _codes(data, params, groups, into), _versions(data), params)
    require_all(codes, data.labels, schema.classes, own_test=data.tested is not None)
    calibration = choose_calibration(groups, codes, params.calibration, params.split_seed)
    copy_features(data, into / "features.npy")
    np.save(into / "labels.npy", data.labels, allow_pickle=False)
    with ArrayWriter(into / "row_ids.npy", ROW_ID) as row_ids:
        for step in steps(len(data), ROW_ID.itemsize):
            row_ids.append(name_rows(groups, step))
    np.save(into / "splits.npy", codes, allow_pickle=False)
    np.save(into / "calibration.npy", calibration, allow_pickle=False)
    counts = {split.name.lower(): int((codes == split).sum()) for split in Split}
    write_json(
        into / "schema.json",
        {
            "classes": list(schema.classes),
            "counts": counts | {"calibration": int(calibration.sum())},
            "data_digest": digest_data(data),  # of the bytes that were read, whatever the schema says
            "form": schema.form.model_dump(mode="json"),
            "version_rows": [version.rows for version in schema.versions],
            "warnings": list(schema.versions[-1].warnings),
        },
    )


def check_splits(data: Canonical, params: DataParams, scratch: Path) -> None:
    """Raises where a class has too few rows to be in every split; only scratch files are written."""
    assign(data, params, scratch)


def assign(data: Canonical, params: DataParams, scratch: Path) -> NDArray[np.uint8]:
    """The split that every row (N,) has for ever, as codes; raises as `check_splits` does."""
    return _codes(data, params, group_rows(digest_all(data, scratch), scratch), scratch)


def _codes(data: Canonical, params: DataParams, groups: Groups, scratch: Path) -> NDArray[np.uint8]:
    return assign_splits(groups, data.labels, data.schema.classes, _versions(data), params, scratch)


def _versions(data: Canonical) -> Versions:
    return Versions(tuple(version.rows for version in data.schema.versions), data.tested)


def copy_features(data: Canonical, file: Path) -> None:
    """All shards as one array."""
    first = data.shards[0]
    with ArrayWriter(file, first.dtype, first.shape[1:]) as features:
        for some in data.features():
            features.append(some)
