"""A network's shape as data: it is saved beside the weights, so a model reloads without naming any code."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from distillery.data.form import Form
from distillery.models.sequence_layers import Steps
from distillery.params.base import Count


class _Layer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Conv(_Layer):
    """A convolution, batch norm where `norm` (a bias where not), and ReLU where `relu`, up to `ceiling`.

    `padding` None: half the kernel, which keeps the size at stride 1.
    """

    kind: Literal["conv"] = "conv"
    channels: Count
    kernel: Count
    stride: Count
    relu: bool
    norm: bool = True
    padding: Annotated[int, Field(ge=0)] | None = None
    ceiling: Annotated[float, Field(gt=0)] | None = None


class Depthwise(_Layer):
    """A convolution of each channel by itself, batch norm, and ReLU where `relu`, up to `ceiling`."""

    kind: Literal["depthwise"] = "depthwise"
    kernel: Count
    stride: Count
    relu: bool
    ceiling: Annotated[float, Field(gt=0)] | None = None


Convolution = Annotated[Conv | Depthwise, Field(discriminator="kind")]


class Residual(_Layer):
    """body(x) + shortcut(x), and ReLU where `relu`; an empty shortcut is the identity.

    He et al. 2015 (https://arxiv.org/abs/1512.03385), eq. 1 and 2. What is added ends in a `Conv`.
    """

    kind: Literal["residual"] = "residual"
    body: tuple[Convolution, ...]
    shortcut: tuple[Conv, ...]
    relu: bool = True

    @model_validator(mode="after")
    def _the_body_says_its_channels(self) -> Residual:
        if not self.body or not isinstance(self.body[-1], Conv):
            raise ValueError("residual: the last layer of a body is a conv")
        return self


class MaxPool(_Layer):
    """The largest of every window; places beyond the map, `padding` each side, count as none."""

    kind: Literal["max_pool"] = "max_pool"
    kernel: Count
    stride: Count
    padding: Annotated[int, Field(ge=0)] = 0


class MeanPool(_Layer):
    """The mean of every window."""

    kind: Literal["mean_pool"] = "mean_pool"
    kernel: Count
    stride: Count


class Pool(_Layer):
    """The mean over height and width: (N, C, H, W) -> (N, C)."""

    kind: Literal["pool"] = "pool"


class Flatten(_Layer):
    """(N, C, H, W) -> (N, C*H*W)."""

    kind: Literal["flatten"] = "flatten"


class Linear(_Layer):
    """A dense layer, and ReLU where `relu`."""

    kind: Literal["linear"] = "linear"
    features: Count
    relu: bool


class Dropout(_Layer):
    """Zero a share of the features while training (Srivastava et al. 2014)."""

    kind: Literal["dropout"] = "dropout"
    share: Annotated[float, Field(ge=0, lt=1)]


class Module(_Layer):
    """A torch module of the user's own, what is inside not known here: encoded rows in, logits out.

    `function`, written `package.module:function`, gives it for (size, classes, **arguments); `code` is the
    digest of the code behind it when the network was made.
    """

    kind: Literal["module"] = "module"
    function: str
    arguments: dict[str, JsonValue]
    classes: Count
    code: str


Layer = Annotated[
    Conv | Depthwise | Residual | MaxPool | MeanPool | Pool | Flatten | Linear | Dropout | Steps | Module,
    Field(discriminator="kind"),
]


class Network(_Layer):
    """A whole network: raw rows of this form in, logits (N, classes) out."""

    rows: Form
    layers: tuple[Layer, ...]
