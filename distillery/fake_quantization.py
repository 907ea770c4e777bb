"""Fake quantization: rounding to int8 and back while training, with the arithmetic of ONNX's operators.

q = saturate(round_half_even(x / scale) + zero_point), x' = (q - zero_point) * scale, which is ONNX's
QuantizeLinear and DequantizeLinear; gradients pass straight through inside the range and stop outside
(Jacob et al. 2017, https://arxiv.org/abs/1712.05877, section 3).
"""

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

SMALLEST_SCALE = 2.0**-24
FOLLOW = 0.1  # share by which an observed range moves to a new batch's


class _RoundTrip(torch.autograd.Function):
    """x -> x' with the straight-through gradient."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, scale: Tensor, zero: Tensor, low: int, high: int
    ) -> Tensor:
        """Quantize and dequantize; remembers which values lay inside the range."""
        q = torch.round(x / scale) + zero
        ctx.save_for_backward((q >= low) & (q <= high))
        return (q.clamp(low, high) - zero) * scale

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        """Pass inside, stop outside."""
        (inside,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradient * inside, None, None, None, None


def fake_quantize(x: Tensor, scale: Tensor, zero_point: Tensor, low: int, high: int) -> Tensor:
    """x' for x of any shape; `scale` and `zero_point` broadcast against it; integers lie in low..high."""
    rounded: Tensor = _RoundTrip.apply(x, scale, zero_point, low, high)  # type: ignore[no-untyped-call]
    return rounded


class WeightQuantizer(nn.Module):
    """Symmetric int8, one scale an output channel (axis 0): max|w| / 127 at the last training step."""

    scale: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", self.fit(weight.detach()))

    @staticmethod
    def fit(weight: Tensor) -> Tensor:
        """Scales (channels,) of a weight (channels, ...)."""
        return (weight.abs().flatten(1).amax(1) / 127).clamp_min(SMALLEST_SCALE)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight on its int8 grid."""
        if torch.compiler.is_exporting():
            zero = torch.zeros(self.scale.shape, dtype=torch.int8)
            return _emit(weight, self.scale, zero, torch.int8, axis=0)
        if self.training:
            self.scale.copy_(self.fit(weight.detach()))
        scale = self.scale.view(-1, *[1] * (weight.ndim - 1))
        return fake_quantize(weight, scale, torch.zeros_like(scale), -128, 127)  # as the file saturates


class ActivationQuantizer(nn.Module):
    """Asymmetric uint8, one scale a tensor. While `observing`, the range follows the batches seen."""

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(float("nan")))
        self.register_buffer("high", torch.tensor(float("nan")))
        self.observing = True

    def forward(self, x: Tensor) -> Tensor:
        """The activation on its uint8 grid."""
        if torch.compiler.is_exporting():
            scale, zero = self.scale_and_zero_point()
            return _emit(x, scale, zero.to(torch.uint8), torch.uint8)
        if self.observing and self.training:
            self._follow(x.detach())
        scale, zero = self.scale_and_zero_point()
        return fake_quantize(x, scale, zero, 0, 255)

    def scale_and_zero_point(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point (a whole number) of a range that is widened to hold 0 exactly."""
        low, high = self.low.clamp_max(0), self.high.clamp_min(0)
        scale = ((high - low) / 255).clamp_min(SMALLEST_SCALE)
        return scale, torch.round(-low / scale).clamp(0, 255)

    def _follow(self, x: Tensor) -> None:
        low, high = x.amin(), x.amax()
        first = torch.isnan(self.low)
        self.low.copy_(torch.where(first, low, self.low + FOLLOW * (low - self.low)))
        self.high.copy_(torch.where(first, high, self.high + FOLLOW * (high - self.high)))


def _emit(x: Tensor, scale: Tensor, zero: Tensor, dtype: torch.dtype, axis: int | None = None) -> Tensor:
    """The ONNX operators themselves, where the exporter traces."""
    attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
    fixed = (scale.detach().clone(), zero.detach().clone())
    q = torch.onnx.ops.symbolic("QuantizeLinear", (x, *fixed), attributes, dtype=dtype, shape=x.shape)
    return torch.onnx.ops.symbolic("DequantizeLinear", (q, *fixed), attributes, dtype=x.dtype, shape=x.shape)


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
            step = (scale * weight.scale).double()
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
    """From here on the activation ranges stand."""
    for module in model.modules():
        if isinstance(module, ActivationQuantizer):
            module.observing = False
