"""Every parameter told: name, type, legal range, default and meaning, derived from the models of the blocks.

Nothing is written here that stands elsewhere: types and ranges are those that validation uses, defaults
those of params.yaml, meanings the comments and docstrings of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from distillery.params.base import Block
from distillery.params.comments import gist, meaning, prose
from distillery.params.project import TAGS, Params, Tree

NOT_THERE = object()
NAMES = {int: "integer", float: "number", bool: "true or false", str: "text", NoneType: "null"}
KINDS: dict[Any, str] = {Literal: "choice", dict: "mapping"}
BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True)
class Parameter:
    """One line of the reference. `default` is NOT_THERE where params.yaml does not have it."""

    path: str
    type: str
    range: str
    default: Any
    meaning: str

    def to_json(self) -> dict[str, Any]:
        """A row of `params --json`."""
        here = {} if self.default is NOT_THERE else {"value": self.default}
        return {"path": self.path, "type": self.type, "range": self.range, **here, "meaning": self.meaning}


@dataclass
class Section:
    """A block of params.yaml, or one that may stand in another's place: where, what it is, its parameters."""

    block: type[Block] | None  # none stands there
    places: list[str]
    tag: str  # as in `kind: channels`; empty where it is the only one
    parameters: list[Parameter] = field(default_factory=list)

    @property
    def prose(self) -> str:
        """Its docstring."""
        return prose(self.block) if self.block else ""


class Reference:
    """`sections`: the blocks that stand in `tree`, in its order; `others`: those that may stand there."""

    def __init__(self, tree: Tree, comments: Mapping[str, str]) -> None:
        self._comments = comments
        self._shown: set[type[Block]] = set()
        self._others: dict[type[Block], Section] = {}
        self.sections: list[Section] = []
        for name, info in Params.model_fields.items():
            block = _standing(_whole(info), tree.get(name))
            section = Section(block, [name], _tag(block) if block else "")
            self._add(section.parameters, Params, name, info, tree.get(name, NOT_THERE), "")
            self.sections.append(section)
        self.others = [section for block, section in self._others.items() if block not in self._shown]

    @property
    def parameters(self) -> list[Parameter]:
        """All that stand in params.yaml."""
        return [parameter for section in self.sections for parameter in section.parameters]

    def _add(
        self, into: list[Parameter], owner: type[Block], name: str, info: FieldInfo, value: Any, prefix: str
    ) -> None:
        path, whole = f"{prefix}{name}", _whole(info)
        standing = _standing(whole, value)
        for block in blocks_of(whole):
            if block is not standing:
                self._another(block, f"{path}[]" if _is_list(whole) else path)
        if standing is None:
            into.append(_parameter(owner, name, whole, path, self._comments.get(path, ""), value))
            return
        self._shown.add(standing)
        for inner, inner_info in standing.model_fields.items():
            at = value.get(inner, NOT_THERE)
            self._add(into, standing, inner, _choice(whole, inner, inner_info), at, f"{path}.")

    def _another(self, block: type[Block], place: str) -> None:
        if block in self._others:
            section = self._others[block]
            section.places += [] if place in section.places else [place]
            return
        section = self._others[block] = Section(block, [place], _tag(block))
        for name, info in block.model_fields.items():
            whole = _whole(info)
            for inner in blocks_of(whole):
                self._another(inner, f"{place}.{name}[]" if _is_list(whole) else f"{place}.{name}")
            if name not in TAGS or len(_tags(block, name)) > 1:
                section.parameters.append(_parameter(block, name, whole, f"{place}.{name}", "", NOT_THERE))


def _parameter(owner: type[Block], name: str, whole: Any, path: str, comment: str, default: Any) -> Parameter:
    """`comment` is the one in params.yaml; one that begins with "or" only lists what the range lists too."""
    said = "" if comment.startswith("or ") else comment
    if name in TAGS:
        said = gist(owner) if default is NOT_THERE else f"{default}: {gist(owner)}"
    blocks = blocks_of(whole)
    said = said or meaning(owner, name) or comment or (gist(blocks[0]) if len(blocks) == 1 else "")
    return Parameter(path, type_name(whole), legal_range(whole), default, said)


def _whole(info: FieldInfo) -> Any:
    """The annotation with the bounds that pydantic keeps apart; where several are read as one, those."""
    for entry in info.metadata:
        if isinstance(entry, BeforeValidator) and entry.json_schema_input_type is not PydanticUndefined:
            return entry.json_schema_input_type
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def _choice(whole: Any, name: str, info: FieldInfo) -> FieldInfo:
    """A tag as the choice of all blocks that may stand there."""
    if name not in TAGS:
        return info
    tags = tuple(tag for block in blocks_of(whole) for tag in get_args(block.model_fields[name].annotation))
    return FieldInfo(annotation=Literal[tags])  # type: ignore[arg-type]


def _standing(whole: Any, value: Any) -> type[Block] | None:
    """The block that a mapping of params.yaml is; None where there is none, or a list."""
    if not isinstance(value, dict) or _is_list(whole):
        return None
    blocks = blocks_of(whole)
    return next((b for b in blocks if any(value.get(t) in _tags(b, t) for t in TAGS)), None) or blocks[0]


def _tags(block: type[Block], tag: str) -> tuple[Any, ...]:
    info = block.model_fields.get(tag)
    return get_args(info.annotation) if info else ()


def _tag(block: type[Block]) -> str:
    return next((f"{tag}: {' or '.join(found)}" for tag in TAGS if (found := _tags(block, tag))), "")


def blocks_of(annotation: Any) -> list[type[Block]]:
    """The blocks that a type allows: one, the members of a union, or what a list holds."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return [annotation]
    return [block for inner in get_args(annotation) for block in blocks_of(inner)]


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return _is_list(get_args(annotation)[0])
    return get_origin(annotation) is tuple


def type_name(annotation: Any) -> str:
    """A type in words: `integer`, `list of numbers`, `number or null`, `block`."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return "block"
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name(inner[0])
    if origin in KINDS:
        return KINDS[origin]
    if origin is tuple:
        return f"list of {type_name(inner[0])}s"
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(type_name(one) for one in inner))
    return NAMES[annotation]


def legal_range(annotation: Any) -> str:
    """What is legal of the type, as validation has it: `> 0`, `≥ 0, ≤ 1`, `kl, mse or decoupled`."""
    return ", ".join(dict.fromkeys(_limits(annotation)))


def _limits(annotation: Any) -> Iterator[str]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        words = [str(one) for one in inner]
        yield " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
        return
    if tags := [tag for block in blocks_of(annotation) for tag in [_tag(block)] if tag]:
        yield "; ".join(dict.fromkeys(tags))
        return
    yield from _bounds(annotation)
    for one in inner[:1] if origin is Annotated else inner:
        if get_origin(one) is not None:
            yield from _limits(one)


def _bounds(annotation: Any) -> Iterator[str]:
    for entry in getattr(annotation, "__metadata__", ()):
        for bound in getattr(entry, "metadata", [entry]):
            yield from (
                f"{sign} {getattr(bound, name)}" for name, sign in BOUNDS.items() if hasattr(bound, name)
            )
            if getattr(bound, "min_length", None):
                yield f"at least {bound.min_length}"
            if pattern := getattr(bound, "pattern", None):
                yield f"matches `{pattern}`"
