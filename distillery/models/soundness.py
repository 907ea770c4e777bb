"""Whether a network that someone wrote down can be built: plain data, no heavy import."""

from __future__ import annotations

from collections.abc import Iterator

from distillery.data.form import Shape
from distillery.models.layers import (
    Conv,
    Depthwise,
    Dropout,
    Layer,
    Linear,
    MaxPool,
    MeanPool,
    Network,
    Pool,
    Residual,
)
from distillery.models.sizes import Size, size_after, size_after_all

OF_MAPS = Conv | Depthwise | Residual | MaxPool | MeanPool | Pool


def faults_of(network: Network, classes: int) -> Iterator[str]:
    """What is wrong with it; behind the first layer that cannot be built, the sizes are unknown."""
    last = network.layers[-1] if network.layers else None
    if not isinstance(last, Linear) or last.relu or last.features != classes:
        yield f"its last layer must be Linear(features={classes}, relu=False), which gives the logits"
    rows = network.rows
    if not isinstance(rows, Shape):
        if any(isinstance(layer, OF_MAPS) for layer in network.layers):
            yield "it has layers that read images, and these rows are none"
        return
    size: Size = (rows.channels, rows.height, rows.width)
    for at, layer in enumerate(network.layers):
        fault = _fault(layer, size)
        if fault is not None:
            yield f"layers.{at}, {layer.kind}: {fault}"
            return
        size = size_after(layer, size)


def _fault(layer: Layer, size: Size) -> str | None:
    match layer:
        case Linear() if len(size) == 3:
            return f"it reads flat rows, and a map {_said(size)} comes in: put Pool() or Flatten() before"
        case Dropout() | Linear():
            return None
        case _ if len(size) != 3 and isinstance(layer, OF_MAPS):
            return f"it reads a map, and a flat row of {_said(size)} comes in"
        case Residual():
            return _unlike(layer, size)
        case _ if min(size_after(layer, size)) < 1:
            return f"nothing is left of the map {_said(size)} that comes in"
        case _:
            return None


def _unlike(layer: Residual, size: Size) -> str | None:
    body, shortcut = size_after_all(layer.body, size), size_after_all(layer.shortcut, size)
    if min(body) < 1:
        return f"nothing is left of the map {_said(size)} that comes in"
    if body != shortcut:
        return f"what is added must be alike: its body gives {_said(body)}, its shortcut {_said(shortcut)}"
    return None


def _said(size: Size) -> str:
    return " x ".join(map(str, size))
