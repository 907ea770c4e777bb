"""Knowledge distillation (Hinton, Vinyals, Dean 2015, https://arxiv.org/abs/1503.02531)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from distillery.data.batches import Batch, TrainBatches
from distillery.data.rows import Rows
from distillery.models.network import Classifier
from distillery.params.data import AugmentParams
from distillery.params.distill import DistillParams
from distillery.params.runtime import RuntimeParams
from distillery.training import Epoch, Objective, train


def distillation_loss(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, temperature: float, alpha: float
) -> Tensor:
    """alpha * T^2 * KL(teacher_T || student_T) + (1 - alpha) * CE, a mean over the batch (section 2).

    Logits are (B, classes), labels (B,) int64; T = `temperature` > 0, 0 <= `alpha` <= 1.
    """
    soft = F.kl_div(
        F.log_softmax(student_logits / temperature, dim=1),
        F.log_softmax(teacher_logits / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    hard = F.cross_entropy(student_logits, labels)
    return alpha * temperature**2 * soft + (1 - alpha) * hard  # xT^2 keeps the gradients on one scale


def soft_and_hard_labels(distill: DistillParams) -> Objective:
    """The distillation loss against the targets that each batch carries."""

    def objective(logits: Tensor, batch: Batch) -> Tensor:
        if batch.targets is None:
            raise ValueError("these batches carry no teacher targets")
        terms = {"temperature": distill.temperature, "alpha": distill.alpha}
        return distillation_loss(logits, batch.targets, batch.labels, **terms)

    return objective


def distill(
    student: Classifier,
    rows: Rows,
    targets: NDArray[np.float32],
    augment: AugmentParams,
    distill: DistillParams,
    runtime: RuntimeParams,
) -> Iterator[Epoch]:
    """Train `student` in place on the teacher's targets (views, N_train, classes)."""
    batches = TrainBatches(rows, augment, distill.training.batch_size, runtime.seed, augment.views, targets)
    yield from train(student, batches, soft_and_hard_labels(distill), distill.training, runtime)
