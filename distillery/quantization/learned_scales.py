"""Learned scales: the size of a quantizer's step is a parameter, trained with the weights.

LSQ, Esser et al. 2020, https://arxiv.org/abs/1902.08153, and for activations on both sides of 0 the offset of
LSQ+, Bhalgat et al. 2020, https://arxiv.org/abs/2004.09576. What is rounded is what ONNX's operators round.

A parameter is kept in units of what was observed, and its gradient divided by that unit: plain descent then
changes a scale by exactly the paper's step, and Adam, whose steps are of the size of the learning rate
whatever the gradient is, by that share of the scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from distillery.params.quantize import LearnedScales
from distillery.quantization.quantizers import (
    SMALLEST_SCALE,
    ActivationQuantizer,
    WeightQuantizer,
    along_channels,
    round_trip,
)


class _LearnedRoundTrip(torch.autograd.Function):
    """x -> x' with the gradients of LSQ and LSQ+."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        x: Tensor,
        scale: Tensor,
        offset: Tensor,
        low: int,
        high: int,
    ) -> Tensor:
        """Quantize and dequantize; remembers where in the range each value lay."""
        zero = zero_point(scale, offset, low, high)
        rounded, q = round_trip(x, scale, zero, low, high)
        place = x / scale + zero
        inside = (place > low) & (place < high)
        ctx.save_for_backward(inside, q.clamp(low, high) - torch.where(inside, place, 0))
        ctx.shapes = (scale.shape, offset.shape)  # type: ignore[attr-defined]
        return rounded

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Of x, scale and offset; the latter two summed to their shapes."""
        inside, by_scale = ctx.saved_tensors  # type: ignore[attr-defined]
        scale, offset = ctx.shapes  # type: ignore[attr-defined]
        return (
            gradient * inside,
            (gradient * by_scale).sum_to_size(scale),
            (gradient * ~inside).sum_to_size(offset),
            None,
            None,
        )


def learned_fake_quantize(x: Tensor, scale: Tensor, offset: Tensor, low: int, high: int) -> Tensor:
    """x' as of `fake_quantize`, for x of any shape; `scale` and `offset` broadcast against it.

    `offset` is the x that the integer 0 stands for; the zero point, round(-offset / scale), stands for x = 0.
    With v = x / scale + zero point, the gradient of x is 1 for low < v < high, else 0 (LSQ, equation 5); of
    scale, round(v) - v inside, low below and high above (LSQ, equation 3; LSQ+, equation 5); of offset, 0
    inside, else 1 (LSQ+, equation 6). Integers lie in low..high.
    """
    rounded: Tensor = _LearnedRoundTrip.apply(x, scale, offset, low, high)  # type: ignore[no-untyped-call]
    return rounded


def zero_point(scale: Tensor, offset: Tensor, low: int, high: int) -> Tensor:
    """The integer, as a float, that stands for x = 0 where the integer 0 stands for x = `offset`."""
    return torch.round(-offset / scale).clamp(low, high)


def gradient_scale(count: int, largest: int) -> float:
    """g = 1 / sqrt(N Q_P) for N weights that share a scale, or N activations of a row (LSQ, section 2.2)."""
    return 1 / math.sqrt(count * largest)


class _InUnits(torch.autograd.Function):
    """parameter -> unit * parameter, at least `least`, which no gradient feels."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, parameter: Tensor, unit: Tensor, g: float, least: float
    ) -> Tensor:
        """The value that the parameter stands for."""
        ctx.save_for_backward(g / unit)
        return (unit * parameter).clamp_min(least)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor, None, None, None]:
        """g times the value's gradient, so that the value moves by it."""
        (share,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradient * share, None, None, None


def in_units(parameter: Tensor, unit: Tensor, g: float, least: float = -math.inf) -> Tensor:
    """unit * parameter, >= `least`; a step of -r dL/dparameter moves it by -r g dL/dvalue."""
    value: Tensor = _InUnits.apply(parameter, unit, g, least)  # type: ignore[no-untyped-call]
    return value


def from_mean(mean: Tensor, largest: int) -> Tensor:
    """2 <|v|> / sqrt(Q_P), where a scale begins (LSQ, section 2.1)."""
    return (2 * mean / math.sqrt(largest)).clamp_min(SMALLEST_SCALE)


@dataclass(frozen=True)
class StartOfWeights:
    """Where the scales of a weight begin: (channels,), or () where all channels share one."""

    method: LearnedScales

    def __call__(self, weight: Tensor, largest: int) -> Tensor:
        """Of a weight (channels, ...)."""
        shared = self.method.weights == "per_tensor"
        magnitudes = weight.abs().flatten() if shared else weight.abs().flatten(1)
        match self.method.start:
            case "range":
                return (magnitudes.amax(-1) / largest).clamp_min(SMALLEST_SCALE)
            case "mean":
                return from_mean(magnitudes.mean(-1), largest)


class LearnedWeightQuantizer(WeightQuantizer):
    """Symmetric int8. While `observing`, `scale` follows the weights; then it is the unit of the `factor`."""

    def __init__(self, weight: Tensor, method: LearnedScales) -> None:
        super().__init__(weight, StartOfWeights(method))
        self.observing = True
        self.factor = nn.Parameter(torch.ones_like(self.scale))

    def step_sizes(self) -> Tensor:
        """The scales that hold, (channels,) or ()."""
        return (self.scale * self.factor).clamp_min(SMALLEST_SCALE)

    def stop_observing(self) -> None:
        """From here on the scales are learned."""
        self.observing = False

    def observe(self, weight: Tensor) -> None:
        """Follow the weights up to where learning starts."""
        if self.observing:
            super().observe(weight)

    def rounded(self, weight: Tensor) -> Tensor:
        """On the grid, with gradients of weight and, once it is learned, factor."""
        if self.observing:
            return super().rounded(weight)
        low, high = self.limits()
        g = gradient_scale(weight.numel() // self.scale.numel(), high)
        scale = along_channels(in_units(self.factor, self.scale, g, SMALLEST_SCALE), weight)
        return learned_fake_quantize(weight, scale, torch.zeros_like(scale), low, high)


class LearnedActivationQuantizer(ActivationQuantizer):
    """Asymmetric uint8. While `observing`, the range follows the batches seen; then its scale is learned.

    So is its offset, where anything below 0 was seen; behind a ReLU the zero point stays 0.
    """

    mean: Tensor

    def __init__(self, method: LearnedScales) -> None:
        super().__init__()
        self.start = method.start
        self.register_buffer("mean", torch.tensor(float("nan")))  # of |x|
        self.factor = nn.Parameter(torch.tensor(1.0))
        self.shift = nn.Parameter(torch.tensor(0.0))  # of the range, in widths of it

    def observe(self, x: Tensor) -> None:
        """Let range and mean follow this batch."""
        super().observe(x)
        self.follow(self.mean, x.abs().mean())

    def scale_and_zero_point(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point (a whole number) that hold."""
        scale, width, offset = self._start()
        scale = (scale * self.factor).clamp_min(SMALLEST_SCALE)
        offset = torch.where(offset < 0, offset + width * self.shift, offset)
        return scale, zero_point(scale, offset, 0, self.largest())

    def rounded(self, x: Tensor) -> Tensor:
        """On the grid, with gradients of x and, once they are learned, factor and shift."""
        if self.observing:
            return super().rounded(x)
        unit, width, offset = self._start()
        g = gradient_scale(x[0].numel(), self.largest())
        scale = in_units(self.factor, unit, g, SMALLEST_SCALE)
        if offset < 0:
            offset = offset + in_units(self.shift, width, g)
        return learned_fake_quantize(x, scale, offset, 0, self.largest())

    def _start(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scale, width of the range and offset where learning starts; the offset is at most 0."""
        scale, _ = super().scale_and_zero_point()
        below = self.low.clamp_max(0) / (scale * self.largest())  # as a share of the range
        if self.start == "mean":
            scale = from_mean(self.mean, self.largest())
        width = scale * self.largest()
        return scale, width, below * width


def learn_scales(model: nn.Module, method: LearnedScales) -> None:
    """Put quantizers that learn in the place of a `with_fake_quantizers` model's, before it is trained.

    The last layer has a scale a channel in any case: logits that are multiples of one step are often equal.
    """
    modules = list(model.modules())
    weights = [m for m in modules if isinstance(m, parametrize.ParametrizationList)]
    for wrapped in weights:
        separate = method.model_copy(update={"weights": "per_channel"})
        wrapped[0] = LearnedWeightQuantizer(wrapped.original, separate if wrapped is weights[-1] else method)
    for module in modules:
        for name, child in list(module.named_children()):
            if isinstance(child, ActivationQuantizer):
                setattr(module, name, LearnedActivationQuantizer(method))
