"""ONNX layers with weights as torch computes them, so that a weight can be learned by gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from onnx import NodeProto, helper
from torch import Tensor
from torch.nn import functional

from distillery.errors import ParamsError

CONVOLUTIONS = {3: torch.conv1d, 4: torch.conv2d, 5: torch.conv3d}  # by the dimensions of the weight


@dataclass(frozen=True)
class Layer:
    """A layer as a function of its input (N, ...) and weight, with the ReLU that follows, if one does."""

    linear: Callable[[Tensor, Tensor], Tensor]
    channels: int = 1  # the axis of its outputs that they lie on
    relu: bool = False

    def run(self, x: Tensor, weight: Tensor) -> Tensor:
        """Outputs (N, ...)."""
        return self.activate(self.linear(x, weight))

    def activate(self, y: Tensor) -> Tensor:
        """What follows the sum."""
        return torch.relu(y) if self.relu else y


def torch_layer(node: NodeProto, known: Mapping[str, NDArray[Any]]) -> Layer:
    """A Conv, Gemm or MatMul of a float graph without its weight; its bias is among the `known` constants.

    Raises ParamsError where torch has no such layer.
    """
    has = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    bias = torch.from_numpy(known[node.input[2]].copy()) if len(node.input) == 3 else None
    match node.op_type:
        case "Conv" if has.get("auto_pad", b"NOTSET") == b"NOTSET":
            return Layer(_convolution(has, bias))
        case "Gemm" if not has.get("transA", 0):
            return Layer(_dense(has, bias))
        case "MatMul":
            return Layer(torch.matmul, channels=-1)
    raise ParamsError(
        "The student's rounding cannot be learned",
        [
            f"quantize.static.rounding: {node.name} pads by itself or turns its input around; "
            "take kind nearest, or export it with plain padding"
        ],
    )


def _convolution(has: dict[str, Any], bias: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
    def run(x: Tensor, weight: Tensor) -> Tensor:
        places = weight.ndim - 2
        pads = has.get("pads", [0] * 2 * places)  # all starts, then all ends
        around = [pads[at + end * places] for at in reversed(range(places)) for end in (0, 1)]
        ones = [1] * places
        return CONVOLUTIONS[weight.ndim](
            functional.pad(x, around), weight, bias,
            stride=has.get("strides", ones), dilation=has.get("dilations", ones), groups=has.get("group", 1),
        )  # fmt: skip

    return run


def _dense(has: dict[str, Any], bias: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
    def run(x: Tensor, weight: Tensor) -> Tensor:
        y: Tensor = has.get("alpha", 1.0) * (x @ (weight.T if has.get("transB", 0) else weight))
        return y if bias is None else y + has.get("beta", 1.0) * bias

    return run
