"""Comments are found where they stand: at the ends of lines of YAML and of fields."""

from typing import Annotated, Literal

from pydantic import Field

from distillery.params.base import Block
from distillery.params.comments import gist, meaning, prose, yaml_comments


class Parent(Block):
    """Block `parent`: it has `depth` layers (after He et al. 2015); the rest is `named` elsewhere.

    More of it.
    """

    depth: int
    width: int  # channels
    kind: Annotated[Literal["a"], Field(description="over several lines")]  # the only one


class Child(Parent):
    width: int  # of the child


def test_the_comment_of_a_line_belongs_to_the_key_that_begins_it():
    text = "a:   # the block\n  b: 'x # y' # text\n  c: {d: 1, e: 2}  # both\n  f: 3\ng: null # off\n"
    assert yaml_comments(text) == {"a": "the block", "a.b": "text", "a.c": "both", "g": "off"}


def test_an_empty_file_has_no_comments():
    assert yaml_comments("# nothing\n") == {}


def test_a_field_means_what_its_line_says_else_the_sentence_that_quotes_it():
    assert meaning(Parent, "width") == "channels"
    assert meaning(Parent, "kind") == "the only one"
    assert meaning(Parent, "depth") == "it has `depth` layers (after He et al. 2015)"


def test_a_child_says_it_itself_or_inherits_it():
    assert meaning(Child, "width") == "of the child"
    assert meaning(Child, "kind") == "the only one"


def test_a_docstring_is_told_without_the_name_of_its_block():
    assert prose(Parent).endswith("More of it.")
    assert gist(Parent) == "it has `depth` layers (after He et al. 2015)"
