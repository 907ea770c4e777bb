"""Editors are told the same as validation knows."""

import copy
from pathlib import Path

import jsonschema
import pytest

from distillery.params.comments import yaml_comments
from distillery.params.project import overlaid, parse_setting, read_tree
from distillery.params.schema import json_schema

PRESETS = sorted((Path(__file__).parents[3] / "params").glob("*.yaml"))


@pytest.fixture(scope="module")
def tree(root):
    return read_tree(root / "params.yaml")


@pytest.fixture(scope="module")
def judge(root, tree):
    schema = json_schema(tree, yaml_comments((root / "params.yaml").read_text()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_shipped_file_is_legal(judge, tree):
    assert list(judge.iter_errors(tree)) == []


@pytest.mark.parametrize("preset", PRESETS, ids=lambda file: file.stem)
def test_every_preset_over_the_shipped_file_is_legal(judge, tree, preset):
    assert list(judge.iter_errors(overlaid(tree, read_tree(preset)))) == []


@pytest.mark.parametrize(
    "setting",
    [
        "distill.temperature=0",
        "distill.temprature=1",
        "runtime.precision=fp16",
        "student.model={family: vgg}",
        "data.test=0.95",
    ],
)
def test_what_is_not_legal_is_underlined(judge, tree, setting):
    assert list(judge.iter_errors(overlaid(tree, parse_setting(setting)))) != []


def test_a_missing_parameter_is_underlined(judge, tree):
    lacking = copy.deepcopy(tree)
    del lacking["augment"]["views"]
    assert list(judge.iter_errors(lacking)) != []


def test_fields_say_what_they_mean_and_what_is_shipped(judge):
    share = judge.schema["$defs"]["DataParams"]["properties"]["validation"]
    assert share["description"] == "share of the rows; validation chooses"
    assert share["default"] == 0.15
