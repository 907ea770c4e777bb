"""From prepared rows to what a file takes: as they are, but for a table's numbers and categories, apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery.data.form import Form, Series, Shape, Table, Tokens
from distillery.tensors import CATEGORIES, INPUT

Feed = dict[str, NDArray[Any]]  # tensor name -> its value for B rows


def feeder(form: Form) -> Callable[[NDArray[Any]], Feed]:
    """Makes the feed of features (B, ...). A missing number is NaN in it, a missing category ''."""
    match form:
        case Shape() | Series():
            return _as_they_are
        case Tokens():
            return _ids
        case Table():
            return _TableFeeder(form)


def column_names(table: Table) -> dict[str, list[str]]:
    """By tensor, the columns that a table's file takes, in order; a tensor without columns is not there."""
    names: dict[str, list[str]] = {INPUT: [], CATEGORIES: []}
    for column in table.columns:
        names[INPUT if column.categories is None else CATEGORIES].append(column.name)
    return {tensor: columns for tensor, columns in names.items() if columns}


def _as_they_are(features: NDArray[Any]) -> Feed:
    return {INPUT: np.ascontiguousarray(features)}


def _ids(features: NDArray[Any]) -> Feed:
    return {INPUT: np.ascontiguousarray(features, np.int64)}


class _TableFeeder:
    def __init__(self, table: Table) -> None:
        self.numeric = [at for at, column in enumerate(table.columns) if column.categories is None]
        self.names = {  # code -1 is the last
            at: np.array([*column.categories, ""], dtype=object)
            for at, column in enumerate(table.columns)
            if column.categories is not None
        }

    def __call__(self, features: NDArray[Any]) -> Feed:
        feed: Feed = {}
        if self.numeric:
            feed[INPUT] = np.ascontiguousarray(features[:, self.numeric], np.float32)
        if self.names:
            codes = features[:, list(self.names)].astype(np.int64)
            columns = [names[codes[:, i]] for i, names in enumerate(self.names.values())]
            feed[CATEGORIES] = np.stack(columns, axis=1)
        return feed
