"""How many parameters the networks of docs/models.md have, beside what their papers or PyTorch's own say.

    python benchmarks/parameters.py [--json]

Networks are built on torch's meta device, which has shapes and no numbers: it takes seconds and no memory.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from pydantic import TypeAdapter

from distillery.data.form import Shape
from distillery.models.families import Family
from distillery.models.layers import Conv
from distillery.models.network import Classifier, count_parameters

MNIST, CIFAR = Shape(height=28, width=28, channels=1), Shape(height=32, width=32, channels=3)
IMAGENET = Shape(height=224, width=224, channels=3)
STAGES = [
    {"expand": expand, "channels": channels, "blocks": blocks, "stride": stride}
    for expand, channels, blocks, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
]  # fmt: skip
DEEP = {18: ("basic", [2, 2, 2, 2]), 34: ("basic", [3, 4, 6, 3])} | {
    depth: ("bottleneck", blocks)
    for depth, blocks in ((50, [3, 4, 6, 3]), (101, [3, 4, 23, 3]), (152, [3, 8, 36, 3]))
}
TORCHVISION = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}


@dataclass(frozen=True)
class Row:
    """A network, its parameters here and as published, and what the two differ by."""

    name: str
    classes: int
    parameters: int
    published: str
    why: str


def rows() -> Iterator[Row]:
    """All networks, the smallest kinds first."""
    lenet = {"padding": 2, "convolutions": [6, 16], "hidden": [120, 84]}
    yield _row("lenet5", lenet, MNIST, 10, "60,000", "full connections, a dense output")
    cnn = {"convolutions": [32, 64], "kernel": 3, "norm": False, "hidden": [128], "dropout": 0.5}
    yield _row("cnn", cnn, MNIST, 10, "", "")
    for blocks, published in ((1, "78k"), (3, "0.27M"), (9, "0.85M")):
        block = {"stem_stride": 1, "width": 16, "stages": 3, "blocks": blocks, "dropout": 0.0}
        why = "" if blocks == 1 else "two projections, where the paper pads with zeros"
        yield _row("resnet", block, CIFAR, 10, published, why, f"resnet, {6 * blocks + 2} layers")
    for depth, (kind, counts) in DEEP.items():
        block = {"stem": "large", "block": kind, "width": 64, "blocks": counts, "dropout": 0.0}
        published, name = f"{TORCHVISION[depth]:,}", f"resnet_imagenet, {depth} layers"
        yield _row("resnet_imagenet", block, IMAGENET, 1000, published, "", name)
    mobile = {"stem": 32, "stem_stride": 2, "stages": STAGES, "head": 1280, "width": 1.0, "dropout": 0.2}
    yield _row("mobilenet_v2", mobile, IMAGENET, 1000, "3,504,872", "")
    vgg = {"width": 64, "convolutions": [2, 2, 3, 3, 3], "hidden": [4096, 4096], "dropout": 0.5}
    layers = _network("vgg", vgg, IMAGENET, 1000).layers
    idle = sum(layer.channels for layer in layers if isinstance(layer, Conv))
    why = f"{idle:,} biases that a batch norm makes idle"
    yield _row("vgg", vgg, IMAGENET, 1000, "138,365,992", why, "vgg, 16 layers")


def _network(family: str, block: dict[str, Any], shape: Shape, classes: int) -> Any:
    model: Family = TypeAdapter(Family).validate_python({"family": family} | block)
    return model.network(shape, classes)


def _row(
    family: str, block: dict[str, Any], shape: Shape, classes: int, published: str, why: str, name: str = ""
) -> Row:
    with torch.device("meta"):
        counted = count_parameters(Classifier(_network(family, block, shape, classes)))
    return Row(name or family, classes, counted, published, why)


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.json:
        print(json.dumps([asdict(row) for row in rows()]))
        return
    print(f"| {'network':26} | classes | {'parameters':>11} | {'published':>11} | differs by |")
    print("|---|---|---|---|---|")
    for row in rows():
        print(f"| {row.name:26} | {row.classes:7} | {row.parameters:11,} | {row.published:>11} | {row.why} |")


if __name__ == "__main__":
    main()
