"""The reference tells every parameter as validation sees it."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from distillery.params.base import Count, Positive, Share
from distillery.params.comments import yaml_comments
from distillery.params.project import flatten, read_tree
from distillery.params.reference import NOT_THERE, Reference, legal_range, type_name


@pytest.fixture(scope="module")
def tree(root):
    return read_tree(root / "params.yaml")


@pytest.fixture(scope="module")
def reference(root, tree):
    return Reference(tree, yaml_comments((root / "params.yaml").read_text()))


def test_every_value_of_params_yaml_has_its_line_with_that_value_as_default(reference, tree):
    assert {one.path: one.default for one in reference.parameters} == flatten(tree)


def test_every_parameter_has_a_meaning(reference):
    told = [one for section in (*reference.sections, *reference.others) for one in section.parameters]
    silent = [one.path for one in told if not one.meaning]
    assert silent == [], "write it as a comment at the end of the field's line"


def test_every_kind_and_family_is_told_once(reference):
    tagged = [(section.places[0], section.tag) for section in reference.others if section.tag]
    assert len(tagged) == len(set(tagged))
    assert ("prune", "kind: channels") in tagged
    assert ("distill.terms[]", "kind: hints") in tagged
    assert ("teacher.model", "family: resnet") not in tagged  # it stands in params.yaml


def test_a_block_of_another_kind_has_no_defaults(reference):
    assert all(one.default is NOT_THERE for section in reference.others for one in section.parameters)


def test_what_params_yaml_lacks_is_told_as_missing(tree):
    lacking = {**tree, "augment": {"views": 2}}
    found = {one.path: one.to_json() for one in Reference(lacking, {}).parameters}
    assert "value" not in found["augment.shift"]
    assert found["augment.views"]["value"] == 2


@pytest.mark.parametrize(
    ("annotation", "name", "legal"),
    [
        (Share, "number", "≥ 0, ≤ 1"),
        (Positive | None, "number or null", "> 0"),
        (Count, "integer", "≥ 1"),
        (Literal["a", "b", "c"], "choice", "a, b or c"),
        (tuple[Count, ...], "list of integers", "≥ 1"),
        (Annotated[str, Field(pattern="^x$")], "text", "matches `^x$`"),
        (bool, "true or false", ""),
    ],
)
def test_types_and_ranges_are_those_of_validation(annotation, name, legal):
    assert type_name(annotation) == name
    assert legal_range(annotation) == legal
