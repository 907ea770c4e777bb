"""params.yaml, overlaid by --params and --set, as one frozen, validated value; all faults at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError, model_validator

from distillery.errors import ParamsError
from distillery.machine import resolve
from distillery.models.families import cannot_train_aware
from distillery.params.base import Block
from distillery.params.budget import BudgetParams, RegistryParams
from distillery.params.chain import Chain, out_of_order, out_of_turn
from distillery.params.data import AugmentParams, DataParams
from distillery.params.distill import LOGITS, DistillParams
from distillery.params.promotion import PromotionParams
from distillery.params.prune import Prunings
from distillery.params.quantize import QuantizeParams
from distillery.params.retrain import RetrainParams
from distillery.params.runtime import RuntimeParams
from distillery.params.student import StudentParams
from distillery.params.teacher import OnnxTeacher, Teacher
from distillery.params.teachers import TeachersParams
from distillery.pruning.fitting import unfit

Tree = dict[str, Any]
PLACED = re.compile(r"[a-z_]+(\.\w+)*: ")  # a fault that begins with its place
TAGS = ("family", "kind")  # what says which of several blocks one is

# PyYAML lets these out of its own constructors: 2001-99-99, !!int '', !!timestamp x, a nesting without end
NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)


class Params(Block):
    """Every number a person may turn. Each block carries the name of its step."""

    data: DataParams
    augment: AugmentParams
    teacher: Teacher
    teachers: TeachersParams
    student: StudentParams
    distill: DistillParams
    chain: Chain
    prune: Prunings
    quantize: QuantizeParams
    budget: BudgetParams
    promotion: PromotionParams
    retrain: RetrainParams
    registry: RegistryParams
    runtime: RuntimeParams

    @model_validator(mode="after")
    def _what_is_pruned_can_be(self) -> Params:
        several = len(self.prune) > 1
        places = [f"prune.{at}" if several else "prune" for at in range(len(self.prune))]
        found = [unfit(self.student.model, m, at) for at, m in zip(places, self.prune, strict=True)]
        refusals = [refusal for refusal in found if refusal is not None]
        refusals += [*out_of_turn(self.prune), *out_of_order(self.chain, self.prune)]
        if refusals:
            raise ValueError("; ".join(refusals))
        return self

    @model_validator(mode="after")
    def _what_is_trained_aware_can_be(self) -> Params:
        refusal = cannot_train_aware(self.student.model) if self.quantize.qat else None
        if refusal is not None:
            raise ValueError(refusal)
        return self

    @model_validator(mode="after")
    def _a_file_shows_nothing_inside(self) -> Params:
        looking = [at for at, term in enumerate(self.distill.terms) if term.teacher != LOGITS]
        if looking and isinstance(self.teacher, OnnxTeacher):
            raise ValueError(
                f"distill.terms.{looking[0]}.teacher: an ONNX file gives its outputs and shows no layer; "
                f"compare with {LOGITS}, or bring weights (teacher.kind: weights)"
            )
        return self


def load_params(file: Path, overlays: Sequence[Path] = (), settings: Sequence[str] = ()) -> Params:
    """Read params.yaml, overlay it in order, validate it and resolve `auto` for this machine.

    Raises ParamsError with every fault: its path, what it holds and the legal range.
    """
    tree = read_tree(file)
    for overlay in overlays:
        tree = overlaid(tree, read_tree(overlay))
    faults = []
    for setting in settings:
        try:
            tree = overlaid(tree, parse_setting(setting))
        except ParamsError as error:
            faults += [error.message]
    if faults:
        raise ParamsError("--set cannot be read", faults)
    return validate(tree, where=file.name)


def validate(tree: Tree, where: str) -> Params:
    """The tree as Params, with `runtime` resolved; raises ParamsError listing every fault."""
    try:
        params = Params.model_validate(tree)
    except ValidationError as error:
        raise ParamsError(f"{where} is not legal", [_fault(e, tree) for e in error.errors()]) from None
    return params.model_copy(update={"runtime": resolve(params.runtime)})


def read_tree(file: Path) -> Tree:
    """Read one YAML mapping; raises ParamsError naming the file and line."""
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{file} is not there: name a file that exists") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"{file} cannot be read: {error}") from None
    except NOT_YAML as error:
        raise ParamsError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ParamsError(f"{file} must hold a mapping of blocks, not a {type(tree).__name__}")
    return tree


def parse_setting(setting: str) -> Tree:
    """`a.b=c` as a tree; the value is read as YAML: `null`, `true`, `3` and `[1, 2]` mean what they say."""
    path, equals, text = setting.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ParamsError(f"--set {setting!r}: write it as block.name=value")
    try:
        value = yaml.safe_load(text)
    except NOT_YAML:
        raise ParamsError(f"--set {setting!r}: the value is not YAML") from None
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def overlaid(base: Tree, top: Tree, prefix: str = "") -> Tree:
    """`top` over `base`, mapping by mapping. One of another family or kind replaces the whole block.

    A mapping from places (0, 1, ...) over a list changes what stands there: `--set prune.0.share=0.2`. Raises
    ParamsError, which names the path under `prefix`, for a place that the list does not have.
    """
    result = dict(base)
    for key, value in top.items():
        below, path = base.get(key), f"{prefix}{key}"
        if isinstance(below, dict) and isinstance(value, dict) and not _other_kind(below, value):
            result[key] = overlaid(below, value, f"{path}.")
        elif isinstance(below, list) and isinstance(value, dict) and all(str(at).isdigit() for at in value):
            result[key] = _overlaid_list(below, value, f"{path}.")
        else:
            result[key] = value
    return result


def _overlaid_list(base: list[Any], top: Tree, prefix: str) -> list[Any]:
    items = {str(at): item for at, item in enumerate(base)}
    if beyond := sorted(str(at) for at in top if str(at) not in items):
        there = f"the last is {prefix}{len(base) - 1}" if base else "it is empty: state the whole list"
        raise ParamsError(f"{prefix}{beyond[0]}: the list has no such place; {there}")
    return list(overlaid(items, {str(at): value for at, value in top.items()}, prefix).values())


def _other_kind(below: Mapping[str, Any], top: Mapping[str, Any]) -> bool:
    return any(tag in top and below.get(tag) != top[tag] for tag in TAGS)


def flatten(value: Block | Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaf values by dotted path, for cache keys and for saying what changed."""
    tree = value.model_dump(mode="json") if isinstance(value, Block) else value
    flat: dict[str, Any] = {}
    for key, leaf in tree.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        flat |= flatten(leaf, path) if isinstance(leaf, dict) else {path: leaf}
    return flat


def _fault(error: Any, tree: Tree) -> str:
    """One pydantic error as `path: what is wrong, what to do`."""
    path = ".".join(str(part) for part in _visible(error["loc"], tree))
    match error["type"]:
        case "missing":
            return f"{path}: is missing; every number stands in params.yaml"
        case "union_tag_not_found":
            tag = error["ctx"]["discriminator"].strip("'")
            return f"{path}.{tag}: is missing; every number stands in params.yaml"
        case "extra_forbidden":
            return f"{path}: is unknown{_suggestion(error['loc'], tree)}"
        case "value_error":
            said = str(error["ctx"]["error"])
            return said if PLACED.match(said) else f"{path or 'params'}: {said}"
        case _:
            message = error["msg"][0].lower() + error["msg"][1:]
            given = "" if isinstance(error["input"], dict) else f", not {error['input']!r}"
            return f"{path}: {message}{given}"


def _visible(location: Sequence[str | int], tree: Tree) -> list[str | int]:
    """The location without what no one wrote in a file: union tags, a place in a list of one."""
    parts: list[str | int] = []
    here: Any = tree
    for part in location:
        tags = [here.get(tag) for tag in TAGS] if isinstance(here, dict) else []
        if isinstance(here, dict) and part not in here and (isinstance(part, int) or part in tags):
            continue
        parts.append(part)
        here = _item(here, part)
    return parts


def _item(tree: Any, part: str | int) -> Any:
    match tree, part:
        case dict(), _:
            return tree.get(part)
        case list(), int() if part < len(tree):
            return tree[part]
        case _:
            return None


def _suggestion(location: Sequence[str | int], tree: Tree) -> str:
    elsewhere = [path for path in flatten(tree) if path.endswith(f".{location[0]}")]
    if len(location) == 1 and elsewhere:
        return f"; did you mean {' or '.join(elsewhere)}?"
    block: Any = Params
    for part in location[:-1]:
        block = _below(block, part)
    known = list(getattr(block, "model_fields", {}))
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known here: {', '.join(known)}" if known else "; take it out"


def _below(annotation: Any, part: str | int) -> Any:
    """The type of a field, of an item of a list, or of that block among several which has the tag."""
    fields = getattr(annotation, "model_fields", None)
    if fields is not None:
        return fields[part].annotation if part in fields else None
    return annotation if isinstance(part, int) else next(_tagged(annotation, part), None)


def _tagged(annotation: Any, part: str) -> Iterator[type[Block]]:
    fields = getattr(annotation, "model_fields", None)
    if fields is None:
        for inner in get_args(annotation):
            yield from _tagged(inner, part)
    elif any(part in get_args(fields[tag].annotation) for tag in TAGS if tag in fields):
        yield annotation
