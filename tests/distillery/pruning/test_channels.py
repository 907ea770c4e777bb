import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillery.data.form import Column, Shape, Table
from distillery.models.layers import Conv, Flatten, Linear, Network
from distillery.models.lenet import Cnn
from distillery.models.mlp import Mlp
from distillery.models.mobilenet import MobileNetV2, Stage
from distillery.models.network import Classifier
from distillery.models.resnet import ResNet
from distillery.models.resnet_imagenet import ResNetImageNet
from distillery.models.vgg import Vgg
from distillery.pruning.channels import RAW, channels_of, narrowed

IMAGE = Shape(height=9, width=7, channels=3)
TABLE = Table(columns=(Column(name="a", categories=None, missing=False),))


def mlp(*hidden):
    return Mlp(family="mlp", hidden=hidden, dropout=0.0)


def resnet(width=4, stages=3, blocks=1):
    return ResNet(family="resnet", stem_stride=1, width=width, stages=stages, blocks=blocks, dropout=0.1)


OTHERS = (
    Cnn(family="cnn", convolutions=(3, 4), kernel=3, norm=False, hidden=(6,), dropout=0.0),
    Vgg(family="vgg", width=3, convolutions=(1, 2), hidden=(5,), dropout=0.0),
    ResNetImageNet(
        family="resnet_imagenet", stem="large", block="bottleneck", width=3, blocks=(2, 1), dropout=0.0
    ),
    MobileNetV2(
        family="mobilenet_v2", stem=8, stem_stride=1, head=16, width=1.0, dropout=0.0,
        stages=(
            Stage(expand=2, channels=8, blocks=2, stride=1),
            Stage(expand=3, channels=16, blocks=2, stride=2),
        ),
    ),
)  # fmt: skip


def test_what_is_added_in_a_residual_network_is_one_group():
    channels = channels_of(resnet(4, stages=2, blocks=2).network(IMAGE, 6))
    stream = {layer.name for layer in channels.writers(channels.layers[0].writes)}
    assert stream == {"layers.0", "layers.1.body.1", "layers.2.body.1"}  # stem, and two identity shortcuts
    wider = channels.writers(next(p.writes for p in channels.layers if p.name == "layers.3.shortcut.0"))
    assert {p.name for p in wider} == {"layers.3.shortcut.0", "layers.3.body.1", "layers.4.body.1"}
    assert sorted(channels.free.values()) == [4, 4, 4, 8, 8, 8]  # two streams, and what is inside four bodies


def test_rows_and_classes_are_fixed():
    channels = channels_of(mlp(16, 12).network(TABLE, 5))
    assert channels.fixed == {RAW, channels.layers[-1].writes}
    assert list(channels.free.values()) == [16, 12]
    assert not channels_of(mlp().network(TABLE, 5)).free


def test_after_a_flatten_a_channel_is_as_many_inputs_as_its_map_has_places():
    layers = (
        Conv(channels=5, kernel=3, stride=2, relu=True), Flatten(), Linear(features=3, relu=False),
    )  # fmt: skip
    channels = channels_of(Network(rows=IMAGE, layers=layers))
    assert [(p.name, p.spread) for p in channels.layers] == [("layers.0", 1), ("layers.2", 5 * 4)]


@settings(max_examples=20)
@given(
    st.one_of(
        st.builds(mlp, st.integers(1, 9), st.integers(1, 9)),
        st.builds(resnet, st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)),
        st.sampled_from(OTHERS),
    )
)
def test_the_groups_agree_with_the_weights_of_the_module(family):
    network = family.network(IMAGE, 6)
    channels, model = channels_of(network), Classifier(network)
    state = model.state_dict()
    named = {name.rpartition(".")[0].rpartition(".")[0]: w for name, w in state.items() if w.ndim > 1}
    sizes = {name: tuple(w.shape[:2]) for name, w in named.items() if name.startswith("layers")}
    assert sizes == {
        p.name: (channels.widths[p.writes], 1 if p.each_alone else channels.widths[p.reads] * p.spread)
        for p in channels.layers
    }


@pytest.mark.parametrize("family", [mlp(7, 5), resnet(6, 3, 2), *OTHERS])
def test_a_network_of_its_own_widths_is_itself_and_of_others_has_those(family):
    network = family.network(IMAGE, 6)
    channels = channels_of(network)
    assert narrowed(network, channels.widths) == network
    halved = {g: max(1, w // 2) if g in channels.free else w for g, w in channels.widths.items()}
    assert channels_of(narrowed(network, halved)).widths == halved
    again = Network.model_validate_json(narrowed(network, halved).model_dump_json())
    assert Classifier(again).network == again


def test_what_a_depthwise_convolution_writes_is_what_it_reads():
    channels = channels_of(OTHERS[-1].network(IMAGE, 6))
    alone = [p for p in channels.layers if p.each_alone]
    assert len(alone) == 4
    for placed in alone:
        assert placed.reads == placed.writes
        (widening,) = [p for p in channels.writers(placed.writes) if p is not placed]
        assert channels.readers(widening.writes) == [channels.layers[channels.layers.index(placed) + 1]]


def test_channels_are_found_without_torch():
    code = (
        "import sys, distillery.pruning.channels, distillery.pruning.fitting;"
        "print('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
