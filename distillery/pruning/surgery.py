"""Channel pruning: how much each channel matters, which go, and the smaller network without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor

from distillery.errors import ParamsError
from distillery.models.network import Classifier, ConvBlock, DenseBlock
from distillery.params.prune import ChannelParams
from distillery.pruning.channels import Channels, Placed, channels_of, narrowed
from distillery.pruning.fitting import rounded_up, unscaled

Elementwise = Callable[[Tensor], Tensor]
Kept = dict[int, Tensor]  # group -> which of its channels stay, int64, ascending


def weight_of(model: Classifier, layer: Placed) -> Tensor:
    """The weight (outputs, inputs, ...) of a layer."""
    block = model.get_submodule(layer.name)
    return block.conv.weight if isinstance(block, ConvBlock) else cast(DenseBlock, block).dense.weight


def importance(model: Classifier, channels: Channels, method: ChannelParams) -> dict[int, Tensor]:
    """Group -> what each of its channels (width,) matters.

    l1: sum |w| over the kernels that make it (Li et al. 2017, https://arxiv.org/abs/1608.08710, section 3.1).
    group: sum w^2 over all that makes or reads it (Fang et al. 2023, https://arxiv.org/abs/2301.12900, 3.3).
    scale: sum |gamma| of its batch norms (Liu et al. 2017, https://arxiv.org/abs/1708.06519, section 3);
    ParamsError where it has none.
    """
    match method.importance:
        case "l1":
            return {g: _made(model, channels, g, lambda w: w.abs()) for g in channels.free}
        case "group":
            return {
                g: _made(model, channels, g, torch.square) + _read(model, channels, g) for g in channels.free
            }
        case "scale":
            return {g: _scale(model, channels, g) for g in channels.free}


def group_norms(model: Classifier, channels: Channels) -> dict[int, Tensor]:
    """Group -> the Euclidean norm (width,) of all the kernels that make each of its channels."""
    squares = {g: _made(model, channels, g, torch.square) for g in channels.free}
    return {group: torch.sqrt(square + 1e-12) for group, square in squares.items()}  # a gradient at 0 too


def _made(model: Classifier, channels: Channels, group: int, each: Elementwise) -> Tensor:
    sums = [each(weight_of(model, layer)).flatten(1).sum(1) for layer in channels.writers(group)]
    return torch.stack(sums).sum(0)


def _read(model: Classifier, channels: Channels, group: int) -> Tensor:
    """Squares of what reads each channel; after a flatten a channel is `spread` inputs in a row."""
    sums = []
    for layer in channels.readers(group):
        by_input = weight_of(model, layer).square().transpose(0, 1).flatten(1).sum(1)
        sums.append(by_input.view(-1, layer.spread).sum(1))
    return torch.stack(sums).sum(0)


def _scale(model: Classifier, channels: Channels, group: int) -> Tensor:
    plain = unscaled(channels)
    if plain is not None:
        raise ParamsError(f"prune.importance: scale needs batch norms, and {plain} has none; use l1 or group")
    blocks = [cast(ConvBlock, model.get_submodule(layer.name)) for layer in channels.writers(group)]
    return torch.stack([cast(Tensor, block.norm.weight).abs() for block in blocks]).sum(0)


@torch.no_grad()
def choose_channels(model: Classifier, method: ChannelParams) -> Kept:
    """The channels that stay when the least important `share` goes, of each group or of all together.

    A group keeps one channel at least; where `multiple` is above 1, its width is rounded up to a multiple.
    Across groups, importances are compared as multiples of their group's mean. Among equals the first stay.
    """
    channels = channels_of(model.network)
    scores = importance(model, channels, method)
    widths = _widths(scores, method)
    kept = {group: torch.arange(width) for group, width in channels.widths.items()}
    for group, width in widths.items():
        order = scores[group].argsort(descending=True, stable=True)
        kept[group] = order[:width].sort().values
    return kept


def _widths(scores: Mapping[int, Tensor], method: ChannelParams) -> dict[int, int]:
    """Group -> how many of its channels stay."""
    match method.scope:
        case "layer":
            left = {g: len(score) - round(method.share * len(score)) for g, score in scores.items()}
        case "network":
            relative = {g: score / score.mean().clamp_min(1e-12) for g, score in scores.items()}
            together = torch.cat(list(relative.values())).sort().values
            bound = together[min(round(method.share * len(together)), len(together) - 1)]
            left = {g: int((score >= bound).sum()) for g, score in relative.items()}
    return {g: rounded_up(count, len(scores[g]), method.multiple) for g, count in left.items()}


@torch.no_grad()
def cut(model: Classifier, kept: Kept) -> Classifier:
    """A new model with just these channels, in the mode that `model` is in.

    It computes what `model` computes when the other channels are zero, to the order of the sums.
    """
    channels = channels_of(model.network)
    smaller = Classifier(narrowed(model.network, {group: len(kept[group]) for group in channels.widths}))
    old, new = model.state_dict(), smaller.state_dict()
    for name in new:
        layer = next((p for p in channels.layers if name.startswith(f"{p.name}.")), None)
        new[name] = old[name].clone() if layer is None else _sliced(old[name], layer, kept)
    smaller.load_state_dict(new)
    return smaller.train(model.training)


def _sliced(tensor: Tensor, layer: Placed, kept: Kept) -> Tensor:
    """A weight (outputs, inputs, ...), a bias or a batch norm's (outputs,), or its count of batches ()."""
    if tensor.ndim:
        tensor = tensor[kept[layer.writes]]
    if tensor.ndim > 1 and not layer.each_alone and len(kept[layer.reads]) * layer.spread < tensor.shape[1]:
        spread = torch.arange(layer.spread)
        tensor = tensor[:, (kept[layer.reads][:, None] * layer.spread + spread).flatten()]
    return tensor.clone()
