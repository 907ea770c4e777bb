"""From a network's shape to a torch module, and back from disk.

Every block ends in an activation point, `output`: the identity, until quantization-aware training puts
a fake quantizer there. Weights are read as `conv.weight` or `dense.weight`, which a parametrization may wrap.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from distillery.artifacts import read_json, write_json
from distillery.models.encoding import encoding_of
from distillery.models.layers import (
    Conv,
    Convolution,
    Depthwise,
    Dropout,
    Flatten,
    Linear,
    MaxPool,
    MeanPool,
    Module,
    Network,
    Pool,
    Residual,
)
from distillery.models.layers import Layer as LayerShape
from distillery.models.own_module import own_module
from distillery.models.sequence_layers import Steps
from distillery.models.sequence_modules import StepsBlock
from distillery.models.sizes import Size, padding_of, size_after


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU where asked: (N, C, H, W) -> (N, channels, height, width)."""

    def __init__(self, inputs: int, shape: Convolution) -> None:
        super().__init__()
        channels, groups = (inputs, inputs) if isinstance(shape, Depthwise) else (shape.channels, 1)
        normed = isinstance(shape, Depthwise) or shape.norm
        self.conv = nn.Conv2d(
            inputs, channels, shape.kernel, shape.stride, padding_of(shape), groups=groups, bias=not normed
        )
        self.norm: nn.Module = nn.BatchNorm2d(channels) if normed else nn.Identity()
        self.relu, self.ceiling = shape.relu, shape.ceiling
        self.output: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        y = self.norm(self._convolved(x))
        return cast(Tensor, self.output(_rectified(y, self.ceiling) if self.relu else y))

    def _convolved(self, x: Tensor) -> Tensor:
        """A strided 1x1 reads every stride-th pixel: in training those are picked out first.

        oneDNN's gradient of a strided 1x1 writes past its workspace (uxlfoundation/oneDNN issue 6035).
        """
        stride = self.conv.stride[0]
        if self.training and self.conv.kernel_size == (1, 1) and stride > 1:
            return F.conv2d(x[:, :, ::stride, ::stride], self.conv.weight, self.conv.bias)
        return cast(Tensor, self.conv(x))

    def fold(self) -> None:
        """Put the batch norm's scale and shift into the convolution (eval mode)."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class ResidualBlock(nn.Module):
    """body(x) + shortcut(x), ReLU where asked."""

    def __init__(self, inputs: int, shape: Residual) -> None:
        super().__init__()
        self.body = nn.Sequential(*_convs(inputs, shape.body))
        self.shortcut = nn.Sequential(*_convs(inputs, shape.shortcut))
        self.relu = shape.relu
        self.output: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """One residual block."""
        y = self.body(x) + self.shortcut(x)
        return cast(Tensor, self.output(F.relu(y) if self.relu else y))


class DenseBlock(nn.Module):
    """A dense layer, ReLU where asked: (N, C) -> (N, features)."""

    def __init__(self, inputs: int, shape: Linear) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, shape.features)
        self.relu = shape.relu
        self.output: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """One dense layer."""
        y = self.dense(x)
        return cast(Tensor, self.output(F.relu(y) if self.relu else y))


class PoolBlock(nn.Module):
    """Mean over a map of known size: AdaptiveAvgPool2d would export as a ReduceMean that stays float."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.window = (height, width)
        self.output: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C)."""
        return cast(Tensor, self.output(F.avg_pool2d(x, self.window)).flatten(1))


class MaxPoolBlock(nn.Module):
    """The largest of every window. Its outputs are among its inputs, so it is no activation point."""

    def __init__(self, shape: MaxPool) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, height, width)."""
        return F.max_pool2d(x, self.shape.kernel, self.shape.stride, self.shape.padding)


class MeanPoolBlock(nn.Module):
    """The mean of every window."""

    def __init__(self, shape: MeanPool) -> None:
        super().__init__()
        self.shape = shape
        self.output: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, height, width)."""
        return cast(Tensor, self.output(F.avg_pool2d(x, self.shape.kernel, self.shape.stride)))


class Classifier(nn.Module):
    """Raw rows of its form -> logits (N, classes); the encoding is inside."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.encoding = encoding_of(network.rows)
        self.input: nn.Module = nn.Identity()  # the first activation point
        self.layers = nn.Sequential(*_modules(network, self.encoding.size))

    def forward(self, rows: Tensor) -> Tensor:
        """Logits of raw rows."""
        return self.classify(self.encoding(rows))

    def classify(self, encoded: Tensor) -> Tensor:
        """Logits of encoded rows."""
        return cast(Tensor, self.layers(self.input(encoded)))

    def become(self, other: Classifier) -> None:
        """Take another's shape and weights, in its mode; rows and classes are the same."""
        self.network, self.encoding = other.network, other.encoding
        self.input, self.layers = other.input, other.layers
        self.train(other.training)

    def folded(self) -> Classifier:
        """A copy in eval mode without batch norms, for export and quantization."""
        model = copy.deepcopy(self).eval()
        for block in model.modules():
            if isinstance(block, ConvBlock):
                block.fold()
        return model


def _rectified(x: Tensor, ceiling: float | None) -> Tensor:
    return F.relu(x) if ceiling is None else x.clamp(0.0, ceiling)


def _convs(inputs: int, shapes: tuple[Convolution, ...]) -> Iterator[ConvBlock]:
    for shape in shapes:
        yield ConvBlock(inputs, shape)
        inputs = inputs if isinstance(shape, Depthwise) else shape.channels


def _modules(network: Network, size: Size) -> Iterator[nn.Module]:
    """The layers as modules, following the size of what each reads."""
    for layer in network.layers:
        yield _module(layer, size)
        size = size_after(layer, size)


def _module(layer: LayerShape, size: Size) -> nn.Module:  # noqa: C901 - one a layer
    module: nn.Module
    match layer:
        case Conv() | Depthwise():
            module = ConvBlock(size[0], layer)
        case Residual():
            module = ResidualBlock(size[0], layer)
        case MaxPool():
            module = MaxPoolBlock(layer)
        case MeanPool():
            module = MeanPoolBlock(layer)
        case Pool():
            module = PoolBlock(size[1], size[2])
        case Flatten():
            module = nn.Flatten()
        case Linear():
            module = DenseBlock(size[0], layer)
        case Dropout():
            module = nn.Dropout(layer.share)
        case Steps():
            module = StepsBlock(size, layer)
        case Module():
            module = own_module(layer, size)
    return module


def save_model(model: Classifier, folder: Path) -> None:
    """Write network.json and weights.safetensors; equal weights give equal bytes."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    write_json(folder / "network.json", model.network.model_dump(mode="json"))


def load_model(folder: Path) -> Classifier:
    """Read what `save_model` wrote, in eval mode; nothing is unpickled."""
    model = Classifier(Network.model_validate(read_json(folder / "network.json")))
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    return model.eval()


def count_parameters(model: nn.Module) -> int:
    """Trainable numbers."""
    return sum(parameter.numel() for parameter in model.parameters())
