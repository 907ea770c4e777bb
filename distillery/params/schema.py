"""params.yaml as a JSON schema, so that editors complete it and underline what is not legal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from distillery.params.base import Block
from distillery.params.comments import meaning
from distillery.params.project import Params, Tree
from distillery.params.reference import blocks_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(tree: Tree, comments: Mapping[str, str]) -> dict[str, Any]:
    """The schema of the whole file; each field has its meaning, and what `tree` holds as its default."""
    schema = Params.model_json_schema()
    for block in _all_blocks(Params, set()):
        told = schema if block is Params else schema["$defs"][block.__name__]
        told.pop("title", None)
        for name, about in told["properties"].items():
            about.pop("title", None)
            path = f"{block.place}.{name}".lstrip(".")
            said = comments.get(path) or meaning(block, name)
            about.update(_told(said, path, tree if block.place else {}))
    return {"$schema": DIALECT, "title": "params.yaml of Distillery", **schema}


def _told(said: str, path: str, tree: Tree) -> dict[str, Any]:
    found: Any = tree
    for key in path.split("."):
        if not isinstance(found, dict) or key not in found:
            return {"description": said} if said else {}
        found = found[key]
    plain = {} if isinstance(found, dict) else {"default": found}
    return ({"description": said} if said else {}) | plain


def _all_blocks(block: type[Block], seen: set[type[Block]]) -> Iterator[type[Block]]:
    seen.add(block)
    yield block
    for info in block.model_fields.values():
        for inner in blocks_of(info.annotation):
            if inner not in seen:
                yield from _all_blocks(inner, seen)
