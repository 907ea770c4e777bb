"""params.yaml, changed by a command: the values named, and nothing else; its comments stay."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from distillery.artifacts import write_atomically
from distillery.params.project import read_tree, validate


def change_params(file: Path, changes: Mapping[str, Mapping[str, Any]]) -> bool:
    """Set values by block and name, and write the file if that changed it; True when it did.

    Raises ParamsError where the result would not be legal; the file stays as it was.
    """
    before = read_tree(file)
    if all(before.get(block, {}).get(name, _ABSENT) == value for block, name, value in _flat(changes)):
        return False
    yaml = YAML()
    yaml.Representer = _SpeltOut
    yaml.preserve_quotes = True
    yaml.width = 4096  # no line is folded
    tree = yaml.load(file.read_text(encoding="utf-8"))
    for block, name, value in _flat(changes):
        tree[block][name] = value
    content = BytesIO()
    yaml.dump(tree, content)
    validate(YAML(typ="safe").load(content.getvalue()), where=file.name)
    write_atomically(file, content.getvalue())
    return True


def _flat(changes: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, Any]]:
    return [(block, name, value) for block, values in changes.items() for name, value in values.items()]


class _SpeltOut(RoundTripRepresenter):
    """Writes `null`, where the library leaves the place empty."""


_SpeltOut.add_representer(
    type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
)
_ABSENT = object()
