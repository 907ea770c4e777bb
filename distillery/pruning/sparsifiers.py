"""What changes a network's masks while it trains: called after every step, when gradients are still there.

A weight that is masked is zero, but its gradient is not masked: it says what the weight would be worth.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from distillery.params.prune import MagnitudeParams, PatternParams, RegrowParams, ThresholdParams
from distillery.pruning.growth import Worth
from distillery.pruning.masks import (
    HeldZeros,
    apply_masks,
    by_magnitude,
    by_pattern,
    by_threshold,
    prunable,
    without_smallest,
)
from distillery.pruning.schedules import cosine, cubic


class Gradual:
    """Magnitude pruning whose share rises by `cubic` (Zhu & Gupta 2017, section 3).

    What is zero is the smallest, so it stays masked while the share rises; so does what was zero before.
    """

    def __init__(self, model: nn.Module, method: MagnitudeParams, epoch_steps: int) -> None:
        self.weights, self.method, self.step = prunable(model), method, 0
        self.last = method.ramp_epochs * epoch_steps
        self.masks = {name: weight.detach() != 0 for name, weight in self.weights.items()}

    def __call__(self) -> None:
        """One step is done."""
        self.step += 1
        apply_masks(self.weights, self.masks)
        if self.step <= self.last and (self.step % self.method.every == 0 or self.step == self.last):
            share = cubic(self.step, first=0, last=self.last, initial=0.0, final=self.method.share)
            chosen = by_magnitude(self.weights, share, self.method.scope)
            self.masks = {name: mask & self.masks[name].to(mask.device) for name, mask in chosen.items()}
            apply_masks(self.weights, self.masks)


class Regrowing:
    """A mask that changes (Evci et al. 2020, https://arxiv.org/abs/1911.11134, algorithm 1).

    It begins as a magnitude mask. In each layer the smallest |w| of those that stay are dropped, and as many
    of the others, those just dropped among them, come back where the worth is largest: at zero, where they
    were zero.
    """

    def __init__(self, model: nn.Module, method: RegrowParams, total_steps: int, worth: Worth) -> None:
        self.weights, self.method, self.step, self.worth = prunable(model), method, 0, worth
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
                self.masks[name] = exchange(self.masks[name], weight, exchanged, self.worth(name, weight))
            apply_masks(self.weights, self.masks)


@torch.no_grad()
def exchange(mask: Tensor, weight: Tensor, share: float, worth: Tensor) -> Tensor:
    """The mask after `share` of what stays was exchanged for what is worth most; as many stay as before."""
    mask = mask.to(weight.device)
    staying = int(mask.sum())
    count = round(share * staying)
    magnitudes = weight.abs().masked_fill(~mask, torch.inf)
    kept = without_smallest(magnitudes, count) & mask
    others = worth.masked_fill(kept, -1.0)
    return kept | ~without_smallest(-others, count)


def patterned(model: nn.Module, pattern: PatternParams) -> HeldZeros:
    """N:M sparsity at once, and held: Mishra et al. 2021 prune once and repeat the training."""
    weights = prunable(model)
    apply_masks(weights, {name: by_pattern(weight, pattern) for name, weight in weights.items()})
    return HeldZeros(model)


def above_threshold(model: nn.Module, method: ThresholdParams) -> HeldZeros:
    """All below the threshold go at once, and stay so: Han et al. 2015 prune, then train what is left."""
    weights = prunable(model)
    apply_masks(weights, by_threshold(weights, method.deviations, method.scope))
    return HeldZeros(model)
