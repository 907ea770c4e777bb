"""Teacher targets from an ONNX file: what it says of every train row in every fixed view."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillery.data.batches import Batch
from distillery.data.rows import Rows
from distillery.feeding import feeder
from distillery.inference import open_session, run_feeds
from distillery.labelling import Labelled, write_targets
from distillery.params.data import AugmentParams
from distillery.params.runtime import RuntimeParams


def label_with(
    content: bytes, rows: Rows, augment: AugmentParams, runtime: RuntimeParams, file: Path
) -> Iterator[Labelled]:
    """Write the targets (views, N_train, classes) of a file that takes raw rows and gives `logits`."""
    session, feed = open_session(content, runtime.threads), feeder(rows.form)

    def logits_of(batch: Batch) -> NDArray[np.float32]:
        return run_feeds(session, [feed(batch.features.numpy())])

    yield from write_targets(rows, augment, runtime, file, logits_of)
