"""ONNX Runtime sessions for files that ship: CPU, a stated number of threads, no telemetry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from distillery.data.rows import Rows
from distillery.feeding import Feed, feeder
from distillery.tensors import CLASS_NAMES, COLUMN_NAMES, LOGITS

BATCH = 256
DYNAMIC = b"DynamicQuantizeL"  # inear, or STM


class Session(ort.InferenceSession):  # type: ignore[misc] # it has no types
    """A session on a file, and how many rows may be run together.

    Dynamic quantization finds one range for all the rows that are run together, so that what is said of a row
    would depend on its neighbours. Such a file is run as it is served: a row at a time.
    """

    rows_at_once = BATCH


def open_session(content: bytes, threads: int = 1) -> Session:
    """A CPU session on a file's bytes."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = Session(content, options, providers=["CPUExecutionProvider"])
    session.rows_at_once = 1 if DYNAMIC in content else BATCH
    return session


def class_names(session: Session) -> tuple[str, ...]:
    """The class names that the file carries."""
    return tuple(json.loads(session.get_modelmeta().custom_metadata_map[CLASS_NAMES]))


def column_names(session: Session) -> dict[str, list[str]]:
    """By tensor, the columns of a table that the file takes; empty where it takes images."""
    names: dict[str, list[str]] = json.loads(
        session.get_modelmeta().custom_metadata_map.get(COLUMN_NAMES, "{}")
    )
    return names


def run_batches(session: Session, rows: Rows, positions: NDArray[np.intp]) -> Iterator[NDArray[np.float32]]:
    """Logits (B, classes) of the rows at these positions, batch by batch."""
    feed = feeder(rows.form)
    for start in range(0, len(positions), session.rows_at_once):
        here = positions[start : start + session.rows_at_once]
        yield session.run([LOGITS], feed(rows.features[here]))[0]


def run_rows(session: Session, rows: Rows, positions: NDArray[np.intp]) -> NDArray[np.float32]:
    """Logits (len(positions), classes) of the rows at these positions."""
    return np.concatenate(list(run_batches(session, rows, positions)))


def run_feeds(session: Session, feeds: Iterable[Feed]) -> NDArray[np.float32]:
    """Logits (N, classes) of all the rows of these feeds, feed by feed."""
    parts = (part for feed in feeds for part in _parts(feed, session.rows_at_once))
    return np.concatenate([session.run([LOGITS], part)[0] for part in parts])


def _parts(feed: Feed, rows: int) -> Iterator[Feed]:
    """A feed cut into feeds of so many rows, at the most."""
    count = len(next(iter(feed.values())))
    for start in range(0, count, rows):
        yield {tensor: values[start : start + rows] for tensor, values in feed.items()}


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities (N, classes)."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))
