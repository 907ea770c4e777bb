from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from distillery.data.form import Column, Table
from distillery.export import export
from distillery.front_end import known_names, with_front_end
from distillery.inference import column_names, open_session, run_feeds, run_rows
from distillery.models.mlp import Mlp
from distillery.models.network import Classifier


def categories(*names):
    return Table(columns=tuple(Column(name=f"c{i}", categories=n, missing=True) for i, n in enumerate(names)))


def reader_of_codes(table):
    """A file whose logits are its one-hot features: which names it knows can be read off."""
    model = Classifier(Mlp(family="mlp", hidden=(), dropout=0.0).network(table, model_width(table)))
    model.layers[0].dense.weight.data = torch.eye(model_width(table))
    model.layers[0].dense.bias.data.zero_()
    return open_session(export(model, ("x",) * model_width(table)))


def model_width(table):
    return sum(len(column.categories) for column in table.columns)


@pytest.mark.parametrize(
    "names", [[("a", "b")], [("a", "b"), ("b", "c", "a")], [("a",), (), ("ä", "漢 字", "x,y")]]
)
def test_every_name_is_its_own_code_and_what_is_unknown_or_empty_none(names):
    table = categories(*names)
    session = reader_of_codes(table)
    unknown = ["", "A", " a", "zz", "-1", "0"]
    longest = max(map(len, names))
    for at, known in enumerate(names):
        cells = np.full((longest + len(unknown), len(names)), "", dtype=object)
        cells[: len(known), at], cells[longest:, at] = known, unknown
        logits = run_feeds(session, [{"categories": cells}])
        start = sum(map(len, names[:at]))
        expected = np.zeros_like(logits)
        expected[np.arange(len(known)), start + np.arange(len(known))] = 1
        np.testing.assert_array_equal(logits, expected)


def codes_alone():
    """What stands for a traced graph: the codes (batch, 1) are its logits."""
    return codes_of(1)


def codes_of(columns):
    graph = helper.make_graph(
        [helper.make_node("Cast", ["codes"], ["logits"], to=TensorProto.FLOAT)],
        "g",
        [helper.make_tensor_value_info("codes", TensorProto.INT64, ["batch", columns])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", columns])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(st.lists(TEXT, min_size=1, max_size=6, unique=True))
def test_any_text_can_be_a_category(names):
    model = with_front_end(codes_alone(), categories(tuple(names[:-1])))
    session = open_session(model.SerializeToString())
    cells = np.array([*names, ""], dtype=object)[:, None]
    codes = run_feeds(session, [{"categories": cells}]).ravel().tolist()
    assert codes == [*range(len(names) - 1), -1, -1]  # the last is not known


@pytest.mark.parametrize(
    "names", [[("a", "b")], [("a", "b"), ("b", "c", "a")], [("a",), (), ("ä", "漢 字", "x,y")]]
)
def test_the_names_that_a_file_knows_are_read_back_by_column(names):
    model = with_front_end(codes_of(len(names)), categories(*names))
    assert known_names(model.SerializeToString()) == tuple(frozenset({*some, ""}) for some in names)


def test_a_finished_file_says_which_names_it_knows(table_file, table):
    known = [set(c.categories) | {""} for c in table.form.columns if c.categories is not None]
    assert list(known_names(table_file)) == known


def test_the_graph_that_is_given_stays_as_it_was():
    model = codes_alone()
    before = model.SerializeToString()
    with_front_end(model, categories(("a",)))
    assert model.SerializeToString() == before


def test_an_empty_name_is_missing_even_where_it_is_called_a_category():
    session = reader_of_codes(categories(("", "b")))
    logits = run_feeds(session, [{"categories": np.array([[""], ["b"]], dtype=object)}])
    assert logits.tolist() == [[0, 0], [0, 1]]


def test_the_file_of_a_table_takes_its_kinds_apart_and_names_their_columns(table_file, table):
    session = open_session(table_file)
    taken = {value.name: (value.type, value.shape) for value in session.get_inputs()}
    assert taken == {"input": ("tensor(float)", ["batch", 2]), "categories": ("tensor(string)", ["batch", 2])}
    assert column_names(session) == {"input": ["größe", "day"], "categories": ["colour", "kind"]}
    model = onnx.load_from_string(table_file)
    assert {p.key for p in model.metadata_props} == {"classes", "columns"}
    assert json.loads(model.metadata_props[0].value) == list(table.classes)
    assert {o.domain: o.version for o in model.opset_import} == {"": 21, "ai.onnx.ml": 2}
    onnx.checker.check_model(model, full_check=True)


def test_the_file_of_images_names_no_columns(files):
    assert column_names(open_session(files["mlp"])) == {}


def test_the_file_of_a_table_has_short_names_and_no_path(table_file):
    model = onnx.load_from_string(table_file)
    names = {n for node in model.graph.node for n in (*node.input, *node.output)}
    assert max(map(len, names - {"input", "categories", "logits"})) <= 2
    assert b".py" not in table_file
    assert not any(node.name or node.doc_string for node in model.graph.node)


def test_a_row_alone_has_the_logits_that_it_has_among_others(table_file, table):
    session = open_session(table_file)
    together = run_rows(session, table, np.arange(40))
    alone = np.concatenate([run_rows(session, table, np.array([at])) for at in range(40)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
