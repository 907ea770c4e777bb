"""Prepared rows: memory-mapped features and labels, with stable row ids and the split of every row."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from distillery.artifacts import read_json
from distillery.data.arrays import mapped
from distillery.data.form import Form

# (N, H, W, C) images, (N, columns) of a table, (N, L, C) series, or ids (N, L)
Features = NDArray[np.uint8 | np.float32 | np.int32]
Labels = NDArray[np.int64]  # (N,)
RowIds = NDArray[np.void]  # (N,) of ROW_ID

ROW_ID = np.dtype([("high", "<u8"), ("low", "<u8"), ("occurrence", "<u4")])


FORM: TypeAdapter[Form] = TypeAdapter(Form)  # their fields tell them apart


class Split(IntEnum):
    """Who may read a row: train fits, validation chooses, test only reports and gates; none may, left out."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2
    LEFT_OUT = 3


@dataclass(frozen=True)
class Rows:
    """A prepared data set. `calibration` marks those train rows that int8 ranges are found on."""

    features: Features
    labels: Labels
    row_ids: RowIds
    splits: NDArray[np.uint8]  # (N,) codes of Split
    calibration: NDArray[np.bool_]  # (N,)
    classes: tuple[str, ...]
    form: Form
    data_digest: str
    version_rows: tuple[int, ...]  # how many each data version brought, in the order of the rows

    def where(self, split: Split) -> NDArray[np.intp]:
        """Positions of a split's rows, ascending."""
        return np.flatnonzero(self.splits == split)

    def versions(self, positions: NDArray[np.intp]) -> NDArray[np.int64]:
        """The number of the data version that brought each of these rows, from 1."""
        return np.searchsorted(np.cumsum(self.version_rows), positions, side="right") + 1


def row_names(ids: RowIds) -> list[str]:
    """Row ids as they are written: 32 hex digits of the features, a dash, how often they stood before."""
    return [f"{high:016x}{low:016x}-{occurrence}" for high, low, occurrence in ids.tolist()]


def load_rows(folder: Path) -> Rows:
    """Read what `prepare` wrote; everything as long as the data stays on disk and is mapped."""
    schema = read_json(folder / "schema.json")
    return Rows(
        features=mapped(folder / "features.npy"),
        labels=mapped(folder / "labels.npy"),
        row_ids=mapped(folder / "row_ids.npy"),
        splits=mapped(folder / "splits.npy"),
        calibration=mapped(folder / "calibration.npy"),
        classes=tuple(schema["classes"]),
        form=read_form(schema["form"]),
        data_digest=str(schema["data_digest"]),
        version_rows=tuple(schema["version_rows"]),
    )


def read_form(plain: dict[str, Any]) -> Form:
    """The form of a row, from JSON."""
    return FORM.validate_python(plain)
