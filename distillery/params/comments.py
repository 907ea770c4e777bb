"""What is written beside a parameter: in params.yaml, beside its field, and in its block's docstring."""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from distillery.params.base import Block

SENTENCE = re.compile(r"(?<=[.;])(?<!al\.)\s+|\n\n")  # "et al." ends none
OPENING = re.compile(r"^(Block )?`[a-z._]+`[:.]\s+")  # of a docstring that names its block


def yaml_comments(text: str) -> dict[str, str]:
    """The comment at the end of each key's line, by dotted path; inside {...} keys have none of their own."""
    lines, node = text.splitlines(), yaml.compose(text, yaml.SafeLoader)
    return {path: said for path, rest in _line_ends(node, lines, "") if (said := _after_hash(rest))}


def meaning(block: type[Block], name: str) -> str:
    """What a field is: the comment on its line, else the sentence of a docstring that quotes its name."""
    for owner in block.__mro__:
        if issubclass(owner, Block) and (said := _field_comments(owner).get(name)):
            return said
    for owner in block.__mro__:
        if issubclass(owner, Block) and (said := _sentence(prose(owner), name)):
            return said
    return ""


def prose(block: type[Block]) -> str:
    """The docstring of a block without its name at the beginning; of one without, its parent's."""
    return OPENING.sub("", inspect.getdoc(block) or "")


def gist(block: type[Block]) -> str:
    """The first sentence of its docstring."""
    return _plain(SENTENCE.split(prose(block))[0])


def _line_ends(node: yaml.Node | None, lines: list[str], prefix: str) -> Iterator[tuple[str, str]]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        path = f"{prefix}.{key.value}" if prefix else str(key.value)
        nested = isinstance(value, yaml.MappingNode) and not value.flow_style
        mark = key.end_mark if nested else value.end_mark
        yield path, lines[mark.line][mark.column :]
        if nested:
            yield from _line_ends(value, lines, path)


def _after_hash(rest: str) -> str:
    return rest.partition("#")[2].strip()


@cache
def _field_comments(block: type[Block]) -> dict[str, str]:
    """Trailing comments of the fields that this class itself declares."""
    lines, first = inspect.getsourcelines(block)
    comments = _comments(Path(inspect.getfile(block)))
    (tree,) = ast.parse(inspect.cleandoc("\n" + "".join(lines))).body
    fields = [line for line in getattr(tree, "body", ()) if isinstance(line, ast.AnnAssign)]
    ends = {ast.unparse(field.target): first - 1 + (field.end_lineno or 0) for field in fields}
    return {name: comments[line] for name, line in ends.items() if line in comments}


@cache
def _comments(file: Path) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(file.read_text(encoding="utf-8")).readline)
    return {at.start[0]: at.string.lstrip("# ") for at in tokens if at.type == tokenize.COMMENT}


def _sentence(text: str, name: str) -> str:
    return next((_plain(part) for part in SENTENCE.split(text) if f"`{name}`" in part), "")


def _plain(sentence: str) -> str:
    return " ".join(sentence.split()).rstrip(";.:")
