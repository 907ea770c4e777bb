from __future__ import annotations

import copy

import pytest
import torch

from distillery.data.batches import plain_batches
from distillery.data.rows import Split
from distillery.errors import DataError
from distillery.models.mlp import Mlp
from distillery.models.network import Classifier, save_model
from distillery.models.resnet import ResNet
from distillery.warm_start import begin_from, fresh_classes, misfit, pack, unpack

SHAPES = {
    "mlp": Mlp(family="mlp", hidden=(16,), dropout=0.0),
    "resnet": ResNet(family="resnet", stem_stride=1, width=4, stages=2, blocks=1, dropout=0.0),
}


@pytest.fixture
def packed(students, rows, tmp_path):
    """Makes the file of a trained student."""

    def make(family, classes=rows.classes):
        save_model(students[family], tmp_path)
        parts = ((tmp_path / name).read_bytes() for name in ("network.json", "weights.safetensors"))
        return pack(*parts, classes)

    return make


@pytest.fixture
def images(rows):
    return next(iter(plain_batches(rows, rows.where(Split.TEST)))).features


def fresh(family, rows, classes):
    torch.manual_seed(1)
    return Classifier(SHAPES[family].network(rows.form, len(classes))).eval()


def test_equal_networks_are_packed_into_equal_bytes_and_come_back(packed, students, rows):
    content = packed("resnet")
    assert content == packed("resnet")
    known = unpack(content)
    assert (known.network, known.classes) == (students["resnet"].network, rows.classes)
    for name, tensor in students["resnet"].state_dict().items():
        assert torch.equal(known.weights[name], tensor)


def test_weights_of_another_network_and_names_too_few_are_no_network(students, rows, tmp_path):
    files = {}
    for family, model in students.items():
        save_model(model, tmp_path)
        files[family] = [(tmp_path / n).read_bytes() for n in ("network.json", "weights.safetensors")]
    with pytest.raises(ValueError, match="are not those of the network"):
        pack(files["mlp"][0], files["resnet"][1], rows.classes)
    with pytest.raises(ValueError, match="has not 9 logits"):
        pack(*files["mlp"], rows.classes[:9])


@pytest.mark.parametrize("family", ["mlp", "resnet"])
def test_a_known_class_has_the_logit_that_it_had_wherever_it_stands_now(
    family, packed, students, rows, images
):
    """All classes known, some gone, one new, in another order; the same encoding."""
    classes = ("7", "new", "0", "3")
    student = fresh(family, rows, classes)
    student.encoding = copy.deepcopy(students[family].encoding)
    before = copy.deepcopy(student.state_dict())
    begin_from(student, unpack(packed(family)), classes)
    with torch.no_grad():
        now, then = student(images), students[family].eval()(images)
    torch.testing.assert_close(now[:, [0, 2, 3]], then[:, [7, 0, 3]])
    head = [name for name in before if name.startswith(f"layers.{len(student.layers) - 1}.")]
    assert len(head) == 2
    for name in head:
        assert torch.equal(student.state_dict()[name][1], before[name][1])
    assert fresh_classes(unpack(packed(family)), classes) == ["new"]


def test_the_encoding_is_the_one_of_the_present_rows(packed, rows):
    student = fresh("resnet", rows, rows.classes)
    student.encoding.normalise_by(torch.tensor([2.0]), torch.tensor([5.0]))
    begin_from(student, unpack(packed("resnet")), rows.classes)
    assert float(student.encoding.scale) == pytest.approx(0.2)
    assert float(student.encoding.shift) == pytest.approx(-0.4)


def test_another_architecture_is_told_and_refused(packed, rows, table):
    known = unpack(packed("mlp"))
    wider = Mlp(family="mlp", hidden=(17,), dropout=0.0).network(rows.form, 10)
    of_a_table = SHAPES["mlp"].network(table.form, 10)
    assert misfit(known, known.network) is None
    assert misfit(known, SHAPES["mlp"].network(rows.form, 12)) is None
    assert misfit(known, wider) == "its layers are not those of student.model"
    assert misfit(known, of_a_table) == "it reads rows of another form"
    with pytest.raises(DataError, match=r"cannot begin .*: its layers .*; set retrain.start to fresh"):
        begin_from(Classifier(wider), known, rows.classes)
