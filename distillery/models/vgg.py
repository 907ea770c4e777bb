"""VGG with batch norm (Simonyan & Zisserman 2015; Ioffe & Szegedy 2015)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from distillery.data.form import Form
from distillery.models.images import Channels, Features, only_images, require_readable, too_small
from distillery.models.layers import Conv, Dropout, Flatten, Layer, Linear, MaxPool, Network
from distillery.params.base import Block, Count

WIDEST = 8  # times the first stage's channels


class Vgg(Block):
    """Stages of 3x3 convolutions, each ended by a 2x2 maximum, then dense layers.

    `convolutions` says how many a stage has; `width` channels at first, doubled from stage to stage up to
    eight times. [2, 2, 3, 3, 3] of width 64 with `hidden` [4096, 4096] is VGG-16 (configuration D of
    https://arxiv.org/abs/1409.1556, table 1). The first dense layer takes what is left of the image, so that
    its weights are fewer for smaller ones.
    """

    family: Literal["vgg"]
    width: Channels  # channels of the first stage
    convolutions: Annotated[tuple[Count, ...], Field(min_length=1, max_length=7)]  # how many a stage has
    hidden: tuple[Features, ...]  # widths of the dense layers before the last
    dropout: Annotated[float, Field(ge=0, lt=1)]  # share dropped after each dense layer

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        said = f"vgg with {len(self.convolutions)} stages"
        return only_images("vgg", rows) or too_small(said, rows, 2 ** len(self.convolutions))

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and a logit a class; ParamsError where they do not fit."""
        require_readable(self.refusal(rows))
        layers: list[Layer] = []
        for stage, count in enumerate(self.convolutions):
            channels = self.width * min(2**stage, WIDEST)
            layers += [Conv(channels=channels, kernel=3, stride=1, relu=True)] * count
            layers += [MaxPool(kernel=2, stride=2)]
        layers += [Flatten()]
        for width in self.hidden:
            layers += [Linear(features=width, relu=True)]
            layers += [Dropout(share=self.dropout)] if self.dropout else []
        return Network(rows=rows, layers=(*layers, Linear(features=classes, relu=False)))
