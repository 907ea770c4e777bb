"""Which test rows a model has not seen: neither trained, chose nor calibrated on. Only what is proven counts.

A model was made from a data version, with shares and a seed of its own. Where the present data set begins
with that very version, by digest, its rows have the splits that they had then: later ones move nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillery.data.arrays import steps
from distillery.data.canonical import Canonical, digest_data
from distillery.data.form import PADDING, Column, Form, Table, Tokens
from distillery.data.preparation import assign
from distillery.data.rows import Split
from distillery.errors import DataError
from distillery.params.data import DataParams


@dataclass(frozen=True)
class MadeFrom:
    """What a model's record says of its rows: digest, classes, splits, and the shares and seed of these."""

    model: str  # in words
    data_digest: str
    classes: int
    counts: Mapping[str, int]  # rows by split
    params: DataParams


@dataclass(frozen=True, eq=False)
class Unseen:
    """The rows (N,) that are proven not to be seen, or in words why none is."""

    rows: NDArray[np.bool_]
    because: str | None = None


def find_unseen(data: Canonical, made_from: MadeFrom, scratch: Path) -> Unseen:
    """Mark the model's test rows among the data's; scratch files go into a folder."""
    none, model = np.zeros(len(data), np.bool_), made_from.model
    seen = versions_seen(data, made_from.data_digest, made_from.classes)
    known = sum(version.rows for version in data.schema.versions[:seen])
    if not seen:
        why = f"{model} was made from other rows (data digest {made_from.data_digest[:12]})"
        return Unseen(none, f"{why}, and the present data set does not begin with them")
    try:
        codes = assign(data, made_from.params, scratch)
    except DataError as error:
        return Unseen(none, f"by {model}'s own shares, {error.message}: {'; '.join(error.faults)}")
    held_out = (Split.VALIDATION, Split.TEST)  # of the others, not all need be trained on again
    counts = {split.name.lower(): int((codes[:known] == split).sum()) for split in held_out}
    recorded = {name: made_from.counts.get(name) for name in counts}
    if counts != recorded:
        return Unseen(
            none, f"{model} was made from these rows, but in other splits: {recorded}, here {counts}"
        )
    return Unseen(np.asarray(codes == Split.TEST))


def versions_seen(data: Canonical, data_digest: str, classes: int) -> int:
    """How many versions the data set had when it had this digest and so many classes; 0: never."""
    for versions in range(len(data.schema.versions), 0, -1):
        if digest_data(first_versions(data, versions, classes)) == data_digest:
            return versions
    return 0


def first_versions(data: Canonical, count: int, classes: int) -> Canonical:
    """The data set as it was when it had `count` versions, and so many classes."""
    if count == len(data.schema.versions) and classes == len(data.schema.classes):
        return data
    versions = data.schema.versions[:count]
    rows = sum(version.rows for version in versions)
    starts = np.cumsum([0, *(len(shard) for shard in data.shards)])
    shards = tuple(s for s, start in zip(data.shards, starts.tolist(), strict=False) if start < rows)
    tested = None if data.tested is None or not data.tested[:rows].any() else data.tested[:rows]
    earlier = replace(data, shards=shards, labels=data.labels[:rows], tested=tested)
    form = _form_then(data.schema.form, earlier)
    told = {"versions": versions, "classes": data.schema.classes[:classes], "form": form}
    return replace(earlier, schema=data.schema.model_copy(update=told))


def _form_then(form: Form, data: Canonical) -> Form:
    """A table's columns with the categories that occur: new ones are appended. So are a vocabulary's ids."""
    if isinstance(form, Tokens):
        highest = max(int(features.max(initial=PADDING)) for features in data.features())
        return form.model_copy(update={"vocabulary": highest + 1})
    if not isinstance(form, Table):
        return form
    extremes = np.array(list(_extremes(data)))  # (parts, 2, columns)
    least, most = extremes[:, 0].min(0), extremes[:, 1].max(0)
    return Table(
        columns=tuple(_column_then(c, *pair) for c, *pair in zip(form.columns, least, most, strict=True))
    )


def _extremes(data: Canonical) -> Iterator[NDArray[np.float32]]:
    """Least and greatest value of every column (2, columns), part by part; NaN where one is missing."""
    for features in data.features():
        for step in steps(len(features), features.itemsize * features.shape[1]):
            yield np.stack([features[step].min(0), features[step].max(0)])


def _column_then(column: Column, least: float, most: float) -> Column:
    if column.categories is None:
        return column.model_copy(update={"missing": math.isnan(least)})
    return column.model_copy(
        update={"categories": column.categories[: int(most) + 1], "missing": bool(least < 0)}
    )
