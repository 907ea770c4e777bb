"""Which channels of a network must go together: plain data, no heavy import.

Layers whose outputs are added share their channels, so a channel goes from all of them or from none.
Fang et al. 2023 (https://arxiv.org/abs/2301.12900) find such groups by tracing; here the network is data,
and walking its layers gives them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from distillery.models.layers import (
    Conv,
    Convolution,
    Depthwise,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool,
    MeanPool,
    Module,
    Network,
    Pool,
    Residual,
)
from distillery.models.sequence_layers import Steps
from distillery.models.sizes import Size, size_after, size_of

RAW = 0  # the group of the rows' own channels, or columns


@dataclass(frozen=True)
class Placed:
    """A layer with weights: its module's name, and the groups of channels that it reads and writes."""

    name: str
    reads: int
    writes: int
    spread: int  # of its inputs, how many belong to a channel: H * W after a flatten, else 1
    normalised: bool  # whether a batch norm scales what it writes
    each_alone: bool  # whether a channel that it writes reads that one alone: a depthwise convolution


@dataclass(frozen=True)
class Channels:
    """The layers with weights in the order of the network, and how many channels each group has.

    `fixed` groups are what the rows and the classes are: they are never pruned.
    """

    layers: tuple[Placed, ...]
    widths: Mapping[int, int]
    fixed: frozenset[int]

    @property
    def free(self) -> dict[int, int]:
        """The widths of the groups that may be pruned."""
        return {group: width for group, width in self.widths.items() if group not in self.fixed}

    def writers(self, group: int) -> list[Placed]:
        """The layers that make these channels."""
        return [layer for layer in self.layers if layer.writes == group]

    def readers(self, group: int) -> list[Placed]:
        """The layers that take these channels, and mix them with others."""
        return [layer for layer in self.layers if layer.reads == group and not layer.each_alone]


@dataclass
class _Walk:
    """Where a walk through the layers is: the group and the size of what comes next."""

    widths: dict[int, int]
    placed: list[Placed]
    group: int
    size: Size
    spread: int = 1

    def new_group(self, width: int) -> int:
        self.widths[len(self.widths)] = width
        return len(self.widths) - 1

    def place(self, name: str, writes: int, *, normalised: bool, each_alone: bool = False) -> None:
        self.placed.append(Placed(name, self.group, writes, self.spread, normalised, each_alone))
        self.group, self.spread = writes, 1


def channels_of(network: Network) -> Channels:
    """The groups of a network's channels."""
    size = size_of(network.rows)
    walk = _Walk({RAW: size[0]}, [], RAW, size)  # what comes with the rows is never pruned
    for position, layer in enumerate(network.layers):
        _step(walk, f"layers.{position}", layer)
        walk.size = size_after(layer, walk.size)
    return Channels(tuple(walk.placed), dict(walk.widths), frozenset({RAW, walk.group}))


def _step(walk: _Walk, name: str, layer: Layer) -> None:
    match layer:
        case Conv() | Depthwise():
            _convolution(walk, name, layer)
        case Residual():
            _residual(walk, name, layer)
        case Module():
            walk.place(name, walk.new_group(layer.classes), normalised=False)
        case Linear():
            walk.place(name, walk.new_group(layer.features), normalised=False)
        case Flatten():
            walk.spread = math.prod(walk.size[1:])
        case MaxPool() | MeanPool() | Pool() | Dropout():
            pass
        case Steps():  # keeps all that it has: to the layers behind, what it gives is as fixed as raw rows
            walk.widths[RAW] = layer.outputs


def _convolution(walk: _Walk, name: str, layer: Convolution, writes: int | None = None) -> None:
    """`writes`: the group that it adds to, else a new one; a depthwise one's is what it reads."""
    match layer:
        case Conv():
            group = walk.new_group(layer.channels) if writes is None else writes
            walk.place(name, group, normalised=layer.norm)
        case Depthwise():
            walk.place(name, walk.group, normalised=True, each_alone=True)


def _residual(walk: _Walk, name: str, block: Residual) -> None:
    """What the body and the shortcut end in is added: one group, the input's own for an identity."""
    entered = walk.group
    added = walk.new_group(block.shortcut[-1].channels) if block.shortcut else entered
    for path, layers in (("shortcut", block.shortcut), ("body", block.body)):
        walk.group = entered
        for position, layer in enumerate(layers):
            last = position == len(layers) - 1
            _convolution(walk, f"{name}.{path}.{position}", layer, added if last else None)


def narrowed(network: Network, widths: Mapping[int, int]) -> Network:
    """The same network with as many channels as `widths` gives each group."""
    written = {placed.name: widths[placed.writes] for placed in channels_of(network).layers}
    layers = tuple(_narrow(f"layers.{at}", layer, written) for at, layer in enumerate(network.layers))
    return network.model_copy(update={"layers": layers})


def _narrow(name: str, layer: Layer, written: Mapping[str, int]) -> Layer:
    match layer:
        case Conv():
            return layer.model_copy(update={"channels": written[name]})
        case Linear():
            return layer.model_copy(update={"features": written[name]})
        case Residual():
            paths: dict[str, tuple[Layer, ...]] = {"body": layer.body, "shortcut": layer.shortcut}
            return layer.model_copy(
                update={
                    path: tuple(_narrow(f"{name}.{path}.{at}", one, written) for at, one in enumerate(layers))
                    for path, layers in paths.items()
                }
            )
        case Depthwise() | MaxPool() | MeanPool() | Pool() | Flatten() | Dropout() | Steps() | Module():
            return layer
