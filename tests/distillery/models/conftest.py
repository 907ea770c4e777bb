"""Every family that reads images, as small as its test needs it."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

SMALL_STAGES = [
    {"expand": 1, "channels": 8, "blocks": 1, "stride": 1},
    {"expand": 3, "channels": 8, "blocks": 2, "stride": 2},
]
SMALL = {
    "lenet5": {"padding": 4, "convolutions": [3, 5], "hidden": [12]},
    "cnn": {"convolutions": [6, 8], "kernel": 3, "norm": False, "hidden": [16], "dropout": 0.1},
    "resnet": {"stem_stride": 1, "width": 4, "stages": 2, "blocks": 1, "dropout": 0.0},
    "resnet_imagenet": {"stem": "large", "block": "bottleneck", "width": 3, "blocks": [1, 2], "dropout": 0.0},
    "mobilenet_v2": {
        "stem": 8, "stem_stride": 1, "stages": SMALL_STAGES, "head": 16, "width": 1.0, "dropout": 0.1,
    },
    "vgg": {"width": 4, "convolutions": [1, 2], "hidden": [10], "dropout": 0.1},
}  # fmt: skip


def pytest_generate_tests(metafunc):
    if "image_family" in metafunc.fixturenames:
        metafunc.parametrize("image_family", sorted(set(SMALL) - {"resnet"}))  # which all other tests work on


@pytest.fixture(scope="session")
def small_family():
    """A small model block of a family, with changes by keyword."""
    from distillery.models.families import Family

    def make(name, **changes):
        block = {"family": name} | SMALL.get(name, {}) | changes
        return TypeAdapter(Family).validate_python(block)

    return make
