"""Distillation: a student learns from a teacher's stored logits, from the labels, and from what it is shown.

What needs only logits reads the targets that were computed once for every view. What compares hidden features
needs the teacher itself: it then sees each batch, in eval mode and without gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import assert_never

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from distillery.data.batches import Batch, TrainBatches
from distillery.data.rows import Rows
from distillery.losses.attention import attention_loss
from distillery.losses.hints import Hint
from distillery.losses.relations import angle_loss, distance_loss
from distillery.losses.soft import targets_of, taught_loss
from distillery.models.network import Classifier
from distillery.models.points import points
from distillery.pacing import Progress, paced, risen
from distillery.params.data import AugmentParams
from distillery.params.distill import LOGITS, Angles, Attention, Distances, DistillParams, Hints, Term
from distillery.params.runtime import RuntimeParams
from distillery.training import AfterStep, Epoch, autocast, train

Features = Mapping[str, Tensor]  # by point: (B, C, H, W), (B, C), or logits (B, classes)


def distill(
    student: Classifier,
    rows: Rows,
    targets: NDArray[np.float32],
    augment: AugmentParams,
    distill: DistillParams,
    runtime: RuntimeParams,
    teacher: Classifier | None = None,
    after_step: AfterStep | None = None,
) -> Iterator[Epoch]:
    """Train `student` in place on the teacher's targets (views, N_train, classes).

    `teacher` is who gave the targets: needed where a term looks inside, and only there; else ValueError.
    """
    batches = TrainBatches(rows, augment, distill.training.batch_size, runtime.seed, augment.views, targets)
    with ExitStack() as stack:
        here = {term.student for term in distill.terms} - {LOGITS}
        there = {term.teacher for term in distill.terms} - {LOGITS}
        seen = stack.enter_context(tapped(student, here)) if here else {}
        shown = stack.enter_context(tapped(_required(teacher), there)) if there else {}
        watcher = teacher if there else None
        torch.manual_seed(runtime.seed)
        lesson = Lesson(distill, seen, shown, _hints(distill, student, teacher), watcher, runtime)
        learning = train(
            student, batches, lesson, distill.training, runtime, after_step=after_step, beside=lesson.hints
        )
        for epoch in learning:
            yield epoch
            lesson.next_epoch()


class Lesson:
    """The objective of one distillation, whose weights move from epoch to epoch.

    `seen` and `shown` hold what came out of the student's and the teacher's points at the last forward pass;
    `hints` are the regressors of the terms that have one, by place among the terms.
    """

    def __init__(
        self,
        distill: DistillParams,
        seen: Features,
        shown: Features,
        hints: nn.ModuleDict,
        teacher: Classifier | None,
        runtime: RuntimeParams,
    ) -> None:
        self.distill, self.seen, self.shown, self.hints = distill, seen, shown, hints
        self.teacher, self.runtime = teacher, runtime
        self.now = Progress(0, distill.training.epochs, 0.0)
        self._agreed = torch.zeros((), dtype=torch.int64, device=runtime.device)
        self._rows = 0
        if teacher is not None:
            teacher.to(runtime.device).eval()

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """The loss of a batch that the student has just seen."""
        targets, weights = targets_of(batch), paced(self.distill, self.now)
        self._agreed += (logits.argmax(1) == targets.argmax(1)).sum()
        self._rows += len(targets)
        soft, pace = self.distill.soft, {"temperature": weights.temperature, "alpha": weights.alpha}
        loss = taught_loss(logits, targets, batch.labels, soft, **pace)
        if self.teacher is not None:
            with torch.no_grad(), autocast(self.runtime):
                self.teacher(batch.features)
        student, teacher = {**self.seen, LOGITS: logits}, {**self.shown, LOGITS: targets}
        for at, term in enumerate(self.distill.terms):
            compared = self._compared(at, term, student[term.student], teacher[term.teacher])
            loss = loss + term.weight * risen(term.warm_up, self.now) * compared
        return loss

    def next_epoch(self) -> None:
        """An epoch is over: the weights move."""
        agreement = int(self._agreed) / self._rows
        self.now = Progress(self.now.epoch + 1, self.now.epochs, agreement)
        self._agreed.zero_()
        self._rows = 0

    def _compared(self, at: int, term: Term, seen: Tensor, shown: Tensor) -> Tensor:
        student, teacher = seen.float(), shown.float()  # features are bf16 under autocast
        match term:
            case Distances():
                return distance_loss(student, teacher)
            case Angles():
                return angle_loss(student, teacher)
            case Attention():
                return attention_loss(student, teacher)
            case Hints():
                compared: Tensor = self.hints[str(at)](student, teacher)
                return compared
            case _:
                assert_never(term)


@contextmanager
def tapped(model: Classifier, names: set[str]) -> Iterator[dict[str, Tensor]]:
    """Inside the block, every forward pass leaves what comes out of these points in the mapping."""
    known, features = points(model.network), dict[str, Tensor]()

    def keep(name: str, output: Tensor) -> None:
        features[name] = output

    with ExitStack() as stack:
        for name in sorted(names):
            layer = model.layers[known[name].position]
            handle = layer.register_forward_hook(lambda _, __, output, name=name: keep(name, output))
            stack.callback(handle.remove)
        yield features


def _hints(distill: DistillParams, student: Classifier, teacher: Classifier | None) -> nn.ModuleDict:
    """A regressor for every term that has one."""
    hints = nn.ModuleDict()
    for at, term in enumerate(distill.terms):
        if isinstance(term, Hints):
            here, there = points(student.network), points(_required(teacher).network)
            hints[str(at)] = Hint(here[term.student].size, there[term.teacher].size)
    return hints


def _required(teacher: Classifier | None) -> Classifier:
    if teacher is None:
        raise ValueError("a term looks inside the teacher, and there is only what it said")
    return teacher
