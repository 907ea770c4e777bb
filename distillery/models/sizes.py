"""What size each layer makes of the size that it reads: plain data, no heavy import."""

from __future__ import annotations

import math
from collections.abc import Iterable

from distillery.models.layers import (
    Conv,
    Depthwise,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool,
    MeanPool,
    Module,
    Pool,
    Residual,
)

Size = tuple[int, ...]  # (C, H, W) of a map, (C,) of a flat row
Window = Conv | Depthwise | MaxPool | MeanPool  # what slides over a map


def size_after(layer: Layer, size: Size) -> Size:
    """The size that comes out."""
    after = size
    match layer:
        case Conv() | Depthwise() | MaxPool() | MeanPool():
            channels = layer.channels if isinstance(layer, Conv) else size[0]
            after = channels, *_slid(layer, size)
        case Residual():
            after = size_after_all(layer.body, size)
        case Pool():
            after = size[:1]
        case Flatten():
            after = (math.prod(size),)
        case Linear():
            after = (layer.features,)
        case Module():
            after = (layer.classes,)
        case Dropout():
            pass
    return after


def size_after_all(layers: Iterable[Layer], size: Size) -> Size:
    """The size that comes out of the last."""
    for layer in layers:
        size = size_after(layer, size)
    return size


def padding_of(window: Window) -> int:
    """Places that are added on each side of a map."""
    match window:
        case MeanPool():
            return 0
        case Depthwise() | Conv(padding=None):
            return window.kernel // 2
        case Conv() | MaxPool():
            return window.padding or 0


def _slid(window: Window, size: Size) -> tuple[int, int]:
    padding = padding_of(window)
    height, width = ((side + 2 * padding - window.kernel) // window.stride + 1 for side in size[1:])
    return height, width
