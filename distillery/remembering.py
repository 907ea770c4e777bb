"""What an earlier model knew, kept in an update (learning without forgetting: Li, Hoiem 2016,
https://arxiv.org/abs/1606.09282): it is a second source of soft targets, on the rows that it was trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from distillery.data.batches import TrainBatches
from distillery.data.rows import Rows
from distillery.errors import DataError
from distillery.feeding import feeder
from distillery.inference import class_names, open_session, run_feeds, softmax
from distillery.labelling import ROWS_AT_ONCE, Labelled
from distillery.params.data import AugmentParams
from distillery.params.retrain import RememberParams
from distillery.params.runtime import RuntimeParams

Logits = NDArray[np.float32]


def blend(
    teacher: Logits, champion: Logits, columns: Sequence[int], *, weight: float, temperature: float
) -> Logits:
    """Logits z (N, classes) with softmax(z / T) = (1 - w) softmax(teacher / T) + w softmax(champion / T).

    `champion` is (N, its classes) and `columns` says which of the classes each of them is: of a class that it
    lacks it says 0. To learn from the blend is to learn from both, for the weighted sum of two
    cross-entropies with soft targets is the cross-entropy with their weighted mean.
    """
    blended = (1 - weight) * softmax(teacher / temperature)
    blended[:, list(columns)] += weight * softmax(champion / temperature)
    return np.asarray(temperature * np.log(np.maximum(blended, np.finfo(np.float32).tiny)), np.float32)


def columns_of(classes: Sequence[str], champion: Sequence[str]) -> list[int]:
    """Which of the classes each of the champion's is, by name; DataError where one is no class any more."""
    gone = [name for name in champion if name not in classes]
    if gone:
        told, remedy = ", ".join(map(repr, gone)), "set retrain.remember.weight to 0"
        raise DataError(f"the champion knows classes that the data have no more: {told}; {remedy}")
    return [classes.index(name) for name in champion]


def remember(
    champion: bytes,
    targets: NDArray[np.float32],
    rows: Rows,
    augment: AugmentParams,
    method: RememberParams,
    temperature: float,
    runtime: RuntimeParams,
    file: Path,
) -> Iterator[Labelled]:
    """Write targets (views, N_train, classes) in which the champion has its say, view by view.

    `champion` is an ONNX file, which sees just the views that the teacher saw. Rows of data versions after
    its own keep the teacher's logits, and so does every row where the weight is 0.
    """
    session, feed = open_session(champion, runtime.threads), feeder(rows.form)
    columns = columns_of(rows.classes, class_names(session))
    batches = TrainBatches(rows, augment, ROWS_AT_ONCE, runtime.seed)
    known = rows.versions(batches.positions) <= method.versions
    how = {"weight": method.weight, "temperature": temperature}
    with file.open("wb") as stream:
        write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": targets.shape})
        for view in range(len(targets)):
            for start in range(0, targets.shape[1], ROWS_AT_ONCE):
                logits = np.array(targets[view, start : start + ROWS_AT_ONCE])
                seen = np.flatnonzero(known[start : start + ROWS_AT_ONCE])
                if seen.size and method.weight:
                    features = batches.read(start + seen, view).features.numpy()
                    said = run_feeds(session, [feed(features)])
                    logits[seen] = blend(logits[seen], said, columns, **how)
                stream.write(np.ascontiguousarray(logits, "<f4").data)
            yield Labelled(view + 1, len(targets))
