"""Losses between the logits of a student and a teacher's, which are stored: no live teacher is needed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from distillery.data.batches import Batch
from distillery.params.distill import Decoupled, DistillParams, Kl, LogitMse, Soft
from distillery.training import Objective


def distillation_loss(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, temperature: float, alpha: float
) -> Tensor:
    """alpha * T^2 * KL(teacher_T || student_T) + (1 - alpha) * CE, a mean over the batch.

    Hinton, Vinyals, Dean 2015, https://arxiv.org/abs/1503.02531, section 2.
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


def decoupled_divergence(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float,
    target: float,
    others: float,
) -> Tensor:
    """T^2 * (target * TCKD + others * NCKD), a mean over the batch.

    TCKD = KL(b^t || b^s) of b = (p_y, 1 - p_y); NCKD = KL(q^t || q^s) of q_i = p_i / (1 - p_y), i != y; all
    at temperature T. Zhao et al. 2022, https://arxiv.org/abs/2203.08679, equation 7: with target = 1 and
    others = 1 - p_y^t it is the plain divergence (equation 6). Shapes as in `distillation_loss`.
    """
    binary_student, rest_student = _decoupled(student_logits / temperature, labels)
    binary_teacher, rest_teacher = _decoupled(teacher_logits / temperature, labels)
    of_target = F.kl_div(binary_student, binary_teacher, reduction="batchmean", log_target=True)
    of_others = F.kl_div(rest_student, rest_teacher, reduction="batchmean", log_target=True)
    return temperature**2 * (target * of_target + others * of_others)


def _decoupled(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logs of (p_y, 1 - p_y), (B, 2), and of the others' shares among themselves, (B, classes - 1)."""
    classes = logits.shape[1]
    steps = torch.arange(1, classes, device=labels.device)
    rest = logits.gather(1, (labels[:, None] + steps) % classes)
    parts = torch.stack([logits.gather(1, labels[:, None]).squeeze(1), rest.logsumexp(1)], 1)
    return F.log_softmax(parts, dim=1), F.log_softmax(rest, dim=1)


def taught_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    soft: Soft,
    *,
    temperature: float,
    alpha: float,
) -> Tensor:
    """alpha * soft + (1 - alpha) * CE, whatever the soft loss is. Shapes as in `distillation_loss`.

    `mse` is the mean over rows and classes of (z^s - z^t)^2 (Kim et al. 2021,
    https://arxiv.org/abs/2105.08919): the divergence's limit as T grows, times two.
    """
    match soft:
        case Kl():
            return distillation_loss(
                student_logits, teacher_logits, labels, temperature=temperature, alpha=alpha
            )
        case LogitMse():
            taught = F.mse_loss(student_logits, teacher_logits)
        case Decoupled():
            weights = {"target": soft.target, "others": soft.others}
            taught = decoupled_divergence(
                student_logits, teacher_logits, labels, temperature=temperature, **weights
            )
    return alpha * taught + (1 - alpha) * F.cross_entropy(student_logits, labels)


def targets_of(batch: Batch) -> Tensor:
    """The teacher's logits (B, classes) that a batch carries."""
    if batch.targets is None:
        raise ValueError("these batches carry no teacher targets")
    return batch.targets


def soft_and_hard_labels(distill: DistillParams) -> Objective:
    """The soft loss and the labels' against the targets that each batch carries, without pace or terms."""

    def objective(logits: Tensor, batch: Batch) -> Tensor:
        weights = {"temperature": distill.temperature, "alpha": distill.alpha}
        return taught_loss(logits, targets_of(batch), batch.labels, distill.soft, **weights)

    return objective
