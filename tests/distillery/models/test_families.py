from __future__ import annotations

import pytest

from distillery.data.form import Column, Shape, Table
from distillery.errors import ParamsError
from distillery.models.families import INSTEAD, require_fitting
from distillery.models.layers import Flatten
from distillery.models.mlp import Mlp
from distillery.models.resnet import ResNet
from distillery.params.project import load_params

MLP = Mlp(family="mlp", hidden=(4,), dropout=0.0)
RESNET = ResNet(family="resnet", stem_stride=1, width=2, stages=1, blocks=1, dropout=0.0)
IMAGE = Shape(height=4, width=4, channels=1)
TABLE = Table(columns=tuple(Column(name=name, categories=None, missing=False) for name in "abc"))


def test_every_family_reads_images():
    require_fitting({"teacher.model": RESNET, "student.model": MLP}, IMAGE)


def test_a_resnet_is_refused_for_a_table_with_its_path_and_what_to_use_instead():
    with pytest.raises(ParamsError) as caught:
        require_fitting({"teacher.model": RESNET, "student.model": MLP}, TABLE)
    (fault,) = caught.value.faults
    assert fault.startswith("teacher.model: resnet reads images, and these rows are a table of 3 columns")
    assert f"--set teacher.model='{INSTEAD}'" in fault


def test_all_models_that_do_not_fit_are_named_at_once():
    with pytest.raises(ParamsError) as caught:
        require_fitting({"teacher.model": RESNET, "student.model": RESNET}, TABLE)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["teacher.model", "student.model"]


def test_what_is_said_to_use_instead_is_legal_and_reads_the_table(root):
    settings = [f"{block}.model={INSTEAD}" for block in ("teacher", "student")]
    params = load_params(root / "params.yaml", settings=settings)
    models = {"teacher.model": params.teacher.model, "student.model": params.student.model}
    require_fitting(models, TABLE)
    assert params.student.model.network(TABLE, 2).rows == TABLE


def test_a_resnet_makes_no_network_of_a_table():
    with pytest.raises(ParamsError, match="resnet reads images"):
        RESNET.network(TABLE, 2)


def test_a_perceptron_flattens_images_and_no_table():
    assert isinstance(MLP.network(IMAGE, 2).layers[0], Flatten)
    assert not any(isinstance(layer, Flatten) for layer in MLP.network(TABLE, 2).layers)
