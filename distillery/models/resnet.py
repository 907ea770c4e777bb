"""A small residual network (He et al. 2015, the CIFAR form) with a width knob."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from distillery.data.form import Form
from distillery.models.images import only_images, require_readable
from distillery.models.layers import Conv, Dropout, Layer, Linear, Network, Pool, Residual
from distillery.params.base import Block


class ResNet(Block):
    """`stages` stages of `blocks` residual blocks; `width` channels at first, doubled where the size halves.

    A stem that strides over every second pixel makes all that follows four times cheaper.
    Three stages of n blocks have 6n + 2 layers: with 16 channels one is the ResNet-8 of MLPerf Tiny, three
    the ResNet-20 and nine the ResNet-56 of He et al. 2015 (https://arxiv.org/abs/1512.03385, section 4.2).
    Theirs pad shortcuts to other widths with zeros; here these are projections (their option B, section 4.1),
    which can lose channels, and which are all that the counts of parameters differ by.
    """

    family: Literal["resnet"]
    stem_stride: Annotated[int, Field(ge=1, le=2)]  # 2: the stem strides over every second pixel
    width: Annotated[int, Field(ge=1, le=512)]  # channels of the first stage
    stages: Annotated[int, Field(ge=1, le=5)]  # each after the first halves the size
    blocks: Annotated[int, Field(ge=1, le=32)]  # residual blocks of a stage
    dropout: Annotated[float, Field(ge=0, lt=1)]  # share dropped before the last layer

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        return only_images("resnet", rows)

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and as many logits as classes; ParamsError for a table's."""
        require_readable(self.refusal(rows))
        layers: list[Layer] = [Conv(channels=self.width, kernel=3, stride=self.stem_stride, relu=True)]
        for stage in range(self.stages):
            channels = self.width * 2**stage
            for block in range(self.blocks):
                layers += [_residual(channels, halve=stage > 0 and block == 0)]
        layers += [Pool()] + ([Dropout(share=self.dropout)] if self.dropout else [])
        return Network(rows=rows, layers=(*layers, Linear(features=classes, relu=False)))


def _residual(channels: int, *, halve: bool) -> Residual:
    first = Conv(channels=channels, kernel=3, stride=2 if halve else 1, relu=True)
    second = Conv(channels=channels, kernel=3, stride=1, relu=False)
    projection = (Conv(channels=channels, kernel=1, stride=2, relu=False),) if halve else ()
    return Residual(body=(first, second), shortcut=projection)
