"""What a weight that is not there would be worth: how a dynamic mask finds those that grow back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

from distillery.models.network import ConvBlock, DenseBlock
from distillery.pruning.masks import weighted_blocks

_correlated: Callable[..., Tensor] = conv2d_weight  # which has no types

Worth = Callable[[str, nn.Parameter], Tensor]  # a layer's name and weight -> (its shape), not negative
Seen = dict[str, tuple[Tensor, Tensor]]  # by layer: what it read and what it gave for the last batch


@contextmanager
def growing(model: nn.Module, grow: Literal["gradient", "activation"]) -> Iterator[Worth]:
    """The worth of weights by the last batch of a training; activations are watched inside the block only."""
    match grow:
        case "gradient":
            yield by_gradient
        case "activation":
            blocks = weighted_blocks(model)
            with watched(blocks) as seen:
                yield lambda name, _: similarity(blocks[name], *seen[name])


def by_gradient(_: str, weight: nn.Parameter) -> Tensor:
    """|dL/dw| (Evci et al. 2020, https://arxiv.org/abs/1911.11134, algorithm 1); ValueError before any."""
    if weight.grad is None:
        raise ValueError("a weight without a gradient cannot say what it would be worth")
    return weight.grad.abs()


@torch.no_grad()
def similarity(block: ConvBlock | DenseBlock, read: Tensor, gave: Tensor) -> Tensor:
    """|cos| between what a weight reads and what its layer gives, over rows and places: in 0..1.

    Atashgahi et al. 2022, https://arxiv.org/abs/1903.07138: units that are active together are joined, after
    Hebb. A kernel's weight reads its channel shifted to its place. (B, C, ...) -> the shape of the weight.
    """
    x, y = read.float(), gave.float()
    match block:
        case DenseBlock():
            joint, inputs = y.T @ x, x.square().sum(0)
            outputs = y.square().sum(0)
        case ConvBlock():
            joint, inputs = _kernel_sums(block.conv, x, y)
            outputs = y.square().sum((0, 2, 3))
    norms = (inputs * outputs.view(-1, *[1] * (joint.ndim - 1))).sqrt()
    return joint.abs() / norms.clamp_min(1e-12)  # what was never active is like nothing


def _kernel_sums(conv: nn.Conv2d, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over rows and places, each of the shape of the kernel: of input times output, of squared input.

    The first is what the gradient of a kernel sums, so its kernel does it. A strided 1x1 is picked out first,
    as where it is trained.
    """
    stride, padding = conv.stride, conv.padding
    if conv.kernel_size == (1, 1):
        x, stride = x[:, :, :: stride[0], :: stride[1]].contiguous(), (1, 1)
    out, per_group, *size = conv.weight.shape
    joint = _correlated(x, conv.weight.shape, y, stride, padding, groups=conv.groups)
    ones = torch.ones_like(y[:, :1])
    squares = _correlated(x.square(), (1, x.shape[1], *size), ones, stride, padding)
    by_group = squares.view(conv.groups, per_group, *size)
    return joint, by_group.repeat_interleave(out // conv.groups, 0)


@contextmanager
def watched(blocks: dict[str, ConvBlock | DenseBlock]) -> Iterator[Seen]:
    """What each block read and gave in its last pass of training."""
    seen: Seen = {}

    def watch(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def keep(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            if module.training:
                seen[name] = given[0].detach(), output.detach()

        return keep

    with ExitStack() as stack:
        for name, block in blocks.items():
            stack.callback(block.register_forward_hook(watch(name)).remove)
        yield seen
