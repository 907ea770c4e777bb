"""What size each layer makes of the size that it reads: plain data, no heavy import."""

from __future__ import annotations

import math
from collections.abc import Iterable

from distillery.data.form import Form, Series, Shape, Table, Tokens
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
from distillery.models.sequence_layers import Steps

Size = tuple[int, ...]  # (C, H, W) of a map, (C,) of a flat row; of raw sequences (L, C), or (L,) ids
Window = Conv | Depthwise | MaxPool | MeanPool  # what slides over a map


def size_of(rows: Form) -> Size:
    """The size of a row itself; of a table, before its encoding has made features of its columns."""
    match rows:
        case Shape():
            return rows.channels, rows.height, rows.width
        case Table():
            return (len(rows.columns),)
        case Series():
            return rows.length, rows.channels
        case Tokens():
            return (rows.length,)


def size_after(layer: Layer, size: Size) -> Size:
    """The size that comes out."""
    after = size  # of what drops out
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
        case Steps():
            after = (layer.outputs,)
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
