"""Rounding to int8 and back while training, with the arithmetic of ONNX's operators; scales are observed.

q = saturate(round_half_even(x / scale) + zero_point), x' = (q - zero_point) * scale, which is ONNX's
QuantizeLinear and DequantizeLinear; gradients pass straight through inside the range and stop outside
(Jacob et al. 2017, https://arxiv.org/abs/1712.05877, section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

BITS = 8
SMALLEST_SCALE = 2.0**-24
FOLLOW = 0.1  # share by which an observed range moves to a new batch's


def round_trip(x: Tensor, scale: Tensor, zero: Tensor, low: int, high: int) -> tuple[Tensor, Tensor]:
    """(x', q before it saturates), of x's shape, as `fake_quantize` says; without a gradient."""
    q = torch.round(x / scale) + zero
    return (q.clamp(low, high) - zero) * scale, q


class _RoundTrip(torch.autograd.Function):
    """x -> x' with the straight-through gradient."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, scale: Tensor, zero: Tensor, low: int, high: int
    ) -> Tensor:
        """Quantize and dequantize; remembers which values lay inside the range."""
        rounded, q = round_trip(x, scale, zero, low, high)
        ctx.save_for_backward((q >= low) & (q <= high))
        return rounded

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


Fit = Callable[[Tensor, int], Tensor]  # weight (channels, ...), largest integer -> scales (channels,) or ()


def largest_of_channel(weight: Tensor, largest: int) -> Tensor:
    """max|w| / largest, (channels,)."""
    return (weight.abs().flatten(1).amax(1) / largest).clamp_min(SMALLEST_SCALE)


class WeightQuantizer(nn.Module):
    """Symmetric int8, one scale an output channel (axis 0): max|w| / 127 at the last training step.

    `bits` other than 8 are steps on the way there; None leaves the weight in float.
    """

    scale: Tensor

    def __init__(self, weight: Tensor, fit: Fit = largest_of_channel) -> None:
        super().__init__()
        self.bits: int | None = BITS
        self.fit = fit
        self.register_buffer("scale", fit(weight.detach(), self.limits()[1]))

    def limits(self) -> tuple[int, int]:
        """The smallest integer, as the file saturates, and the largest."""
        half = 1 << ((self.bits or BITS) - 1)
        return -half, half - 1

    def step_sizes(self) -> Tensor:
        """The scales that hold, (channels,), or () where all channels share one."""
        return self.scale

    def stop_observing(self) -> None:
        """The weights go on changing, and their range goes on following them."""

    def forward(self, weight: Tensor) -> Tensor:
        """The weight on its grid."""
        if torch.compiler.is_exporting():
            scale = self.step_sizes()
            zero = torch.zeros(scale.shape, dtype=torch.int8)
            return _emit(weight, scale, zero, torch.int8, self.bits, axis=0 if scale.ndim else None)
        self.observe(weight.detach())
        return weight if self.bits is None else self.rounded(weight)

    def observe(self, weight: Tensor) -> None:
        """Follow the weight's range while training."""
        if self.training:
            self.scale.copy_(self.fit(weight, self.limits()[1]))

    def rounded(self, weight: Tensor) -> Tensor:
        """On the grid, with a gradient."""
        scale = along_channels(self.scale, weight)
        return fake_quantize(weight, scale, torch.zeros_like(scale), *self.limits())


class ActivationQuantizer(nn.Module):
    """Asymmetric uint8, one scale a tensor. While `observing`, the range follows the batches seen.

    `bits` other than 8 are steps on the way there; None leaves the activation in float.
    """

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(float("nan")))
        self.register_buffer("high", torch.tensor(float("nan")))
        self.observing = True
        self.bits: int | None = BITS

    def forward(self, x: Tensor) -> Tensor:
        """The activation on its grid."""
        if torch.compiler.is_exporting():
            scale, zero = self.scale_and_zero_point()
            return _emit(x, scale, zero.to(torch.uint8), torch.uint8, self.bits)
        if self.observing and self.training:
            self.observe(x.detach())
        return x if self.bits is None else self.rounded(x)

    def rounded(self, x: Tensor) -> Tensor:
        """On the grid, with a gradient."""
        scale, zero = self.scale_and_zero_point()
        return fake_quantize(x, scale, zero, 0, self.largest())

    def largest(self) -> int:
        """The largest integer."""
        return (1 << (self.bits or BITS)) - 1

    def scale_and_zero_point(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point (a whole number) of a range that is widened to hold 0 exactly."""
        low, high = self.low.clamp_max(0), self.high.clamp_min(0)
        scale = ((high - low) / self.largest()).clamp_min(SMALLEST_SCALE)
        return scale, torch.round(-low / scale).clamp(0, self.largest())

    def stop_observing(self) -> None:
        """From here on the range stands."""
        self.observing = False

    def observe(self, x: Tensor) -> None:
        """Let the range follow this batch."""
        self.follow(self.low, x.amin())
        self.follow(self.high, x.amax())

    @staticmethod
    def follow(held: Tensor, seen: Tensor) -> None:
        """Move what is held, in place, towards what was seen; the first sight is taken as it is."""
        held.copy_(torch.where(torch.isnan(held), seen, held + FOLLOW * (seen - held)))


def along_channels(scale: Tensor, weight: Tensor) -> Tensor:
    """Scales (channels,) or () so that they broadcast against a weight (channels, ...)."""
    return scale.view(-1, *[1] * (weight.ndim - 1))


def _emit(
    x: Tensor, scale: Tensor, zero: Tensor, dtype: torch.dtype, bits: int | None, axis: int | None = None
) -> Tensor:
    """The ONNX operators themselves, where the exporter traces."""
    if bits != BITS:
        raise ValueError("not everything is rounded to eight bits yet: train until progress ends")
    attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
    fixed = (scale.detach().clone(), zero.detach().clone())
    q = torch.onnx.ops.symbolic("QuantizeLinear", (x, *fixed), attributes, dtype=dtype, shape=x.shape)
    return torch.onnx.ops.symbolic("DequantizeLinear", (q, *fixed), attributes, dtype=x.dtype, shape=x.shape)
