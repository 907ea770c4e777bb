"""Whether a network that someone wrote down can be built: plain data, no heavy import."""

from __future__ import annotations

from collections.abc import Iterator

from distillery.data.form import Form, Series, Shape, Table, Tokens
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
from distillery.models.sequence_layers import SelfAttention, Steps
from distillery.models.sizes import Size, size_after, size_after_all, size_of

OF_MAPS = Conv | Depthwise | Residual | MaxPool | MeanPool | Pool


def faults_of(network: Network, classes: int) -> Iterator[str]:
    """What is wrong with it; behind the first layer that cannot be built, the sizes are unknown."""
    last = network.layers[-1] if network.layers else None
    if not isinstance(last, Linear) or last.relu or last.features != classes:
        yield f"its last layer must be Linear(features={classes}, relu=False), which gives the logits"
    misread = [*_misread(network)]
    yield from misread
    if misread or isinstance(network.rows, Table):
        return
    size = size_of(network.rows)
    for at, layer in enumerate(network.layers):
        fault = _misfit(layer, network.rows, at) if isinstance(layer, Steps) else _fault(layer, size)
        if fault is not None:
            yield f"layers.{at}, {layer.kind}: {fault}"
            return
        size = size_after(layer, size)


def _misread(network: Network) -> Iterator[str]:
    """What no rows of this form are read by."""
    rows, layers = network.rows, network.layers
    if not isinstance(rows, Shape) and any(isinstance(layer, OF_MAPS) for layer in layers):
        yield "it has layers that read images, and these rows are none"
    if not isinstance(rows, Series | Tokens) and any(isinstance(layer, Steps) for layer in layers):
        yield "it has layers that read sequences, and these rows are none"
    if isinstance(rows, Tokens) and not (layers and isinstance(layers[0], Steps)):
        yield "its first layer must be Steps, which knows a vector for each of these token ids"


def _misfit(steps: Steps, rows: Form, at: int) -> str | None:
    """Why a sequence cannot be read so."""
    if at:
        return "it reads the rows themselves: put it first"
    vocabulary = rows.vocabulary if isinstance(rows, Tokens) else None
    if steps.vocabulary != vocabulary:
        return f"its vocabulary is {steps.vocabulary}, and that of these rows {vocabulary}"
    if isinstance(rows, Tokens) and steps.embed is None:
        return "embed must say how wide the vector of a token id is"
    width = steps.embed or size_of(rows)[-1]
    for number, step in enumerate(steps.body):
        if isinstance(step, SelfAttention) and step.width != width:
            return f"body.{number}, {step.kind}: its width is {step.width}, and steps of {width} come in"
        width = step.outputs
    return None


def _fault(layer: Layer, size: Size) -> str | None:
    match layer:
        case Linear() if len(size) > 1:
            what, instead = ("a map", "Pool()") if len(size) == 3 else ("a series", "Steps")
            return f"it reads flat rows, and {what} {_said(size)} comes in: put {instead} or Flatten() before"
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
