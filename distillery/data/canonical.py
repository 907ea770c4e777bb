"""The canonical form of a project's data set in `data/`: all its rows, no splits, always the same bytes.

schema.json          what follows, in words and numbers; the versions that brought the rows
features-000.npy ... some rows each, as `distillery.data.form` has them; a version begins a new one
labels.npy           (N,) int64, codes of the classes
tested.npy           (N,) bool, the sources' own test rows, where a source has such
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from distillery.artifacts import canonical_json, read_json
from distillery.data.arrays import mapped, steps
from distillery.data.form import Form, Series, Shape, Table, Tokens
from distillery.data.locate import Origin
from distillery.data.rows import Features, Labels
from distillery.data.statistics import Statistics
from distillery.errors import DataError

FORMAT = 2
SCHEMA, LABELS, TESTED = "schema.json", "labels.npy", "tested.npy"


class Stored(BaseModel):
    """A part of schema.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Shard(Stored):
    """One file of features."""

    file: Annotated[str, Field(pattern=r"^features-[0-9]{3,6}\.npy$")]  # nothing outside the folder
    rows: Annotated[int, Field(ge=0)]


class DataVersion(Stored):
    """What one import or addition brought; `number` counts from 1."""

    number: int
    rows: int
    format: str  # how the source was written: idx, csv, ...
    files: int
    source_digest: str | None  # of the source's files: SHA-256 of their sorted `name sha256` lines
    class_counts: dict[str, int]
    statistics: dict[str, Statistics]  # by numeric column, or by channel
    shift: dict[str, float] | None  # against the version before: PSI by column, and of the classes
    warnings: tuple[str, ...]


class Schema(Stored):
    """schema.json."""

    format: int
    name: str
    source: Origin
    form: Form
    classes: tuple[str, ...]
    data_digest: str
    shards: tuple[Shard, ...]
    versions: tuple[DataVersion, ...]


@dataclass(frozen=True)
class Canonical:
    """A data folder that was read: whatever is as long as the data stays on disk, mapped."""

    folder: Path
    schema: Schema
    shards: tuple[Features, ...]
    labels: Labels
    tested: NDArray[np.bool_] | None

    def __len__(self) -> int:
        """Rows."""
        return len(self.labels)

    def features(self) -> Iterator[Features]:
        """All the rows' features, in order, some at a time."""
        for shard in self.shards:
            for step in steps(len(shard), shard.dtype.itemsize * int(np.prod(shard.shape[1:]))):
                yield np.asarray(shard[step])

    def sample(self, rows: NDArray[np.intp]) -> Features:
        """The features of these rows, ascending."""
        starts = np.cumsum([0, *(len(shard) for shard in self.shards)])
        parts = []
        for shard, start in zip(self.shards, starts.tolist(), strict=False):
            inside = rows[(rows >= start) & (rows < start + len(shard))] - start
            parts.append(np.asarray(shard[inside]))
        return np.concatenate(parts)


def digest_data(data: Canonical) -> str:
    """The data digest: SHA-256 over form, classes, versions' sizes, features, labels and own test rows.

    How the rows are cut into shards plays no part.
    """
    schema = data.schema
    head = {
        "form": schema.form.model_dump(mode="json"),
        "classes": schema.classes,
        "rows": [version.rows for version in schema.versions],
        "tested": data.tested is not None,
    }
    digest = hashlib.sha256(canonical_json(head))
    for features in data.features():
        digest.update(np.ascontiguousarray(features).data)
    for array in (data.labels, data.tested):
        if array is not None:
            for step in steps(len(array), array.dtype.itemsize):
                digest.update(np.ascontiguousarray(array[step]).data)
    return digest.hexdigest()


def read_canonical(folder: Path) -> Canonical:
    """Map what an import wrote. Raises DataError naming the file and what is wrong with it."""
    try:
        plain = read_json(folder / SCHEMA)
        require_format(folder, plain)
        schema = Schema.model_validate(plain)
        data = Canonical(
            folder,
            schema,
            tuple(mapped(folder / shard.file) for shard in schema.shards),
            mapped(folder / LABELS),
            mapped(folder / TESTED) if (folder / TESTED).exists() else None,
        )
    except DataError:
        raise
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in islice(error.errors(), 5))
        raise DataError(f"{folder / SCHEMA} is not legal: {wrong}; restore it") from None
    except Exception as error:  # numpy parses a broken header as Python: it raises nearly anything
        raise DataError(f"{folder} is not a data folder of this project: {error}; restore it") from None
    _require_arrays(data)
    return data


def require_format(folder: Path, plain: Any) -> None:
    """Raises DataError where the schema is of another time."""
    found = plain.get("format") if isinstance(plain, dict) else None
    if found != FORMAT:
        remedy = "remove the folder and run again, or import the data anew"
        raise DataError(f"{folder} is of data format {found}; this version reads format {FORMAT}: {remedy}")


def _require_arrays(data: Canonical) -> None:
    """Every array has the shape and type that the schema says, and every label is one of its classes."""
    schema, faults = data.schema, []
    dtype, row = _row_of(schema.form)
    for shard, array in zip(schema.shards, data.shards, strict=True):
        if array.shape != (shard.rows, *row) or array.dtype != dtype:
            faults.append(f"{shard.file}: {array.dtype} {array.shape}, not {shard.rows} rows of {row}")
    rows = sum(shard.rows for shard in schema.shards)
    if sum(version.rows for version in schema.versions) != rows:
        faults.append(f"{SCHEMA}: its versions and its shards count different rows")
    if data.labels.shape != (rows,) or data.labels.dtype != np.int64:
        faults.append(f"{LABELS}: labels must be int64, one for each of {rows} rows")
    else:
        faults += _wrong_labels(data)
    if data.tested is not None and (data.tested.shape != (rows,) or data.tested.dtype != np.bool_):
        faults.append(f"{TESTED}: must be bool, one for each of {rows} rows")
    if faults:
        raise DataError(f"{data.folder} is damaged: restore it", faults)


def _row_of(form: Form) -> tuple[type[np.generic], tuple[int, ...]]:
    """Type and shape of a row."""
    match form:
        case Shape():
            return np.uint8, (form.height, form.width, form.channels)
        case Table():
            return np.float32, (len(form.columns),)
        case Series():
            return np.float32, (form.length, form.channels)
        case Tokens():
            return np.int32, (form.length,)


def _wrong_labels(data: Canonical) -> list[str]:
    classes = len(data.schema.classes)
    for step in steps(len(data), data.labels.itemsize):
        wrong = np.flatnonzero((data.labels[step] < 0) | (data.labels[step] >= classes))
        if wrong.size:
            row = step.start + int(wrong[0])
            return [f"{LABELS} row {row}: label {data.labels[row]} is out of range 0 to {classes - 1}"]
    return []
