"""Puts in front of a table's graph what turns category names into codes, so that its file eats raw rows."""

from __future__ import annotations

import json

import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

from distillery.data.form import Column, Table
from distillery.feeding import column_names
from distillery.tensors import CATEGORIES, CODES, COLUMN_NAMES

ML, ML_OPSET = "ai.onnx.ml", 2  # the first whose LabelEncoder takes attributes by type


def with_front_end(model: ModelProto, table: Table) -> ModelProto:
    """A copy that takes names instead of codes, and whose metadata says which columns it takes.

    Names that are not among a column's categories, the empty one included, become -1.
    """
    fronted = ModelProto()
    fronted.CopyFrom(model)
    columns = [column for column in table.columns if column.categories is not None]
    if columns:
        _take_names(fronted, columns)
    names = json.dumps(column_names(table), ensure_ascii=False)
    helper.set_model_props(fronted, {COLUMN_NAMES: names})
    return fronted


def known_names(content: bytes) -> tuple[frozenset[str], ...]:
    """The names that a table's file has codes for, by column of what it takes as `categories`."""
    nodes = onnx.load_from_string(content).graph.node
    encoders = {node.input[0]: node for node in nodes if node.op_type == "LabelEncoder"}
    split = next((node for node in nodes if node.op_type == "Split" and node.input[0] == CATEGORIES), None)
    columns = [CATEGORIES] if split is None else split.output
    return tuple(frozenset(_keys(encoders[column])) for column in columns if column in encoders)


def _keys(encoder: NodeProto) -> list[str]:
    (keys,) = (attribute.strings for attribute in encoder.attribute if attribute.name == "keys_strings")
    return [key.decode() for key in keys]


def _take_names(model: ModelProto, columns: list[Column]) -> None:
    """Split the names by column, encode each column by its own list, and join the codes."""
    rest = list(model.graph.node)
    several = len(columns) > 1
    names = [f"{CATEGORIES}_{i}" for i in range(len(columns))] if several else [CATEGORIES]
    codes = [f"{CODES}_{i}" for i in range(len(columns))] if several else [CODES]
    nodes = [_encoder(*column) for column in zip(columns, names, codes, strict=True)]
    if several:
        split = helper.make_node("Split", [CATEGORIES], names, axis=1, num_outputs=len(columns))
        nodes = [split, *nodes, helper.make_node("Concat", codes, [CODES], axis=1)]
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
    given = next(value for value in model.graph.input if value.name == CODES)
    given.CopyFrom(helper.make_tensor_value_info(CATEGORIES, TensorProto.STRING, ["batch", len(columns)]))
    model.opset_import.append(helper.make_opsetid(ML, ML_OPSET))


def _encoder(column: Column, names: str, codes: str) -> NodeProto:
    """Whatever is not among the keys becomes -1; the empty name is, so that there is always one."""
    known = {name: code for code, name in enumerate(column.categories or ())} | {"": -1}
    keys, values = list(known), list(known.values())
    return helper.make_node(
        "LabelEncoder", [names], [codes], domain=ML, keys_strings=keys, values_int64s=values
    )
