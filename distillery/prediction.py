"""Rows in, classes and probabilities out, from a model file: images, sequences, or a table by its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distillery.errors import DataError
from distillery.feeding import Feed
from distillery.front_end import known_names
from distillery.inference import Session, class_names, column_names, open_session, run_feeds, softmax
from distillery.raw_images import read_images
from distillery.raw_sequences import read_ids, read_series
from distillery.raw_tables import read_table
from distillery.tensors import CATEGORIES, INPUT


@dataclass(frozen=True)
class Prediction:
    """One row's class and its probability; `row` names the row: a number, or an image's file."""

    row: str
    label: str
    probability: float


@dataclass(frozen=True)
class UnknownName:
    """A category that the model has never seen, in so many rows: there it is taken for a missing one."""

    column: str
    name: str
    rows: int


@dataclass(frozen=True)
class Predictions:
    """Every row of a file, and what of it the model knows nothing of: the commonest first."""

    rows: list[Prediction]
    unknown: list[UnknownName]


def predict_file(model: bytes, source: Path) -> Predictions:
    """Classify every row of a file (or folder of images).

    Raises DataError naming the file, the row and what the model takes instead.
    """
    session = open_session(model)
    names, feed = _read(session, source)
    if not names:
        raise DataError(f"{source} has no rows")
    probabilities = softmax(run_feeds(session, [feed]))
    classes, best = class_names(session), probabilities.argmax(1)
    rows = [
        Prediction(name, classes[code], float(probabilities[i, code]))
        for i, (name, code) in enumerate(zip(names, best.tolist(), strict=True))
    ]
    return Predictions(rows, _unknown(model, column_names(session).get(CATEGORIES, []), feed))


def _unknown(model: bytes, columns: Sequence[str], feed: Feed) -> list[UnknownName]:
    """What `feed` has under `categories`, and the model's file has no code for."""
    if not columns:
        return []
    known = known_names(model)
    found = [
        UnknownName(column, name, rows)
        for at, column in enumerate(columns)
        for name, rows in Counter(feed[CATEGORIES][:, at].tolist()).items()
        if name and name not in known[at]
    ]
    return sorted(found, key=lambda unknown: (-unknown.rows, unknown.column, unknown.name))


def _read(session: Session, source: Path) -> tuple[list[str], Feed]:
    columns = column_names(session)
    if columns:
        rows, feed = read_table(source, columns)
        return [str(number) for number in range(rows)], feed
    (taken,) = session.get_inputs()
    shape = tuple(int(size) for size in taken.shape[1:])  # (H, W, C), (L, C) or (L,)
    match taken.type:
        case "tensor(uint8)":
            names, images = read_images(source, shape)
            return names, {INPUT: images}
        case "tensor(int64)":
            return _numbered({INPUT: read_ids(source, shape)})
        case _:
            return _numbered({INPUT: read_series(source, shape)})


def _numbered(feed: Feed) -> tuple[list[str], Feed]:
    return [str(number) for number in range(len(feed[INPUT]))], feed
