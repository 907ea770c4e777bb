"""A network's shape as data: it is saved beside the weights, so a model reloads without naming any code."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from distillery.data.form import Form
from distillery.models.sequence_layers import Steps


class _Layer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Conv(_Layer):
    """A 3x3-like convolution, batch norm, and ReLU where `relu`; padded to keep the size at stride 1."""

    kind: Literal["conv"] = "conv"
    channels: int
    kernel: int
    stride: int
    relu: bool


class Residual(_Layer):
    """relu(body(x) + shortcut(x)); an empty shortcut is the identity (He et al. 2015, eq. 1 and 2)."""

    kind: Literal["residual"] = "residual"
    body: tuple[Conv, ...]
    shortcut: tuple[Conv, ...]


class Pool(_Layer):
    """The mean over height and width: (N, C, H, W) -> (N, C)."""

    kind: Literal["pool"] = "pool"


class Flatten(_Layer):
    """(N, C, H, W) -> (N, C*H*W)."""

    kind: Literal["flatten"] = "flatten"


class Linear(_Layer):
    """A dense layer, and ReLU where `relu`."""

    kind: Literal["linear"] = "linear"
    features: int
    relu: bool


class Dropout(_Layer):
    """Zero a share of the features while training (Srivastava et al. 2014)."""

    kind: Literal["dropout"] = "dropout"
    share: float


Layer = Annotated[Conv | Residual | Pool | Flatten | Linear | Dropout | Steps, Field(discriminator="kind")]


class Network(_Layer):
    """A whole network: raw rows of this form in, logits (N, classes) out."""

    rows: Form
    layers: tuple[Layer, ...]
