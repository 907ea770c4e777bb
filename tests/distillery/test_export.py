from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch

from distillery.data.form import Shape, Table
from distillery.data.rows import Split
from distillery.export import OPSET, PARITY_ROWS, compare, export
from distillery.inference import open_session, run_feeds
from distillery.models.mlp import Mlp
from distillery.models.network import Classifier, save_model
from distillery.models.resnet import ResNet
from distillery.normalisation import learn_encoding

FAMILIES = {
    "mlp": Mlp(family="mlp", hidden=(5,), dropout=0.3),
    "resnet": ResNet(family="resnet", stem_stride=1, width=2, stages=3, blocks=1, dropout=0.3),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_agrees_with_torch_on_rows_that_are_not_square_or_grey(family):
    torch.manual_seed(0)
    model = Classifier(FAMILIES[family].network(Shape(height=9, width=6, channels=3), 4))
    model.encoding.normalise_by(torch.tensor([100.0, 120.0, 90.0]), torch.tensor([50.0, 60.0, 70.0]))
    rows = torch.randint(256, (30, 9, 6, 3)).byte()
    model.train()(rows)  # the batch norms see something
    content = export(model, tuple("abcd"))
    with torch.no_grad():
        expected = model.eval()(rows).numpy()
    (logits,) = open_session(content).run(["logits"], {"input": rows.numpy()})
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_trained_students_agree_within_a_ten_thousandth(students, files, rows, family):
    parity = compare(students[family], files[family], rows)
    assert parity.largest_logit_difference < 1e-4
    assert parity.agreement == 1.0
    assert parity.rows == min(PARITY_ROWS, int((rows.splits == 1).sum()))


def test_the_comparison_sees_a_file_of_another_model(students, files, rows):
    parity = compare(students["mlp"], files["resnet"], rows)
    assert parity.largest_logit_difference > 0.1
    assert parity.agreement < 1.0


@pytest.mark.parametrize("family", FAMILIES)
def test_any_batch_gives_the_logits_of_its_rows(files, rows, family):
    session = open_session(files[family])
    (together,) = session.run(None, {"input": rows.features[:7]})
    (first,) = session.run(None, {"input": rows.features[:1]})
    (none,) = session.run(None, {"input": rows.features[:0]})
    np.testing.assert_allclose(together[:1], first, rtol=1e-5, atol=1e-5)
    assert (together.shape, none.shape) == ((7, 10), (0, 10))


def test_the_file_states_the_opset_and_no_domain_but_onnx(files):
    for content in files.values():
        opsets = onnx.load_from_string(content).opset_import
        assert [(o.domain, o.version) for o in opsets] == [("", OPSET)]


def test_exporting_keeps_the_model_and_the_loggers_as_they_were(students, rows):
    model = students["mlp"]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    level = logging.getLogger("torch.onnx").level
    export(model, rows.classes)
    assert logging.getLogger("torch.onnx").level == level
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_the_file_of_a_table_agrees_with_torch_where_values_are_missing_strange_or_far(
    table_student, table_file, table
):
    positions = table.where(Split.VALIDATION)
    parity = compare(table_student, table_file, table)
    assert parity.rows == len(positions)
    assert parity.largest_logit_difference < 1e-4
    assert np.isnan(table.features[positions]).any()
    assert (table.features[positions] < 0).any()
    far = np.array([[np.nan, -1, np.nan, -1], [1e38, 7, -1e38, 99], [np.inf, 0, -np.inf, 0]], np.float32)
    with torch.no_grad():
        expected = table_student(torch.from_numpy(far)).numpy()
    feed = {"input": far[:, [0, 2]], "categories": np.array([["", ""], ["?", "*"], known(table)], object)}
    np.testing.assert_allclose(run_feeds(open_session(table_file), [feed]), expected, rtol=0, atol=1e-4)
    assert np.isfinite(expected).all()


def known(table):
    return [table.form.columns[at].categories[0] for at in (1, 3)]


@pytest.mark.parametrize(
    ("kept", "tensors"), [((0, 2), ["input"]), ((1,), ["categories"]), ((1, 3), ["categories"])]
)
def test_a_table_of_one_kind_has_a_file_that_takes_one_tensor(table, kept, tensors):
    columns = tuple(table.form.columns[at] for at in kept)
    rows = dataclasses.replace(table, features=table.features[:, list(kept)], form=Table(columns=columns))
    torch.manual_seed(0)
    model = Classifier(FAMILIES["mlp"].network(rows.form, 3))
    learn_encoding(model, rows)
    content = export(model, rows.classes)
    assert [value.name for value in open_session(content).get_inputs()] == tensors
    assert compare(model, content, rows).largest_logit_difference < 1e-5


def test_the_same_table_gives_the_same_bytes_in_another_process(table_student, table_file, table, tmp_path):
    assert export(table_student, table.classes) == table_file
    save_model(table_student, tmp_path)
    code = (
        "import sys; from pathlib import Path; from distillery.export import export;"
        "from distillery.models.network import load_model;"
        "(Path(sys.argv[1]) / 'again.onnx').write_bytes(export(load_model(Path(sys.argv[1])), sys.argv[2:]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path), *table.classes]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "again.onnx").read_bytes() == table_file
