"""Names become codes as they are met, and keep them: what comes later is appended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from distillery.data.chunks import ColumnNames, Encoded
from distillery.data.form import Column, Table


class Names:
    """Names and the codes that they have: 0, 1, 2... in the order in which they were first met."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._codes = {name: code for code, name in enumerate(known)}

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, by code."""
        return tuple(self._codes)

    def codes(self, encoded: Encoded) -> NDArray[np.int32]:
        """The codes (B,) here of names that another counted; -1 stays -1."""
        here = np.full(len(encoded.names) + 1, -1, np.int32)  # the last is that of code -1
        for theirs in np.unique(encoded.codes[encoded.codes >= 0]).tolist():
            here[theirs] = self._codes.setdefault(encoded.names[theirs], len(self._codes))
        return here[encoded.codes]

    def known(self, names: Sequence[str]) -> NDArray[np.int32]:
        """The codes of all these names."""
        return np.array([self._codes.setdefault(name, len(self._codes)) for name in names], np.int32)


class TableEncoder:
    """Columns become a matrix of float32: numbers as they are, categories as codes, -1 without a value."""

    def __init__(self, columns: ColumnNames, known: Table | None) -> None:
        before = {column.name: column for column in known.columns} if known else {}
        self.columns = columns
        self.names = [
            None if numeric else Names(_categories(before.get(name)))
            for name, numeric in zip(columns.names, columns.numeric, strict=True)
        ]
        self.missing = [name in before and before[name].missing for name in columns.names]

    def encode(self, columns: Sequence[NDArray[np.float32] | Encoded]) -> NDArray[np.float32]:
        """The matrix (B, columns)."""
        return np.stack([self._column(at, values) for at, values in enumerate(columns)], axis=1)

    def _column(self, at: int, values: NDArray[np.float32] | Encoded) -> NDArray[np.float32]:
        names = self.names[at]
        match values:
            case Encoded() if names is not None:
                coded = names.codes(values)
                self.missing[at] |= bool((coded < 0).any())
                return coded.astype(np.float32)
            case np.ndarray() if names is None:
                self.missing[at] |= bool(np.isnan(values).any())
                return values
            case _:
                raise TypeError(
                    f"column {self.columns.names[at]} is not of the kind that its reader promised"
                )

    @property
    def form(self) -> Table:
        """The table as far as it was read."""
        described = zip(self.columns.names, self.names, self.missing, strict=True)
        return Table(
            columns=tuple(
                Column(name=name, categories=None if names is None else names.names, missing=missing)
                for name, names, missing in described
            )
        )


def _categories(column: Column | None) -> tuple[str, ...]:
    return column.categories or () if column else ()


def sorted_codes(names: Sequence[str], known: int) -> NDArray[np.int64]:
    """Where each code goes when the names after the first `known` are sorted: whole numbers by value."""
    fresh = list(names[known:])
    whole = all(name.isascii() and name.isdigit() for name in fresh)
    order = sorted(range(len(fresh)), key=lambda at: (int(fresh[at]) if whole else 0, fresh[at]))
    places = np.arange(len(names))
    places[known + np.array(order, np.int64)] = known + np.arange(len(fresh))
    return places
