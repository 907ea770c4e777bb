"""Which channels of a network must go together: plain data, no heavy import.

Layers whose outputs are added share their channels, so a channel goes from all of them or from none.
Fang et al. 2023 (https://arxiv.org/abs/2301.12900) find such groups by tracing; here the network is data,
and walking its layers gives them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from distillery.data.form import Series, Shape, Table, Tokens
from distillery.models.layers import Conv, Dropout, Flatten, Layer, Linear, Network, Pool, Residual
from distillery.models.sequence_layers import Steps

RAW = 0  # the group of the rows' own channels, or columns


@dataclass(frozen=True)
class Placed:
    """A layer with weights: its module's name, and the groups of channels that it reads and writes."""

    name: str
    reads: int
    writes: int
    spread: int  # of its inputs, how many belong to a channel: H * W after a flatten, else 1
    normalised: bool  # whether a batch norm scales what it writes


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
        """The layers that take these channels."""
        return [layer for layer in self.layers if layer.reads == group]


@dataclass
class _Walk:
    """Where a walk through the layers is: the group and the map (height, width) of what comes next."""

    widths: dict[int, int]
    placed: list[Placed]
    group: int
    size: tuple[int, int]
    spread: int = 1

    def new_group(self, width: int) -> int:
        self.widths[len(self.widths)] = width
        return len(self.widths) - 1

    def place(self, name: str, writes: int, *, normalised: bool) -> None:
        self.placed.append(Placed(name, self.group, writes, self.spread, normalised))
        self.group, self.spread = writes, 1


def channels_of(network: Network) -> Channels:
    """The groups of a network's channels."""
    rows = network.rows
    match rows:
        case Shape():
            walk = _Walk({RAW: rows.channels}, [], RAW, (rows.height, rows.width))
        case Table():  # columns become features in the encoding; how many does not matter here
            walk = _Walk({RAW: len(rows.columns)}, [], RAW, (1, 1))
        case Series():
            walk = _Walk({RAW: rows.channels}, [], RAW, (rows.length, 1))
        case Tokens():
            walk = _Walk({RAW: rows.length}, [], RAW, (1, 1))
    for position, layer in enumerate(network.layers):
        _step(walk, f"layers.{position}", layer)
    return Channels(tuple(walk.placed), dict(walk.widths), frozenset({RAW, walk.group}))


def _step(walk: _Walk, name: str, layer: Layer) -> None:
    match layer:
        case Conv():
            _conv(walk, name, layer, walk.new_group(layer.channels))
        case Residual():
            _residual(walk, name, layer)
        case Linear():
            walk.place(name, walk.new_group(layer.features), normalised=False)
        case Flatten():
            walk.spread = walk.size[0] * walk.size[1]
        case Pool():
            walk.size = (1, 1)
        case Dropout():
            pass
        case Steps():  # keeps all that it has: to the layers behind, what it gives is as fixed as raw rows
            walk.widths[RAW], walk.size = layer.outputs, (1, 1)


def _conv(walk: _Walk, name: str, conv: Conv, writes: int) -> None:
    walk.place(name, writes, normalised=True)
    walk.size = (-(-walk.size[0] // conv.stride), -(-walk.size[1] // conv.stride))


def _residual(walk: _Walk, name: str, block: Residual) -> None:
    """What the body and the shortcut end in is added: one group, the input's own for an identity."""
    entered, size = walk.group, walk.size
    added = walk.new_group(block.shortcut[-1].channels) if block.shortcut else entered
    for path, convs in (("shortcut", block.shortcut), ("body", block.body)):
        walk.group, walk.size = entered, size
        for position, conv in enumerate(convs):
            last = position == len(convs) - 1
            _conv(walk, f"{name}.{path}.{position}", conv, added if last else walk.new_group(conv.channels))


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
            paths = {"body": layer.body, "shortcut": layer.shortcut}
            return layer.model_copy(
                update={path: tuple(_convs(f"{name}.{path}", paths[path], written)) for path in paths}
            )
        case Pool() | Flatten() | Dropout() | Steps():
            return layer


def _convs(name: str, convs: tuple[Conv, ...], written: Mapping[str, int]) -> Iterator[Conv]:
    for at, conv in enumerate(convs):
        yield conv.model_copy(update={"channels": written[f"{name}.{at}"]})
