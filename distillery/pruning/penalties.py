"""Terms of the loss that draw weights to zero while a network trains, so that pruning costs less."""

from __future__ import annotations

import torch
from torch import Tensor

from distillery.data.batches import Batch
from distillery.models.network import Classifier
from distillery.params.prune import PenaltyParams
from distillery.pruning.channels import channels_of
from distillery.pruning.masks import prunable
from distillery.pruning.surgery import group_norms
from distillery.training import Objective


def penalty(model: Classifier, kind: PenaltyParams) -> Tensor:
    """The scalar that is added to the loss.

    l1: weight * sum |w| over kernels and matrices (Tibshirani 1996, https://doi.org/10.1111/j.2517-6161.1996.tb02080.x).
    group: weight * sum_c ||w_c||, w_c all that makes channel c (Wen et al. 2016,
    https://arxiv.org/abs/1608.03665, eq. 3); channels that are added count as one.
    """
    match kind.kind:
        case "l1":
            return kind.weight * torch.stack([w.abs().sum() for w in prunable(model).values()]).sum()
        case "group":
            norms = group_norms(model, channels_of(model.network))
            return kind.weight * torch.stack([norm.sum() for norm in norms.values()]).sum()


def penalised(objective: Objective, model: Classifier, kind: PenaltyParams | None) -> Objective:
    """The objective and the penalty of `model`, which is the one that is trained."""
    if kind is None:
        return objective

    def both(logits: Tensor, batch: Batch) -> Tensor:
        return objective(logits, batch) + penalty(model, kind)

    return both
