import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distillery.data.form import Shape
from distillery.errors import ParamsError
from distillery.models.layers import Conv, Flatten, Linear, Network
from distillery.models.lenet import Cnn
from distillery.models.mlp import Mlp
from distillery.models.mobilenet import MobileNetV2, Stage
from distillery.models.network import Classifier, DenseBlock, load_model, save_model
from distillery.models.resnet import ResNet
from distillery.models.resnet_imagenet import ResNetImageNet
from distillery.pruning.channels import channels_of
from distillery.pruning.surgery import choose_channels, cut, group_norms, importance, weight_of

IMAGE = Shape(height=9, width=7, channels=3)
FLAT = Network(
    rows=IMAGE,
    layers=(
        Conv(channels=5, kernel=3, stride=2, relu=True), Flatten(),
        Linear(features=6, relu=True), Linear(features=4, relu=False),
    ),
)  # fmt: skip
RESNET = ResNet(family="resnet", stem_stride=2, width=3, stages=3, blocks=2, dropout=0.0)
NETWORKS = {
    "mlp": Mlp(family="mlp", hidden=(7, 5), dropout=0.1).network(IMAGE, 4),
    "resnet": RESNET.network(IMAGE, 4),
    "flat": FLAT,
    "cnn": Cnn(
        family="cnn", convolutions=(4, 5), kernel=3, norm=False, hidden=(6,), dropout=0.0
    ).network(IMAGE, 4),
    "bottlenecks": ResNetImageNet(
        family="resnet_imagenet", stem="large", block="bottleneck", width=3, blocks=(2, 1), dropout=0.0
    ).network(IMAGE, 4),
    "mobilenet": MobileNetV2(
        family="mobilenet_v2", stem=8, stem_stride=1, head=16, width=1.0, dropout=0.0,
        stages=(
            Stage(expand=2, channels=8, blocks=2, stride=1),
            Stage(expand=1, channels=8, blocks=2, stride=2),
        ),
    ).network(IMAGE, 4),
}  # fmt: skip


def images(count=12, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 9, 7, 3), generator=random).byte()


def lived_in(network):
    """A model whose batch norms have seen data and whose parameters are all different."""
    torch.manual_seed(1)
    model = Classifier(network)
    model.encoding.normalise_by(torch.full((3,), 127.0), torch.full((3,), 70.0))
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    for seed in range(3):
        model(images(32, seed))
    return model.eval()


def silenced(model, kept):
    """A copy of the whole size in which every channel that does not stay is zero where it is made."""
    silent, channels = copy.deepcopy(model), channels_of(model.network)
    for layer in channels.layers:
        gone = torch.ones(channels.widths[layer.writes], dtype=torch.bool)
        gone[kept[layer.writes]] = False
        block = silent.get_submodule(layer.name)
        made = (block.dense,) if isinstance(block, DenseBlock) else (block.conv, block.norm)
        for parameter in (p for module in made for p in module.parameters()):
            parameter.data[gone] = 0
    return silent


@settings(max_examples=30)
@given(st.sampled_from(sorted(NETWORKS)), st.data())
def test_a_cut_network_computes_what_the_whole_one_does_with_those_channels_at_zero(name, data):
    model = lived_in(NETWORKS[name])
    kept = {
        group: torch.tensor(sorted(data.draw(st.sets(st.integers(0, width - 1), min_size=1))))
        if group in channels_of(model.network).free
        else torch.arange(width)
        for group, width in channels_of(model.network).widths.items()
    }
    smaller = cut(model, kept)
    torch.testing.assert_close(smaller(images()), silenced(model, kept)(images()), rtol=1e-4, atol=1e-4)
    assert channels_of(smaller.network).widths == {group: len(channels) for group, channels in kept.items()}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_cut_network_is_saved_and_loaded_as_any_other(name, method, tmp_path):
    model = lived_in(NETWORKS[name])
    smaller = cut(model, choose_channels(model, method("channels", share=0.4)))
    save_model(smaller, tmp_path)
    again = load_model(tmp_path)
    assert again.network == smaller.network != model.network
    assert torch.equal(again(images()), smaller(images()))


def test_cutting_nothing_leaves_every_bit(method):
    model = lived_in(NETWORKS["resnet"])
    same = cut(model, {g: torch.arange(w) for g, w in channels_of(model.network).widths.items()})
    assert torch.equal(same(images()), model(images()))


def test_a_model_becomes_another(method):
    model = lived_in(NETWORKS["resnet"])
    smaller = cut(model, choose_channels(model, method("channels")))
    model.become(smaller)
    assert model.network == smaller.network
    assert torch.equal(model(images()), smaller(images()))


TWO_LAYERS = Network(
    rows=Shape(height=1, width=1, channels=2),
    layers=(Flatten(), Linear(features=3, relu=True), Linear(features=2, relu=False)),
)


def by_hand():
    model = Classifier(TWO_LAYERS)
    model.layers[1].dense.weight.data = torch.tensor([[1.0, -2.0], [3.0, 0.0], [0.5, 0.5]])
    model.layers[2].dense.weight.data = torch.tensor([[1.0, 0.0, 3.0], [0.0, -1.0, 3.0]])
    return model


@pytest.mark.parametrize(("kind", "scores"), [("l1", [3, 3, 1]), ("group", [5 + 1, 9 + 1, 0.5 + 18])])
def test_importances_of_three_hidden_units_by_hand(method, kind, scores):
    model = by_hand()
    (found,) = importance(model, channels_of(TWO_LAYERS), method("channels", importance=kind)).values()
    torch.testing.assert_close(found, torch.tensor(scores, dtype=torch.float32))


def test_a_channel_of_a_stream_matters_by_all_that_is_added_to_it(method):
    model = lived_in(NETWORKS["resnet"])
    channels = channels_of(model.network)
    stream = channels.layers[0].writes
    names = [layer.name for layer in channels.writers(stream)]
    assert len(names) == 3
    scale = importance(model, channels, method("channels", importance="scale"))[stream]
    torch.testing.assert_close(scale, sum(model.get_submodule(name).norm.weight.abs() for name in names))
    norms = group_norms(model, channels)[stream]
    squares = sum(weight_of(model, p).square().sum((1, 2, 3)) for p in channels.writers(stream))
    torch.testing.assert_close(norms, squares.sqrt())


def test_scale_without_batch_norms_is_refused_and_names_the_layer(method):
    with pytest.raises(ParamsError, match=r"layers\.1 has none; use l1 or group"):
        choose_channels(by_hand(), method("channels", importance="scale"))


def widths_left(model, method):
    kept = choose_channels(model, method)
    return [len(kept[group]) for group in channels_of(model.network).free]


def test_the_least_important_go_and_the_others_stay_in_their_order(method):
    kept = choose_channels(by_hand(), method("channels", share=0.34))
    assert kept[1].tolist() == [0, 1]
    kept = choose_channels(by_hand(), method("channels", importance="group", share=0.34))
    assert kept[1].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("share", "multiple", "widths"),
    [
        (0.01, 1, [7, 5]), (0.4, 1, [4, 3]), (0.9, 1, [1, 1]), (0.99, 1, [1, 1]),
        (0.4, 3, [6, 3]), (0.9, 2, [2, 2]), (0.1, 4, [7, 5]),
    ],
)  # fmt: skip
def test_every_group_keeps_its_share_of_seven_and_five_rounded_up_to_multiples(
    method, share, multiple, widths
):
    model = lived_in(NETWORKS["mlp"])
    assert widths_left(model, method("channels", share=share, multiple=multiple)) == widths


def test_over_the_network_a_group_of_equals_outlives_one_with_weak_channels(method):
    model = lived_in(NETWORKS["mlp"])
    first, second = (model.layers[at].dense for at in (1, 3))
    first.weight.data = torch.ones_like(first.weight)
    second.weight.data = 100 * torch.arange(1.0, 6.0)[:, None].expand_as(second.weight).clone()
    left = widths_left(model, method("channels", scope="network", share=2 / 12))
    assert left == [7, 3]  # relative to their mean of 300: 100 and 200 are below ones that are all their mean
