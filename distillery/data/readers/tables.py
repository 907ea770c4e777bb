"""What tables of any format share: which column is the label, and Arrow's batches as chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from distillery.data.chunks import Chunk, ColumnNames, Encoded, Finding
from distillery.data.form import Table
from distillery.data.readers.values import encode, to_numbers
from distillery.errors import DataError

LABELS = ("label", "target", "class", "y")
MOST_CATEGORIES = 1000  # names in one column: more is an id, or free text
MOST_CLASSES = 10_000

Place = Callable[[int], str]


def pick_label(names: Sequence[str], wanted: str | None, where: str) -> str:
    """The column of labels: the wanted one, else the one that is called so. Raises DataError listing all."""
    listed = ", ".join(names)
    if wanted is not None:
        if wanted in names:
            return wanted
        raise DataError(f"{where} has no column {wanted}: --label takes one of {listed}")
    found = [name for name in names if name.lower() in LABELS]
    if len(found) == 1:
        return found[0]
    what = f"more than one column of labels ({', '.join(found)})" if found else "no column of labels"
    raise DataError(
        f"{where} has {what}: say which with --label COLUMN (without it, the one called {', '.join(LABELS)});"
        f" its columns are {listed}"
    )


def plan_columns(
    names: Sequence[str], numeric: Sequence[bool], known: Table | None, where: str
) -> ColumnNames:
    """The columns of features: as found, or those of the data set that rows are added to, in its order.

    Raises DataError with every column that is missing or too many, or where none is left.
    """
    if not names:
        raise DataError(f"{where} has no column besides the label: a table needs features")
    if known is None:
        return ColumnNames(tuple(names), tuple(numeric))
    wanted = [column.name for column in known.columns]
    faults = [f"column {name} is missing" for name in wanted if name not in names]
    faults += [f"column {name} is not in the data set" for name in names if name not in wanted]
    if faults:
        raise DataError(f"{where} has not the columns of the data set", faults)
    return ColumnNames(tuple(wanted), tuple(column.categories is None for column in known.columns))


class Chunks:
    """Makes chunks of one pass over a table, and remembers which names it met: ids would fill the memory."""

    def __init__(self, columns: ColumnNames, label: str) -> None:
        self._columns, self._label = columns, label
        self._classes: set[str] = set()
        self._met: dict[str, set[str]] = {
            name: set() for name, numeric in zip(columns.names, columns.numeric, strict=True) if not numeric
        }
        self._too_many: set[str] = set()

    def chunk(self, batch: pa.RecordBatch, tested: bool, place: Place) -> Chunk:
        """The rows of a batch that has the label and all columns, in any order."""
        findings: list[Finding] = []
        features = tuple(
            _numbers(batch.column(name), name, place, findings)
            if numeric
            else self._categories(batch.column(name), name, findings)
            for name, numeric in zip(self._columns.names, self._columns.numeric, strict=True)
        )
        labels = encode(batch.column(self._label))
        refuse_many_classes(self._classes, labels, f"{place(len(batch) - 1)}: column {self._label}")
        return Chunk(features, labels, tested, place, tuple(findings))

    def _categories(self, values: pa.Array, name: str, findings: list[Finding]) -> Encoded:
        """Codes; of a column with too many names nothing more is read once that is known."""
        if name not in self._too_many:
            encoded = encode(values)
            self._met[name].update(encoded.names)
            if len(self._met[name]) <= MOST_CATEGORIES:
                return encoded
            self._too_many.add(name)
            findings.append(_too_many_categories(name, self._met[name]))
            self._met[name].clear()
        return Encoded(np.full(len(values), -1, np.int32), ())


def refuse_many_classes(classes: set[str], labels: Encoded, what: str) -> None:
    """Note the classes met; DataError where there are too many to be classes, in `what`."""
    classes.update(labels.names)
    if len(classes) > MOST_CLASSES:
        raise DataError(
            f"{what} has more than {MOST_CLASSES:,} different labels so far: it looks like an id or a"
            " measurement, not like a class; name another column with --label"
        )


def _too_many_categories(name: str, met: set[str]) -> Finding:
    examples = ", ".join(repr(value) for value in sorted(met)[:3])
    return Finding(
        "error",
        "categories",
        f"column {name} has more than {MOST_CATEGORIES:,} different names ({examples}...): it looks like an"
        " id or free text; remove the column, or make numbers of it",
    )


def _numbers(values: pa.Array, name: str, place: Place, findings: list[Finding]) -> NDArray[np.float32]:
    """float32 (B,), NaN where there is no value. What is infinite, or no number, is a finding."""
    numbers, wrong = to_numbers(values)
    findings += _not_numbers(wrong, name, place)
    findings += _infinite(numbers, name, place)
    return numbers


def _not_numbers(wrong: dict[int, str], name: str, place: Place) -> Iterator[Finding]:
    for row, text in wrong.items():
        message = f"{place(row)}: column {name} holds numbers, and {text[:40]!r} is none; mend it"
        yield Finding("error", "not_a_number", message)


def _infinite(numbers: NDArray[np.float32], name: str, place: Place) -> Iterator[Finding]:
    for row in np.flatnonzero(np.isinf(numbers)).tolist():
        message = (
            f"{place(row)}: column {name} is infinite, or beyond what 32-bit floats hold; mend or empty it"
        )
        yield Finding("error", "nan_or_inf", message)
