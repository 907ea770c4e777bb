"""What size each layer makes of the size that it reads: plain data, no heavy import."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from distillery.data.form import Form, Series, Shape, Table, Tokens
from distillery.models.layers import (
    Conv,
    Depthwise,
    Flatten,
    Layer,
    Linear,
    MaxPool,
    MeanPool,
    Pool,
    Residual,
)
from distillery.models.sequence_layers import Steps

Size = tuple[int, ...]  # (C, H, W) of a map, (C,) of a flat row; of raw sequences (L, C), or (L,) ids


class Window(Protocol):
    """What slides over a map."""

    @property
    def kernel(self) -> int:
        """Places, each way."""

    @property
    def stride(self) -> int:
        """Places from one window to the next."""


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
        case Conv():
            after = layer.channels, *_slid(layer, padding_of(layer), size)
        case Depthwise():
            after = size[0], *_slid(layer, padding_of(layer), size)
        case MaxPool():
            after = size[0], *_slid(layer, layer.padding, size)
        case MeanPool():
            after = size[0], *_slid(layer, 0, size)
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
    return after


def size_after_all(layers: Iterable[Layer], size: Size) -> Size:
    """The size that comes out of the last."""
    for layer in layers:
        size = size_after(layer, size)
    return size


def padding_of(layer: Conv | Depthwise) -> int:
    """Places that a convolution adds on each side."""
    half = layer.kernel // 2
    return half if isinstance(layer, Depthwise) or layer.padding is None else layer.padding


def _slid(window: Window, padding: int, size: Size) -> tuple[int, int]:
    height, width = ((side + 2 * padding - window.kernel) // window.stride + 1 for side in size[1:])
    return height, width
