"""Teacher targets: the teacher's logits for every train row in every fixed view, computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from distillery.data.batches import Batch, TrainBatches
from distillery.data.rows import Rows
from distillery.models.network import Classifier
from distillery.params.data import AugmentParams
from distillery.params.runtime import RuntimeParams
from distillery.training import predict, reproducible

ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Labelled:
    """One view is labelled."""

    done: int
    total: int

    @property
    def note(self) -> str:
        """What was done."""
        return f"view {self.done} of {self.total}"


def label(
    teacher: Classifier, rows: Rows, augment: AugmentParams, runtime: RuntimeParams, file: Path
) -> Iterator[Labelled]:
    """Write the targets (views, N_train, classes) float32 to an .npy file, view by view."""
    with reproducible(runtime):
        teacher.to(runtime.device)
        yield from write_targets(
            rows, augment, runtime, file, lambda batch: predict(teacher, batch, runtime).numpy()
        )


def write_targets(
    rows: Rows,
    augment: AugmentParams,
    runtime: RuntimeParams,
    file: Path,
    logits_of: Callable[[Batch], NDArray[np.float32]],
) -> Iterator[Labelled]:
    """Write what `logits_of` a batch are, (views, N_train, classes), view by view."""
    batches = TrainBatches(rows, augment, ROWS_AT_ONCE, runtime.seed)
    count = len(batches.positions)
    with targets_file(file, (augment.views, count, len(rows.classes))) as stream:
        for view in range(augment.views):
            for start in range(0, count, ROWS_AT_ONCE):
                chosen = np.arange(start, min(start + ROWS_AT_ONCE, count))
                logits = logits_of(batches.read(chosen, view))
                stream.write(np.ascontiguousarray(logits, "<f4").data)
            yield Labelled(view + 1, augment.views)


@contextmanager
def targets_file(file: Path, shape: tuple[int, ...]) -> Iterator[BinaryIO]:
    """An .npy file of float32 to write into: not mapped, so that a full disk is an error."""
    with file.open("wb") as stream:
        write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        yield stream


def load_targets(folder: Path) -> NDArray[np.float32]:
    """Targets as an array mapped from disk."""
    targets: NDArray[np.float32] = np.load(folder / "targets.npy", mmap_mode="r", allow_pickle=False)
    return targets
