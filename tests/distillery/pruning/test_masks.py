import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.ao.pruning import WeightNormSparsifier
from torch.nn.utils import prune as reference

from distillery.models.network import ConvBlock, DenseBlock
from distillery.params.prune import PatternParams
from distillery.pruning.masks import (
    apply_masks,
    by_magnitude,
    by_pattern,
    by_threshold,
    held_zeros,
    prunable,
    without_smallest,
    zero_share,
)
from distillery.quantization.fake_quantization import with_fake_quantizers


def pattern(training, keep, of):
    return PatternParams(kind="pattern", keep=keep, of=of, penalty=None, training=training())


def modules(model):
    blocks = [m for m in model.modules() if isinstance(m, ConvBlock | DenseBlock)]
    return [block.conv if isinstance(block, ConvBlock) else block.dense for block in blocks]


@pytest.mark.parametrize("share", [0.1, 0.37, 0.5, 0.9])
def test_layer_by_layer_it_is_torch_l1_unstructured(students, share):
    model = copy.deepcopy(students["resnet"])
    masks = by_magnitude(prunable(model), share, "layer")
    for module, mask in zip(modules(model), masks.values(), strict=True):
        reference.l1_unstructured(module, "weight", share)
        assert torch.equal(mask, module.weight_mask.bool())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_over_all_layers_it_is_torch_global_unstructured(students, share):
    model = copy.deepcopy(students["resnet"])
    masks = by_magnitude(prunable(model), share, "network")
    together = [(module, "weight") for module in modules(model)]
    reference.global_unstructured(together, reference.L1Unstructured, amount=share)
    for module, mask in zip(modules(model), masks.values(), strict=True):
        assert torch.equal(mask, module.weight_mask.bool())


def test_over_all_layers_a_layer_of_small_weights_keeps_its_largest():
    weights = {"small": torch.tensor([1e-6, 3e-6, -2e-6]), "large": torch.arange(1.0, 98.0)}
    masks = by_magnitude(weights, 0.5, "network")
    assert masks["small"].tolist() == [False, True, False]
    assert sum(int((~mask).sum()) for mask in masks.values()) == 50


def test_a_threshold_by_hand():
    """Of (1, -1, 3, -3) the deviation is sqrt(5), of (4, -4) it is 4, of all six sqrt(52 / 6)."""
    weights = {"small": torch.tensor([1.0, -1.0, 3.0, -3.0]), "large": torch.tensor([4.0, -4.0])}
    by_layer = by_threshold(weights, 0.5, "layer")  # 1.12 and 2
    assert [mask.tolist() for mask in by_layer.values()] == [[False, False, True, True], [True, True]]
    together = by_threshold(weights, 1.1, "network")  # 3.24
    assert [mask.tolist() for mask in together.values()] == [[False, False, True, True], [True, True]]
    assert by_threshold(weights, 1.1, "layer")["large"].tolist() == [True, True]  # 4.4, but one stays


@given(
    st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=9), min_size=1, max_size=4),
    st.floats(0.01, 5),
    st.sampled_from(["layer", "network"]),
)
def test_a_threshold_leaves_every_layer_its_largest_and_drops_nothing_above_what_stays(layers, bound, scope):
    weights = {str(at): torch.tensor(layer, dtype=torch.float32) for at, layer in enumerate(layers)}
    for name, mask in by_threshold(weights, bound, scope).items():
        sizes = weights[name].abs()
        assert mask[sizes.argmax()]
        assert mask.all() or sizes[~mask].max() < sizes[mask].min()


def test_a_threshold_is_of_what_is_not_zero_and_leaves_an_empty_layer_as_it_is():
    pruned = torch.tensor([0.0, 0.0, 0.0, 2.0, -2.0, 0.5])
    bound = 0.5 * torch.tensor([2.0, -2.0, 0.5]).std(correction=0).item()
    assert 0.5 < bound < 2
    assert by_threshold({"a": pruned}, 0.5, "layer")["a"].tolist() == [False] * 3 + [True, True, False]
    assert by_threshold({"a": torch.zeros(3)}, 0.5, "layer")["a"].tolist() == [True] * 3


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20), st.data())
def test_exactly_as_many_go_as_asked_and_none_is_larger_than_one_that_stays(values, data):
    scores = torch.tensor(values, dtype=torch.float32)
    mask = without_smallest(scores, data.draw(st.integers(0, len(values))))
    count = int((~mask).sum())
    assert sorted(scores[~mask].tolist()) == sorted(values)[:count]


def test_two_of_four_is_what_torchs_own_sparsifier_keeps(training):
    torch.manual_seed(0)
    layer = torch.nn.Linear(32, 8, bias=False)
    theirs = WeightNormSparsifier(1.0, (1, 4), 2)
    theirs.prepare(torch.nn.Sequential(layer), [{"tensor_fqn": "0.weight"}])
    weight = layer.parametrizations.weight.original.detach().clone()
    theirs.step()
    mask = layer.parametrizations.weight[0].mask.bool()
    assert torch.equal(by_pattern(weight, pattern(training, 2, 4)), mask)


def test_a_pattern_runs_along_the_inputs_of_a_kernel(training):
    kernel = torch.tensor([[5.0, 1.0], [4.0, 2.0], [3.0, 9.0], [1.0, 8.0], [0.1, 0.2]]).view(1, 5, 1, 2)
    mask = by_pattern(kernel, pattern(training, 1, 2))
    expected = [
        [True, False],
        [False, True],
        [True, True],
        [False, False],
        [True, True],
    ]  # the fifth is alone
    assert mask.view(5, 2).tolist() == expected


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3))
def test_no_group_of_a_pattern_keeps_more_than_it_may(inputs, keep, more):
    torch.manual_seed(inputs)
    of = keep + more
    method = PatternParams.model_construct(keep=keep, of=of)
    mask = by_pattern(torch.randn(3, inputs, 2, 2), method)
    for start in range(0, inputs, of):
        group = mask[:, start : start + of]
        assert (group.sum(1) == min(keep, group.shape[1])).all()


def test_kernels_and_matrices_are_prunable_and_nothing_else(students):
    weights = prunable(students["resnet"])
    assert list(weights) == [
        "layers.0", "layers.1.body.0", "layers.1.body.1", "layers.2.body.0", "layers.2.body.1",
        "layers.2.shortcut.0", "layers.4",
    ]  # fmt: skip
    assert all(weight.ndim > 1 for weight in weights.values())


def test_zeros_survive_training_under_fake_quantizers_and_a_dense_model_needs_no_holding(students):
    model = copy.deepcopy(students["mlp"])
    assert held_zeros(model) is None
    apply_masks(prunable(model), by_magnitude(prunable(model), 0.6, "layer"))
    quantized = with_fake_quantizers(model)
    hold = held_zeros(quantized)
    weights = prunable(quantized)
    before = {name: weight.detach() == 0 for name, weight in weights.items()}
    assert zero_share(weights) == pytest.approx(0.6, abs=0.01)
    optimizer = torch.optim.Adam(weights.values(), 0.01)
    for seed in range(3):
        torch.manual_seed(seed)
        optimizer.zero_grad()
        quantized.train()(torch.randint(256, (16, 8, 8, 1)).byte()).square().sum().backward()
        optimizer.step()
        hold()
    for name, weight in weights.items():
        np.testing.assert_array_equal((weight.detach() == 0).numpy(), before[name].numpy())
