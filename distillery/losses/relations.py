"""Relational knowledge distillation: how the rows of a batch lie to each other (Park et al. 2019).

https://arxiv.org/abs/1904.05068. What is compared are numbers of a batch, so features of teacher and student
may differ in width, and logits will do.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

TINY = 1e-12


def distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean over pairs i != j of huber(psi^s_ij - psi^t_ij), psi_ij = |x_i - x_j| / (mean over pairs).

    Section 3.2.1. Features are (B, ...) each, of any two widths; with fewer than two rows it is 0.
    """
    pairs = ~torch.eye(len(student), dtype=torch.bool, device=student.device)
    return _mean_huber(_distances(student, pairs), _distances(teacher, pairs), pairs)


def angle_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean over triples of distinct rows of huber(cos^s_ijk - cos^t_ijk), the cosine at row j.

    Section 3.2.2. Features are (B, ...) each; needs B^3 numbers; with fewer than three rows it is 0.
    """
    pairs = ~torch.eye(len(student), dtype=torch.bool, device=student.device)
    triples = pairs[:, :, None] & pairs[:, None, :] & pairs[None, :, :]  # (j, i, k)
    return _mean_huber(_cosines(student), _cosines(teacher), triples)


def _distances(features: Tensor, pairs: Tensor) -> Tensor:
    """(B, B), in units of their mean."""
    x = features.flatten(1)
    x = x - x.mean(0)  # the products below then cancel less
    squares = x.square().sum(1)
    squared = squares[:, None] + squares[None, :] - 2 * (x @ x.T)
    distances = squared.masked_fill(~pairs, 0.0).clamp_min(TINY).sqrt() * pairs
    return distances / (distances.sum() / pairs.sum().clamp_min(1)).clamp_min(TINY)


def _cosines(features: Tensor) -> Tensor:
    """(B, B, B): at row j, between the ways to rows i and k."""
    x = features.flatten(1)
    ways = F.normalize(x[None, :, :] - x[:, None, :], dim=2)  # (j, i, width)
    return ways @ ways.transpose(1, 2)


def _mean_huber(student: Tensor, teacher: Tensor, chosen: Tensor) -> Tensor:
    each = F.smooth_l1_loss(student, teacher, reduction="none")  # Huber's, delta 1
    return (each * chosen).sum() / chosen.sum().clamp_min(1)
