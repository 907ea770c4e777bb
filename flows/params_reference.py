"""The parameters as a page and as lines."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distillery.errors import ParamsError
from distillery.params.comments import yaml_comments
from distillery.params.project import Tree, read_tree
from distillery.params.reference import NOT_THERE, Parameter, Reference, Section
from flows.project import find_project

OPENING = """# Parameters

<!-- `make reference` makes this page, from the models of the blocks and the comments of params.yaml. -->

Every number that may be turned, with its legal range. Defaults are those of `params.yaml`, the only
place that has any. `distillery run --set block.name=value` changes one for a run, `--params FILE` many;
`distillery params distill` tells what a block is in a project of yours.
"""
OTHERS = """## Blocks that may stand in another's place

Each is written as a whole, such as `--set distill.soft='{kind: decoupled, target: 1, others: 8}'`:
another `kind` or `family` replaces the block, and has no defaults.
"""


def read_told(named: Path | None) -> tuple[Tree, dict[str, str]]:
    """The project's params.yaml and the comments in it; ParamsError where it cannot be read."""
    file = find_project(named) / "params.yaml"
    tree = read_tree(file)
    return tree, yaml_comments(file.read_text(encoding="utf-8"))


def below(tree: Tree, comments: Mapping[str, str], path: str) -> list[Parameter]:
    """The parameters at and under a path; ParamsError, with what is near, where there is none."""
    known = Reference(tree, comments).parameters
    found = [one for one in known if f"{one.path}.".startswith(f"{path}." if path else "")]
    if not found:
        raise ParamsError(f"{path} is no parameter{nearest(path, [one.path for one in known])}")
    return found


def nearest(path: str, known: list[str]) -> str:
    """A suggestion: a block or parameter whose path, or whose last name, is like this one."""
    blocks = {".".join(parts[:end]) for one in known for parts in [one.split(".")] for end in range(1, 9)}
    close = difflib.get_close_matches(path, sorted(blocks), n=1)
    named = [one for one in known if one.rpartition(".")[2] == path.rpartition(".")[2]]
    return f": did you mean {' or '.join(named or close)}?" if named or close else ""


def line(one: Parameter) -> str:
    """A parameter for people: value, type, range and meaning."""
    legal = f"{one.type} {one.range}".strip()
    return f"{one.path} = {_value(one.default)}\n    {legal}\n    {one.meaning}"


def markdown(tree: Tree, comments: Mapping[str, str]) -> str:
    """The page docs/params.md, without its last line's end."""
    reference = Reference(tree, comments)
    parts = [OPENING, *(_section(one, 2) for one in reference.sections), OTHERS]
    return "\n".join([*parts, *(_section(one, 3) for one in reference.others)]).rstrip("\n")


def _section(section: Section, level: int) -> str:
    here = ", ".join(f"`{part}`" for part in (section.places[0], section.tag if level > 2 else "") if part)
    also = ", ".join(f"`{place}`" for place in section.places[1:])
    told = [f"{'#' * level} {here}", ""]
    told += [section.prose[:1].upper() + section.prose[1:], ""] if section.prose else []
    told += [f"Also at {also}.", ""] if also else []
    return "\n".join([*told, *_table(section.parameters, level == 2)])


def _table(parameters: list[Parameter], with_default: bool) -> list[str]:
    if not parameters:
        return []
    columns = ["name", "type", "range", *(["default"] if with_default else []), "meaning"]
    rows = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for one in parameters:
        default = [f"`{_value(one.default)}`"] if with_default else []
        cells = [f"`{one.path}`", one.type, one.range, *default, one.meaning]
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return [*rows, ""]


def _value(value: Any) -> str:
    if value is NOT_THERE:
        return "missing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
