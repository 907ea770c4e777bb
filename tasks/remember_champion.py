"""Step `remember_champion`: the teacher's targets, in which the champion has its say on what it knew."""

from __future__ import annotations

from pathlib import Path

from distillery.data.rows import load_rows
from distillery.labelling import load_targets
from distillery.params.data import AugmentParams
from distillery.params.distill import DistillParams
from distillery.params.retrain import RememberParams
from distillery.params.runtime import RuntimeParams
from distillery.remembering import remember
from tasks.knowledge import recall
from tasks.work import Work


def remember_champion(
    data: Path,
    targets: Path,
    augment: AugmentParams,
    distill: DistillParams,
    method: RememberParams,
    runtime: RuntimeParams,
    *,
    work: Work,
) -> None:
    """Write targets.npy (views, N_train, classes)."""
    champion, rows, file = recall(work.project, str(method.model)), load_rows(data), work.into / "targets.npy"
    stream = remember(
        champion, load_targets(targets), rows, augment, method, distill.temperature, runtime, file
    )
    for _ in work.watch(stream):
        pass
