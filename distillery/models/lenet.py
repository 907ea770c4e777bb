"""LeNet-5 (LeCun et al. 1998) and the plain two-convolution network that tutorials begin with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from distillery.data.form import Form
from distillery.models.images import Channels, Features, only_images, require_readable, too_small
from distillery.models.layers import Conv, Dropout, Flatten, Layer, Linear, MaxPool, MeanPool, Network
from distillery.params.base import Block

SMALLEST = 16  # 16 -> 12 -> 6 -> 2 -> 1


class LeNet5(Block):
    """Two 5x5 convolutions with a 2x2 mean after each, and dense layers.

    LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf, section II.B, whose widths are
    `convolutions` [6, 16] and `hidden` [120, 84], with a `padding` of 2 for images of 28 pixels. As it is
    used today: ReLU for tanh, means without weights, every map of the second convolution sees all of the
    first, and a dense layer gives the logits.
    """

    family: Literal["lenet5"]
    padding: Annotated[int, Field(ge=0, le=4)]  # pixels added on each side before the first convolution
    convolutions: tuple[Channels, Channels]  # channels of each
    hidden: tuple[Features, ...]  # widths of the dense layers before the last

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        said = f"lenet5 with padding {self.padding}"
        return only_images("lenet5", rows) or too_small(said, rows, SMALLEST - 2 * self.padding)

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and a logit a class; ParamsError where they do not fit."""
        require_readable(self.refusal(rows))
        layers: list[Layer] = []
        for channels, padding in zip(self.convolutions, (self.padding, 0), strict=True):
            layers += [Conv(channels=channels, kernel=5, stride=1, relu=True, norm=False, padding=padding)]
            layers += [MeanPool(kernel=2, stride=2)]
        layers += [Flatten(), *(Linear(features=width, relu=True) for width in self.hidden)]
        return Network(rows=rows, layers=(*layers, Linear(features=classes, relu=False)))


class Cnn(Block):
    """Convolutions of `kernel` pixels, each with ReLU and a 2x2 maximum, then dense layers.

    `convolutions` [32, 64] with `kernel` 3 or 5 and `hidden` [128] are what tutorials of MNIST begin with.
    """

    family: Literal["cnn"]
    convolutions: Annotated[tuple[Channels, ...], Field(min_length=1, max_length=8)]  # channels of each
    kernel: Literal[1, 3, 5, 7]  # pixels, each way
    norm: bool  # whether a batch norm follows each
    hidden: tuple[Features, ...]  # widths of the dense layers before the last
    dropout: Annotated[float, Field(ge=0, lt=1)]  # share dropped after each dense layer

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        return only_images("cnn", rows) or too_small(
            f"cnn with {len(self.convolutions)} convolutions", rows, 2 ** len(self.convolutions)
        )

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and a logit a class; ParamsError where they do not fit."""
        require_readable(self.refusal(rows))
        layers: list[Layer] = []
        for channels in self.convolutions:
            layers += [Conv(channels=channels, kernel=self.kernel, stride=1, relu=True, norm=self.norm)]
            layers += [MaxPool(kernel=2, stride=2)]
        layers += [Flatten()]
        for width in self.hidden:
            layers += [Linear(features=width, relu=True)]
            layers += [Dropout(share=self.dropout)] if self.dropout else []
        return Network(rows=rows, layers=(*layers, Linear(features=classes, relu=False)))
