"""MobileNetV2 (Sandler et al. 2018): inverted residuals with linear bottlenecks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from distillery.data.form import Form
from distillery.models.images import Channels, only_images, require_readable
from distillery.models.layers import (
    Conv,
    Convolution,
    Depthwise,
    Dropout,
    Layer,
    Linear,
    Network,
    Pool,
    Residual,
)
from distillery.params.base import Block

CEILING = 6.0  # of ReLU6
MULTIPLE = 8  # of which all widths are one


class Stage(Block):
    """Inverted residuals: `blocks` of them, `expand` times as many channels inside, `stride` in the first."""

    expand: Annotated[int, Field(ge=1, le=16)]  # how many times as many channels a block has inside
    channels: Channels  # that a block gives, before `width`
    blocks: Annotated[int, Field(ge=1, le=64)]  # inverted residuals, one behind the other
    stride: Annotated[int, Field(ge=1, le=2)]  # of the first block


class MobileNetV2(Block):
    """A stem, stages of inverted residuals, and a wide 1x1 convolution before the mean.

    Sandler et al. 2018, https://arxiv.org/abs/1801.04381, table 2: `stem` 32, `head` 1280, seven stages.
    `width` multiplies all channels (those of the head from 1 on), which are rounded to multiples of eight as
    in the authors' code. With small images let the stem stride by 1.
    """

    family: Literal["mobilenet_v2"]
    stem: Channels  # channels of the first convolution, before `width`
    stem_stride: Annotated[int, Field(ge=1, le=2)]  # 2: it halves the size
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=16)]  # inverted residuals, in order
    head: Channels  # channels of the last convolution, before `width`
    width: Annotated[float, Field(gt=0, le=8)]  # multiplies all channels
    dropout: Annotated[float, Field(ge=0, lt=1)]  # share dropped before the last layer

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        return only_images("mobilenet_v2", rows)

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and as many logits as classes; ParamsError for a table's."""
        require_readable(self.refusal(rows))
        entered = rounded(self.stem * self.width)
        layers: list[Layer] = [_conv(entered, kernel=3, stride=self.stem_stride)]
        for stage in self.stages:
            left = rounded(stage.channels * self.width)
            for block in range(stage.blocks):
                stride = stage.stride if block == 0 else 1
                layers += _inverted(entered, left, stage.expand, stride)
                entered = left
        layers += [_conv(rounded(self.head * max(1.0, self.width)), kernel=1, stride=1), Pool()]
        layers += [Dropout(share=self.dropout)] if self.dropout else []
        return Network(rows=rows, layers=(*layers, Linear(features=classes, relu=False)))


def rounded(channels: float) -> int:
    """The nearest multiple of eight, and no more than a tenth below what was asked for."""
    nearest = max(MULTIPLE, int(channels + MULTIPLE / 2) // MULTIPLE * MULTIPLE)
    return nearest + MULTIPLE if nearest < 0.9 * channels else nearest


def _inverted(entered: int, left: int, expand: int, stride: int) -> list[Layer]:
    """Wider, each channel by itself, narrower without a ReLU; added to what entered where sizes are equal."""
    wider = [_conv(entered * expand, kernel=1, stride=1)] if expand > 1 else []
    alone = Depthwise(kernel=3, stride=stride, relu=True, ceiling=CEILING)
    body: list[Convolution] = [*wider, alone, Conv(channels=left, kernel=1, stride=1, relu=False)]
    if stride == 1 and entered == left:
        return [Residual(body=tuple(body), shortcut=(), relu=False)]
    return [*body]


def _conv(channels: int, kernel: int, stride: int) -> Conv:
    return Conv(channels=channels, kernel=kernel, stride=stride, relu=True, ceiling=CEILING)
