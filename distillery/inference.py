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


def open_session(content: bytes, threads: int = 1) -> ort.InferenceSession:
    """A CPU session on a file's bytes."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def class_names(session: ort.InferenceSession) -> tuple[str, ...]:
    """The class names that the file carries."""
    return tuple(json.loads(session.get_modelmeta().custom_metadata_map[CLASS_NAMES]))


def column_names(session: ort.InferenceSession) -> dict[str, list[str]]:
    """By tensor, the columns of a table that the file takes; empty where it takes images."""
    names: dict[str, list[str]] = json.loads(
        session.get_modelmeta().custom_metadata_map.get(COLUMN_NAMES, "{}")
    )
    return names


def run_batches(
    session: ort.InferenceSession, rows: Rows, positions: NDArray[np.intp]
) -> Iterator[NDArray[np.float32]]:
    """Logits (B, classes) of the rows at these positions, batch by batch."""
    feed = feeder(rows.form)
    for start in range(0, len(positions), BATCH):
        yield session.run([LOGITS], feed(rows.features[positions[start : start + BATCH]]))[0]


def run_rows(session: ort.InferenceSession, rows: Rows, positions: NDArray[np.intp]) -> NDArray[np.float32]:
    """Logits (len(positions), classes) of the rows at these positions."""
    return np.concatenate(list(run_batches(session, rows, positions)))


def run_feeds(session: ort.InferenceSession, feeds: Iterable[Feed]) -> NDArray[np.float32]:
    """Logits (N, classes) of all the rows of these feeds, feed by feed."""
    return np.concatenate([session.run([LOGITS], feed)[0] for feed in feeds])


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities (N, classes)."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))
