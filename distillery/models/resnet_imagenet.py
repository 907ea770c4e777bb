"""Residual networks in the ImageNet form (He et al. 2015, table 1): 18, 34, 50, 101 and 152 layers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from distillery.data.form import Form
from distillery.models.images import Channels, only_images, require_readable
from distillery.models.layers import Conv, Dropout, Layer, Linear, MaxPool, Network, Pool, Residual
from distillery.params.base import Block

EXPANSION = 4  # of a bottleneck: channels that come out, as multiples of those inside

Blocks = Annotated[int, Field(ge=1, le=64)]


class ResNetImageNet(Block):
    """Stages of residual blocks; `width` channels at first, doubled where the size halves.

    He et al. 2015, https://arxiv.org/abs/1512.03385, with `width` 64: `blocks` [2, 2, 2, 2] of `basic` are
    ResNet-18, [3, 4, 6, 3] 34, and of `bottleneck` [3, 4, 6, 3] 50, [3, 4, 23, 3] 101, [3, 8, 36, 3] 152. A
    bottleneck strides in its 3x3 convolution, as is usual today. The stem `large` is a 7x7 convolution and a
    3x3 maximum, which leave a sixteenth of the places; `small`, a 3x3 convolution that leaves them all.
    """

    family: Literal["resnet_imagenet"]
    stem: Literal["large", "small"]  # for large images, such as photographs, or for small ones
    block: Literal["basic", "bottleneck"]  # two convolutions, or three round a narrow one
    width: Channels  # channels of the first stage
    blocks: Annotated[tuple[Blocks, ...], Field(min_length=1, max_length=5)]  # how many a stage has
    dropout: Annotated[float, Field(ge=0, lt=1)]  # share dropped before the last layer

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        return only_images("resnet_imagenet", rows)

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and as many logits as classes; ParamsError for a table's."""
        require_readable(self.refusal(rows))
        layers, entered = self._stem(), self.width
        for stage, count in enumerate(self.blocks):
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                body = self._body(self.width * 2**stage, stride)
                left = body[-1].channels
                layers += [Residual(body=body, shortcut=_shortcut(entered, left, stride))]
                entered = left
        layers += [Pool()] + ([Dropout(share=self.dropout)] if self.dropout else [])
        return Network(rows=rows, layers=(*layers, Linear(features=classes, relu=False)))

    def _stem(self) -> list[Layer]:
        match self.stem:
            case "large":
                conv = Conv(channels=self.width, kernel=7, stride=2, relu=True)
                return [conv, MaxPool(kernel=3, stride=2, padding=1)]
            case "small":
                return [Conv(channels=self.width, kernel=3, stride=1, relu=True)]

    def _body(self, channels: int, stride: int) -> tuple[Conv, ...]:
        match self.block:
            case "basic":
                first = Conv(channels=channels, kernel=3, stride=stride, relu=True)
                return first, Conv(channels=channels, kernel=3, stride=1, relu=False)
            case "bottleneck":
                narrow = Conv(channels=channels, kernel=1, stride=1, relu=True)
                middle = Conv(channels=channels, kernel=3, stride=stride, relu=True)
                return narrow, middle, Conv(channels=channels * EXPANSION, kernel=1, stride=1, relu=False)


def _shortcut(entered: int, left: int, stride: int) -> tuple[Conv, ...]:
    """The identity where the size stays, else a projection (option B of section 4.1)."""
    if stride == 1 and entered == left:
        return ()
    return (Conv(channels=left, kernel=1, stride=stride, relu=False),)
