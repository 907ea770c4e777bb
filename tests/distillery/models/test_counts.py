"""Parameters counted against the papers, and against the counts that torchvision publishes for its models."""

from __future__ import annotations

import pytest
import torch

from distillery.data.form import Shape
from distillery.models.layers import Conv, Depthwise, Residual
from distillery.models.network import Classifier, count_parameters
from distillery.models.sizes import size_after_all

IMAGENET = Shape(height=224, width=224, channels=3)
CIFAR = Shape(height=32, width=32, channels=3)
MNIST = Shape(height=28, width=28, channels=1)
MOBILENET = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
STAGES = [dict(zip(("expand", "channels", "blocks", "stride"), row, strict=True)) for row in MOBILENET]


def parameters(family, rows, classes):
    """Counted on torch's meta device, which has shapes and no numbers."""
    with torch.device("meta"):
        return count_parameters(Classifier(family.network(rows, classes)))


def convolutions(network):
    for layer in network.layers:
        yield from (*layer.body, *layer.shortcut) if isinstance(layer, Residual) else (layer,)


@pytest.mark.parametrize(
    ("block", "blocks", "count"),
    [
        ("basic", [2, 2, 2, 2], 11_689_512), ("basic", [3, 4, 6, 3], 21_797_672),
        ("bottleneck", [3, 4, 6, 3], 25_557_032), ("bottleneck", [3, 4, 23, 3], 44_549_160),
        ("bottleneck", [3, 8, 36, 3], 60_192_808),
    ],
)  # fmt: skip
def test_residual_networks_of_18_to_152_layers_have_as_many_as_torchvision_s(
    small_family, block, blocks, count
):
    family = small_family("resnet_imagenet", stem="large", block=block, width=64, blocks=blocks)
    assert parameters(family, IMAGENET, 1000) == count


@pytest.mark.parametrize(
    ("block", "blocks", "depth"), [("basic", [2, 2, 2, 2], 18), ("bottleneck", [3, 8, 36, 3], 152)]
)
def test_a_residual_network_is_as_deep_as_its_name(small_family, block, blocks, depth):
    network = small_family("resnet_imagenet", block=block, blocks=blocks).network(IMAGENET, 1000)
    bodies = [layer.body for layer in network.layers if isinstance(layer, Residual)]
    assert 1 + sum(map(len, bodies)) + 1 == depth


def test_a_large_stem_leaves_a_sixteenth_of_the_places_and_a_small_one_all(small_family):
    sizes = {}
    for stem in ("large", "small"):
        layers = small_family("resnet_imagenet", stem=stem, width=64).network(IMAGENET, 10).layers
        first = next(at for at, layer in enumerate(layers) if isinstance(layer, Residual))
        sizes[stem] = size_after_all(layers[:first], (3, 224, 224))
    assert sizes == {"large": (64, 56, 56), "small": (64, 224, 224)}


def test_mobilenet_v2_has_as_many_as_torchvision_s(small_family):
    family = small_family("mobilenet_v2", stem=32, stem_stride=2, stages=STAGES, head=1280)
    assert parameters(family, IMAGENET, 1000) == 3_504_872


@pytest.mark.parametrize(("width", "millions"), [(0.5, 1.95), (0.75, 2.61), (1.3, 5.34), (1.4, 6.06)])
def test_mobilenet_v2_of_other_widths_has_what_its_authors_say(small_family, width, millions):
    """Their table of released models; it leaves some of the batch norms out, at the most one in a hundred."""
    family = small_family("mobilenet_v2", stem=32, stem_stride=2, stages=STAGES, head=1280, width=width)
    assert parameters(family, IMAGENET, 1000) / 1e6 == pytest.approx(millions, rel=0.012)


def test_vgg_16_has_as_many_as_torchvision_s_but_for_biases_that_a_batch_norm_makes_idle(small_family):
    family = small_family("vgg", width=64, convolutions=[2, 2, 3, 3, 3], hidden=[4096, 4096], dropout=0.5)
    layers = family.network(IMAGENET, 1000).layers
    idle = sum(layer.channels for layer in layers if isinstance(layer, Conv))
    assert parameters(family, IMAGENET, 1000) + idle == 138_365_992


def test_lenet_5_has_the_paper_s_layers(small_family):
    """Table by table: C1 156, C5 48,120 and F6 10,164 as in section II.B; C3 and the output are full here."""
    family = small_family("lenet5", padding=2, convolutions=[6, 16], hidden=[120, 84])
    model = Classifier(family.network(MNIST, 10))
    assert [count_parameters(m) for m in model.layers if count_parameters(m)] == [
        156,
        2416,
        48120,
        10164,
        850,
    ]


def test_the_plain_network_has_the_parameters_of_its_layers_by_hand(small_family):
    family = small_family("cnn", convolutions=[32, 64], hidden=[128])
    by_hand = (9 * 32 + 32) + (9 * 32 * 64 + 64) + (7 * 7 * 64 * 128 + 128) + (128 * 10 + 10)
    assert parameters(family, MNIST, 10) == by_hand


@pytest.mark.parametrize(("blocks", "millions"), [(3, 0.27), (5, 0.46), (7, 0.66), (9, 0.85), (18, 1.7)])
def test_cifar_networks_have_the_paper_s_count_but_for_their_two_projections(small_family, blocks, millions):
    """He et al. 2015, table 6: 20, 32, 44, 56 and 110 layers, whose shortcuts have no parameters."""
    family = small_family("resnet", width=16, stages=3, blocks=blocks)
    network = family.network(CIFAR, 10)
    projections = sum(16 * 2**at * 32 * 2**at + 2 * 32 * 2**at for at in range(2))
    assert 1 + 2 * sum(isinstance(layer, Residual) for layer in network.layers) + 1 == 6 * blocks + 2
    counted = parameters(family, CIFAR, 10) - projections
    assert round(counted / 1e6, 1 if blocks == 18 else 2) == millions


def test_a_wider_network_of_any_family_has_more(small_family):
    wider = {
        "lenet5": {"convolutions": [4, 6]}, "cnn": {"convolutions": [8, 12]}, "resnet": {"width": 5},
        "resnet_imagenet": {"width": 4}, "mobilenet_v2": {"width": 2.0}, "vgg": {"width": 5},
    }  # fmt: skip
    for name, change in wider.items():
        assert parameters(small_family(name, **change), CIFAR, 10) > parameters(small_family(name), CIFAR, 10)


def test_every_convolution_of_mobilenet_but_the_narrowing_ones_ends_at_six(small_family):
    family = small_family("mobilenet_v2", stages=STAGES)
    ceilings = {
        (type(layer), layer.relu, layer.ceiling)
        for layer in convolutions(family.network(CIFAR, 10))
        if isinstance(layer, Conv | Depthwise)
    }
    assert ceilings == {(Conv, True, 6.0), (Conv, False, None), (Depthwise, True, 6.0)}
