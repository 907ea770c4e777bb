"""The points of a network that hidden features can be taken from, by name: plain data, no heavy import."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from distillery.data.form import Shape
from distillery.models.layers import Conv, Dropout, Flatten, Layer, Linear, Network, Pool, Residual

Size = tuple[int, ...]  # (C, H, W) of a map, (C,) of a flat row


@dataclass(frozen=True)
class Point:
    """Where in `network.layers` the features come out, and their size for one row."""

    position: int
    size: Size

    @property
    def is_map(self) -> bool:
        """Whether they have places."""
        return len(self.size) == 3


def points(network: Network) -> dict[str, Point]:
    """Every layer with an output of its own by kind and number: `conv1`, `residual1`, ...; not the logits."""
    rows, numbers = network.rows, Counter[str]()
    size: Size = (rows.channels, rows.height, rows.width) if isinstance(rows, Shape) else (len(rows.columns),)
    found = {}
    for position, layer in enumerate(network.layers[:-1]):
        size = _after(layer, size)
        if not isinstance(layer, Flatten | Dropout):
            numbers[layer.kind] += 1
            found[f"{layer.kind}{numbers[layer.kind]}"] = Point(position, size)
    return found


def _after(layer: Layer, size: Size) -> Size:
    match layer:
        case Conv():
            return layer.channels, -(-size[1] // layer.stride), -(-size[2] // layer.stride)
        case Residual():
            for conv in layer.body:
                size = _after(conv, size)
            return size
        case Pool():
            return size[:1]
        case Flatten():
            return (size[0] * size[1] * size[2],)
        case Linear():
            return (layer.features,)
        case Dropout():
            return size
