"""What changes a network's masks while it trains: called after every step, when gradients are still there.

A weight that is masked is zero, but its gradient is not masked: it says what the weight would be worth.
"""

from __future__ import annotations

import torch
from torch import nn

from distillery.params.prune import MagnitudeParams, PatternParams, RegrowParams
from distillery.pruning.masks import (
    HeldZeros,
    apply_masks,
    by_magnitude,
    by_pattern,
    prunable,
    without_smallest,
)
from distillery.pruning.schedules import cosine, cubic


class Gradual:
    """Magnitude pruning whose share rises by `cubic` (Zhu & Gupta 2017, section 3).

    What is zero is the smallest, so it stays masked while the share rises.
    """

    def __init__(self, model: nn.Module, method: MagnitudeParams, epoch_steps: int) -> None:
        self.weights, self.method, self.step = prunable(model), method, 0
        self.last = method.ramp_epochs * epoch_steps
        self.masks = by_magnitude(self.weights, 0.0, method.scope)

    def __call__(self) -> None:
        """One step is done."""
        self.step += 1
        apply_masks(self.weights, self.masks)
        if self.step <= self.last and (self.step % self.method.every == 0 or self.step == self.last):
            share = cubic(self.step, first=0, last=self.last, initial=0.0, final=self.method.share)
            self.masks = by_magnitude(self.weights, share, self.method.scope)
            apply_masks(self.weights, self.masks)


class Regrowing:
    """RigL (Evci et al. 2020, https://arxiv.org/abs/1911.11134, algorithm 1), from a magnitude mask.

    In each layer the smallest |w| of those that stay are dropped, and as many of the others, those just
    dropped among them, come back by the largest |gradient|: at zero, where they were zero.
    """

    def __init__(self, model: nn.Module, method: RegrowParams, total_steps: int) -> None:
        self.weights, self.method, self.step = prunable(model), method, 0
        self.last = round(method.until * total_steps)
        self.masks = by_magnitude(self.weights, method.share, method.scope)
        apply_masks(self.weights, self.masks)

    def __call__(self) -> None:
        """One step is done."""
        self.step += 1
        apply_masks(self.weights, self.masks)
        if self.step % self.method.every == 0 and self.step < self.last:
            exchanged = cosine(self.step, last=self.last, initial=self.method.drop)
            for name, weight in self.weights.items():
                self.masks[name] = exchange(self.masks[name], weight, exchanged)
            apply_masks(self.weights, self.masks)


@torch.no_grad()
def exchange(mask: torch.Tensor, weight: nn.Parameter, share: float) -> torch.Tensor:
    """The mask after `share` of what stays was exchanged; as many weights stay as before."""
    if weight.grad is None:
        raise ValueError("a weight without a gradient cannot say what it would be worth")
    mask = mask.to(weight.device)
    staying = int(mask.sum())
    count = round(share * staying)
    magnitudes = weight.abs().masked_fill(~mask, torch.inf)
    kept = without_smallest(magnitudes, count) & mask
    worth = weight.grad.abs().masked_fill(kept, -1.0)
    return kept | ~without_smallest(-worth, count)


def patterned(model: nn.Module, pattern: PatternParams) -> HeldZeros:
    """N:M sparsity at once, and held: Mishra et al. 2021 prune once and repeat the training."""
    weights = prunable(model)
    apply_masks(weights, {name: by_pattern(weight, pattern) for name, weight in weights.items()})
    return HeldZeros(model)
