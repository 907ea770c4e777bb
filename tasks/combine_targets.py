"""Step `combine_targets`: one set of targets from several teachers'."""

from __future__ import annotations

from pathlib import Path

from distillery.combining import combine
from distillery.data.rows import load_rows
from distillery.labelling import load_targets
from distillery.params.teachers import Confidence, Mean, Weighted
from tasks.work import Work


def combine_targets(
    data: Path, targets: dict[str, Path], how: Mean | Weighted | Confidence, *, work: Work
) -> None:
    """Write targets.npy (views, N_train, classes); the first is `teacher`'s."""
    given = [load_targets(folder) for folder in targets.values()]
    for _ in work.watch(combine(load_rows(data), given, how, work.into / "targets.npy")):
        pass
