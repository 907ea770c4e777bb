"""Where a network is rounded while it trains, and how its biases are at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from distillery.models.network import (
    Classifier,
    ConvBlock,
    DenseBlock,
    MeanPoolBlock,
    PoolBlock,
    ResidualBlock,
)
from distillery.quantization.quantizers import ActivationQuantizer, WeightQuantizer


def with_fake_quantizers(model: Classifier) -> Classifier:
    """A copy without batch norms whose weights and activation points round to int8; logits stay float."""
    quantized = model.folded()
    quantized.input = ActivationQuantizer()
    for block in quantized.modules():
        if isinstance(block, ConvBlock):
            parametrize.register_parametrization(block.conv, "weight", WeightQuantizer(block.conv.weight))
        elif isinstance(block, DenseBlock):
            parametrize.register_parametrization(block.dense, "weight", WeightQuantizer(block.dense.weight))
        if isinstance(block, ConvBlock | DenseBlock | ResidualBlock | PoolBlock | MeanPoolBlock):
            block.output = ActivationQuantizer()
    last = quantized.layers[-1]
    if isinstance(last, DenseBlock):
        last.output = nn.Identity()
    return quantized


def round_biases(model: Classifier) -> None:
    """Put the biases of a `with_fake_quantizers` model, in place, on the grid that its file has for them.

    An integer kernel adds a bias to its products, so there it is an int32 at scale input x weight. Rounded in
    torch too, a trained model and its file differ no more than float sums do. The file's bytes are the same.
    """
    with torch.no_grad():
        for layer, scale in _inputs(model):
            weight = cast(WeightQuantizer, cast(Any, layer.parametrizations)["weight"][0])
            step = (scale * weight.step_sizes()).double()
            if layer.bias is not None:
                layer.bias.copy_(torch.round(layer.bias.double() / step) * step)


def _inputs(model: Classifier) -> Iterator[tuple[nn.Conv2d | nn.Linear, Tensor]]:
    """Every layer with weights, and the scale of what it reads."""
    point = model.input
    for block in model.layers:
        match block:
            case ConvBlock():
                yield block.conv, _scale(point)
            case DenseBlock():
                yield block.dense, _scale(point)
            case ResidualBlock():
                for branch in (block.body, block.shortcut):
                    before = point
                    for inner in cast(Iterable[ConvBlock], branch):
                        yield inner.conv, _scale(before)
                        before = inner.output
        point = getattr(block, "output", point)


def _scale(point: nn.Module) -> Tensor:
    if not isinstance(point, ActivationQuantizer):
        raise TypeError("its inputs are not rounded: with_fake_quantizers first")
    return point.scale_and_zero_point()[0]


def stop_observing(model: nn.Module) -> None:
    """From here on the activation ranges stand; scales that are to be learned start to be."""
    for quantizer in quantizers(model):
        quantizer.stop_observing()


def quantizers(model: nn.Module) -> list[WeightQuantizer | ActivationQuantizer]:
    """All of them, each weight's before what the layer gives."""
    return [m for m in model.modules() if isinstance(m, WeightQuantizer | ActivationQuantizer)]
