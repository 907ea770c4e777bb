"""The verb `prune`: take weights or channels out of a student and retrain it on the teacher's targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from distillery.data.batches import TrainBatches
from distillery.data.rows import Rows
from distillery.losses.soft import soft_and_hard_labels
from distillery.models.network import Classifier
from distillery.params.data import AugmentParams
from distillery.params.distill import DistillParams
from distillery.params.prune import (
    ChannelParams,
    MagnitudeParams,
    PatternParams,
    Pruning,
    RegrowParams,
    ThresholdParams,
)
from distillery.params.runtime import RuntimeParams
from distillery.pruning.growth import growing
from distillery.pruning.masks import prunable, zero_share
from distillery.pruning.penalties import penalised
from distillery.pruning.sparsifiers import Gradual, Regrowing, above_threshold, patterned
from distillery.pruning.surgery import choose_channels, cut
from distillery.training import AfterStep, Epoch, reproducible, train, validate


@dataclass(frozen=True)
class PruningEpoch(Epoch):
    """An epoch of retraining. `removed`: share of the student's kernels and matrices that is zero or gone."""

    removed: float

    @property
    def note(self) -> str:
        """The metric, for a progress bar."""
        return f"{super().note}  removed {self.removed:.0%}"


@dataclass(frozen=True)
class Retraining:
    """What every retraining of a student shares. `targets` are (views, N_train, classes) float32."""

    rows: Rows
    targets: NDArray[np.float32]
    augment: AugmentParams
    distill: DistillParams
    method: Pruning
    runtime: RuntimeParams

    @property
    def batches(self) -> TrainBatches:
        """The train rows with their targets."""
        size, seed, views = self.method.training.batch_size, self.runtime.seed, self.augment.views
        return TrainBatches(self.rows, self.augment, size, seed, views, self.targets)

    def epochs(
        self, model: Classifier, after_step: AfterStep | None = None, keep_from: int = 1
    ) -> Iterator[Epoch]:
        """Train in place, with the penalty that the method asks for."""
        objective = penalised(soft_and_hard_labels(self.distill), model, self.method.penalty)
        training, runtime = self.method.training, self.runtime
        yield from train(
            model, self.batches, objective, training, runtime, after_step=after_step, keep_from=keep_from
        )


def prune(
    student: Classifier,
    rows: Rows,
    targets: NDArray[np.float32],
    augment: AugmentParams,
    distill: DistillParams,
    method: Pruning,
    runtime: RuntimeParams,
) -> Iterator[PruningEpoch]:
    """Prune `student` in place by the method that the config's type names, and yield each epoch.

    At the end it has zeros among its weights or, pruned by channels, a narrower `network`, which is saved
    beside its weights as any other. Raises DistilleryError when a training diverges.
    """
    retraining = Retraining(rows, targets, augment, distill, method, runtime)
    match method:
        case ChannelParams():
            yield from _by_channels(student, retraining, method)
        case MagnitudeParams():
            steps = len(retraining.batches)
            yield from _by_weights(
                student, retraining, Gradual(student, method, steps), method.ramp_epochs + 1
            )
        case RegrowParams():
            steps = len(retraining.batches) * method.training.epochs
            with growing(student, method.grow) as worth:
                yield from _by_weights(student, retraining, Regrowing(student, method, steps, worth))
        case ThresholdParams():
            yield from _by_weights(student, retraining, above_threshold(student, method))
        case PatternParams():
            yield from _by_weights(student, retraining, patterned(student, method))
        case _:
            assert_never(method)


def _by_weights(
    student: Classifier, retraining: Retraining, masks: AfterStep, keep_from: int = 1
) -> Iterator[PruningEpoch]:
    for epoch in retraining.epochs(student, masks, keep_from):
        yield PruningEpoch(**asdict(epoch), removed=zero_share(prunable(student)))


def _by_channels(
    student: Classifier, retraining: Retraining, method: ChannelParams
) -> Iterator[PruningEpoch]:
    """Cut and retrain until a round costs too much, or nothing is left to cut; that round is undone."""
    runtime = retraining.runtime.model_copy(update={"device": "cpu"})  # where a model is between trainings
    with reproducible(runtime):
        enough = validate(student, retraining.rows, runtime) - method.max_accuracy_drop / 100
    whole, length = _size(student), method.training.epochs
    for number in range(method.rounds):
        with reproducible(runtime):
            narrower = cut(student, choose_channels(student, method))
        if _size(narrower) == _size(student):
            return
        best = 0.0
        for epoch in retraining.epochs(narrower):
            best = max(best, epoch.accuracy)
            done, total = number * length + epoch.done, method.rounds * length
            counted = asdict(epoch) | {"done": done, "total": total}
            yield PruningEpoch(**counted, removed=1 - _size(narrower) / whole)
        if best < enough - 1e-9:  # 1e-9: rows are counted, not measured
            return
        student.become(narrower)


def _size(model: Classifier) -> int:
    return sum(weight.numel() for weight in prunable(model).values())
