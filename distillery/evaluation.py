"""How good a file is: what it predicts on held-out rows, and what follows from that. Deterministic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

from distillery.data.arrays import steps
from distillery.data.rows import Rows, Split, row_names
from distillery.inference import open_session, run_batches, softmax
from distillery.statistics.wilson import wilson_interval

TABLE_ROW_BYTES = 256  # what a row takes while it is in a data frame


@dataclass(frozen=True)
class Quality:
    """What a file's predictions on one split come to; shares are of its `rows`."""

    rows: int
    accuracy: float
    accuracy_low: float  # Wilson, 95 %
    accuracy_high: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    teacher_agreement: float
    confusion: list[list[int]]  # [true][predicted]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Predictions:
    """What a file says of the N validation and test rows, in the order of the data."""

    positions: NDArray[np.intp]  # (N,) in the prepared rows
    splits: NDArray[np.uint8]  # (N,) codes of Split
    labels: NDArray[np.int64]  # (N,)
    predicted: NDArray[np.int64]  # (N,)
    probability: NDArray[np.float32]  # (N,) of the predicted class


def predict_held_out(content: bytes, rows: Rows, keep: Callable[[NDArray[np.float32]], None]) -> Predictions:
    """Run a file on the held-out rows, batch by batch; `keep` is handed the logits (B, classes) of each."""
    positions = np.flatnonzero((rows.splits == Split.VALIDATION) | (rows.splits == Split.TEST))
    predicted, probability = np.empty(len(positions), np.int64), np.empty(len(positions), np.float32)
    start = 0
    for logits in run_batches(open_session(content), rows, positions):
        here = slice(start, start + len(logits))
        predicted[here] = logits.argmax(1)
        probability[here] = softmax(logits).max(1)
        keep(logits)
        start = here.stop
    return Predictions(positions, rows.splits[positions], rows.labels[positions], predicted, probability)


def tabulated(predictions: Predictions, rows: Rows) -> Iterator[pd.DataFrame]:
    """The predictions as they are kept, a row a row id, some rows at a time."""
    names = np.array([split.name.lower() for split in Split])
    for step in steps(len(predictions.positions), TABLE_ROW_BYTES):
        yield pd.DataFrame(
            {
                "row_id": row_names(rows.row_ids[predictions.positions[step]]),
                "split": pd.Categorical(names[predictions.splits[step]], categories=names),
                "label": predictions.labels[step],
                "predicted": predictions.predicted[step],
                "probability": predictions.probability[step],
            }
        )


def assess(
    predictions: Predictions, teacher: NDArray[np.int64], split: Split, classes: Sequence[str]
) -> Quality:
    """The quality on one split; `teacher` (N,) is what the teacher predicts of the same rows."""
    chosen = predictions.splits == split
    predicted, count = predictions.predicted[chosen], len(classes)
    cells = np.bincount(predictions.labels[chosen] * count + predicted, minlength=count * count)
    label, guess = np.divmod(np.arange(count * count), count)
    correct, trials = int(cells[label == guess].sum()), len(predicted)
    low, high = wilson_interval(correct, trials)
    precision, recall, f1, _ = precision_recall_fscore_support(
        label, guess, labels=range(count), average="macro", zero_division=0.0, sample_weight=cells
    )
    return Quality(
        rows=trials,
        accuracy=correct / trials,
        accuracy_low=low,
        accuracy_high=high,
        macro_precision=float(precision),
        macro_recall=float(recall),
        macro_f1=float(f1),
        teacher_agreement=float((predicted == teacher[chosen]).mean()),
        confusion=cells.reshape(count, count).tolist(),
    )
