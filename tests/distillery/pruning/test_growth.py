import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from distillery.models.layers import Conv, Linear
from distillery.models.network import ConvBlock, DenseBlock
from distillery.pruning.growth import by_gradient, growing, similarity
from distillery.pruning.masks import prunable, weighted_blocks


def test_cosines_of_a_dense_layer_by_hand():
    """Units 1 and 2 read (3, 0) and (0, 1) over two rows; the outputs are (3, 4) and (0, -2)."""
    block = DenseBlock(2, Linear(features=2, relu=False))
    read = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    gave = torch.tensor([[3.0, 0.0], [4.0, -2.0]])
    expected = torch.tensor([[9 / 15, 4 / 5], [0.0, 1.0]])  # |cos|: the last two are opposite
    assert torch.allclose(similarity(block, read, gave), expected)


def test_what_was_never_active_is_like_nothing():
    block = DenseBlock(2, Linear(features=1, relu=False))
    found = similarity(block, torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([[2.0], [2.0]]))
    assert found.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (1, 1), (1, 2)])
def test_a_kernels_weight_reads_its_channel_shifted_to_its_place(kernel, stride):
    torch.manual_seed(0)
    block = ConvBlock(2, Conv(channels=3, kernel=kernel, stride=stride, relu=True))
    read, gave = torch.randn(4, 2, 7, 6), torch.randn(4, 3, -(-7 // stride), -(-6 // stride))
    found = similarity(block, read, gave)
    padded = F.pad(read, [kernel // 2] * 4)
    for out, channel, i, j in ((o, c, i, j) for o, c, i, j in torch.cartesian_prod(
        torch.arange(3), torch.arange(2), torch.arange(kernel), torch.arange(kernel)
    ).tolist()):  # fmt: skip
        rows, columns = gave.shape[2:]
        at = padded[:, channel, i:, j:][:, ::stride, ::stride][:, :rows, :columns].flatten()
        to = gave[:, out].flatten()
        cosine = abs(float(at @ to)) / math.sqrt(float(at @ at) * float(to @ to))
        assert float(found[out, channel, i, j]) == pytest.approx(cosine, abs=1e-5)


def test_a_grouped_kernel_compares_with_the_inputs_of_its_own_group():
    torch.manual_seed(0)
    grouped, plain = (ConvBlock(4, Conv(channels=4, kernel=3, stride=1, relu=False)) for _ in range(2))
    grouped.conv = nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False)
    read, gave = torch.randn(2, 4, 5, 5), torch.randn(2, 4, 5, 5)
    whole, found = similarity(plain, read, gave), similarity(grouped, read, gave)
    assert torch.allclose(found[:2], whole[:2, :2], atol=1e-6)
    assert torch.allclose(found[2:], whole[2:, 2:], atol=1e-6)


def test_the_gradient_is_asked_for_before_it_can_answer():
    weight = nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match="without a gradient"):
        by_gradient("", weight)
    weight.grad = torch.tensor([-2.0, 1.0])
    assert by_gradient("", weight).tolist() == [2.0, 1.0]


def test_activations_are_of_the_last_batch_that_was_trained_on_and_watched_no_longer_than_asked(students):
    model = copy.deepcopy(students["resnet"])
    torch.manual_seed(0)
    trained, validated = (torch.randint(256, (8, 8, 8, 1)).byte() for _ in range(2))
    with growing(model, "activation") as worth:
        model.train()(trained)
        first = {name: worth(name, weight) for name, weight in prunable(model).items()}
        model.eval()(validated)
        again = {name: worth(name, weight) for name, weight in prunable(model).items()}
        model.train()(validated)
        other = worth("layers.0", prunable(model)["layers.0"])
    for name, weight in prunable(model).items():
        assert first[name].shape == weight.shape
        assert 0 <= float(first[name].min()) <= float(first[name].max()) <= 1 + 1e-5
        assert first[name].equal(again[name])
    assert not other.equal(first["layers.0"])
    assert not any(block._forward_hooks for block in weighted_blocks(model).values())


def test_reduced_precision_is_compared_in_full():
    block = DenseBlock(2, Linear(features=2, relu=False))
    read = torch.tensor([[3.0, 1.0], [1.0, 2.0]])
    gave = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    found = similarity(block, read.bfloat16(), gave.bfloat16())
    assert found.dtype == torch.float32
    assert torch.allclose(found, similarity(block, read, gave))
