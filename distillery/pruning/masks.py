"""Unstructured sparsity: which weights stay, and holding the others at zero while a network trains.

A mask is bool, of its weight's shape, True where the weight stays. Zeros make no ONNX file smaller and no
kernel faster; they make the file compress better.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from distillery.models.network import ConvBlock, DenseBlock
from distillery.models.sequence_modules import StepsBlock
from distillery.params.prune import PatternParams, Scope

Weights = dict[str, nn.Parameter]  # by the name of their block
Masks = dict[str, Tensor]


def weighted_blocks(model: nn.Module) -> dict[str, ConvBlock | DenseBlock]:
    """The blocks with a kernel or a matrix, by their names."""
    modules = model.named_modules()
    return {name: block for name, block in modules if isinstance(block, ConvBlock | DenseBlock)}


def prunable(model: nn.Module) -> Weights:
    """The kernels and matrices of a model; biases and batch norms are no weights to prune.

    Where a parametrization wraps a weight, what is trained is meant.
    """
    weights = {}
    for name, block in model.named_modules():
        match block:
            case ConvBlock():
                weights[name] = _trained(block.conv)
            case DenseBlock():
                weights[name] = _trained(block.dense)
            case StepsBlock():
                weights |= {f"{name}.{inner}": matrix for inner, matrix in block.matrices().items()}
    return weights


def _trained(module: nn.Module) -> nn.Parameter:
    wrapped = parametrize.is_parametrized(module, "weight")
    return module.get_parameter("parametrizations.weight.original" if wrapped else "weight")


def zero_share(weights: Mapping[str, Tensor]) -> float:
    """Which share of the weights is exactly zero."""
    total = sum(weight.numel() for weight in weights.values())
    return sum(int((weight == 0).sum()) for weight in weights.values()) / total if total else 0.0


def without_smallest(scores: Tensor, count: int) -> Tensor:
    """The mask that drops the `count` smallest scores, the first among equals."""
    mask = torch.ones(scores.numel(), dtype=torch.bool, device=scores.device)
    mask[scores.flatten().argsort(stable=True)[:count]] = False
    return mask.view(scores.shape)


def by_magnitude(weights: Mapping[str, Tensor], share: float, scope: Scope) -> Masks:
    """Drop the smallest |w|: `share` of every layer, or of all layers together (Han et al. 2015,
    https://arxiv.org/abs/1506.02626). round(share * n) weights go; together, a layer keeps one at least.
    """
    match scope:
        case "layer":
            return {name: without_smallest(w.abs(), round(share * w.numel())) for name, w in weights.items()}
        case "network":
            scores = {name: w.detach().abs().flatten() for name, w in weights.items()}
            for score in scores.values():
                score[score.argmax()] = torch.inf  # a layer without weights would end the network there
            together = torch.cat(list(scores.values()))
            mask = without_smallest(together, round(share * len(together)))
            parts = torch.split(mask, [len(score) for score in scores.values()])
            return {n: part.view(w.shape) for (n, w), part in zip(weights.items(), parts, strict=True)}


def by_threshold(weights: Mapping[str, Tensor], deviations: float, scope: Scope) -> Masks:
    """Keep |w| >= so many standard deviations of the weights that are not zero, of the layer or of all.

    Han et al. 2015, https://arxiv.org/abs/1506.02626, section 4: a quality parameter times the standard
    deviation of a layer's weights. A layer keeps its largest at least.
    """
    together = torch.cat([weight.detach().flatten() for weight in weights.values()])
    masks = {}
    for name, weight in weights.items():
        sizes = weight.detach().abs()
        bound = deviations * _deviation(weight.detach() if scope == "layer" else together)
        masks[name] = (sizes >= bound) | (sizes == sizes.max())
    return masks


def _deviation(weights: Tensor) -> float:
    """Of those that are not zero; one alone deviates by nothing."""
    there = weights[weights != 0]
    return float(there.std(correction=0)) if there.numel() else 0.0


def by_pattern(weight: Tensor, pattern: PatternParams) -> Tensor:
    """Of every `of` weights in a row along the inputs keep the `keep` largest |w| (N:M sparsity).

    Mishra et al. 2021, https://arxiv.org/abs/2104.08378, section 3. `weight` is (outputs, inputs, ...); the
    rows are those of (outputs, ..., inputs). Inputs that fill no whole group are a smaller group.
    """
    rows = weight.detach().abs().movedim(1, -1)
    padded = F.pad(rows, (0, -rows.shape[-1] % pattern.of), value=-1.0)  # below any |w|
    groups = padded.reshape(*padded.shape[:-1], -1, pattern.of)
    ranks = groups.argsort(dim=-1, descending=True, stable=True).argsort(-1)
    kept: Tensor = (ranks < pattern.keep).flatten(-2)[..., : rows.shape[-1]]
    return kept.movedim(-1, 1)


@torch.no_grad()
def apply_masks(weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """Set what does not stay to zero, in place."""
    for name, weight in weights.items():
        weight.mul_(masks[name].to(weight.device))


class HeldZeros:
    """Called after every step of training, puts back to zero what was zero at the start."""

    def __init__(self, model: nn.Module) -> None:
        self.weights = prunable(model)
        self.masks = {name: weight.detach() != 0 for name, weight in self.weights.items()}

    def __call__(self) -> None:
        """Hold."""
        apply_masks(self.weights, self.masks)


def held_zeros(model: nn.Module) -> HeldZeros | None:
    """What keeps a pruned model sparse in a later training; None where it has no zeros."""
    return HeldZeros(model) if zero_share(prunable(model)) else None
