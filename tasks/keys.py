"""What a step's result depends on, as a flat dict of named parts, and how a change of it is said in words."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillery.artifacts import digest_json
from distillery.errors import DistilleryError
from distillery.fingerprint import fingerprint
from distillery.machine import library_version
from distillery.models.custom import own_functions
from distillery.own_code import own_modules
from distillery.params.base import Block
from distillery.params.project import flatten
from tasks.memory import DigestMemory
from tasks.steps import Call, Input, Noun

Parts = dict[str, Any]
SHOWN = 60


@dataclass(frozen=True)
class Key:
    """The parts of a call's key; `unknown` names the inputs that are not made yet."""

    label: str
    parts: Parts
    unknown: tuple[str, ...]

    @property
    def digest(self) -> str | None:
        """SHA-256 of the parts; None while an input is unknown."""
        return None if self.unknown else digest_json(self.parts)

    @property
    def name(self) -> str | None:
        """What the call's record is stored under."""
        return None if self.unknown else f"{self.label}.{self.digest}"


class Keys:
    """Makes keys. A module's code is read once: what is imported later must be what was read first."""

    def __init__(self, project: Path, memory: DigestMemory) -> None:
        self.project = project
        self.memory = memory
        self._code: dict[str, dict[str, str]] = {}

    def of(self, call: Call) -> Key:
        """The key of a call: its code, parameters, inputs' bytes, libraries, and what else it reads."""
        if call.step.module not in self._code:
            self._code[call.step.module] = fingerprint(call.step.module, self.memory)
        named = [
            ("call", _form(call.inputs)),
            ("python", ".".join(platform.python_version_tuple()[:2])),
            *((f"code {module}", digest) for module, digest in self._code[call.step.module].items()),
            *((f"code {module}", digest) for module, digest in self._own_code(call).items()),
            *((f"library {name}", library_version(name)) for name in call.step.libraries),
            *(item for block in call.inputs if isinstance(block, Block) for item in _values(block)),
            *((f"read {name}", digest) for name, digest in self._reads(call).items()),
            *((f"input {noun.label}", noun.artifact.digest) for noun in call.nouns if noun.artifact),
        ]
        unknown = tuple(noun.label for noun in call.nouns if noun.artifact is None)
        return Key(call.label, _unambiguous(named, call.label), unknown)

    def changed_since(self, call: Call, key: Key) -> list[str]:
        """In words, what a call's key is made of now that differs from `key`."""
        return changes(key.parts, Keys(self.project, self.memory).of(call))

    def _own_code(self, call: Call) -> dict[str, str]:
        """The user's modules whose functions the call's params name."""
        found: dict[str, str] = {}
        for function in sorted({name for value in call.inputs for name in own_functions(value)}):
            if function not in self._code:
                own = own_modules(function, self.memory)
                self._code[function] = {name: module.digest for name, module in own.items()}
            found |= self._code[function]
        return found

    def _reads(self, call: Call) -> Mapping[str, str]:
        return call.step.reads(self.project, call.inputs, self.memory) if call.step.reads else {}


def changes(before: Mapping[str, Any], key: Key) -> list[str]:
    """In words, what differs between the parts of an older record and a key."""
    pending = {f"input {label}" for label in key.unknown}
    names = sorted({*before, *key.parts} - pending, key=_order)
    differing = (name for name in names if before.get(name, _MISSING) != key.parts.get(name, _MISSING))
    return [_said(name, before.get(name, _MISSING), key.parts.get(name, _MISSING)) for name in differing]


def made_anew(labels: Iterable[str]) -> list[str]:
    """In words, that inputs must be made first; one that is handed over twice is said once."""
    return [f"input {label} will be made anew" for label in dict.fromkeys(labels)]


def _form(inputs: Iterable[Input]) -> str:
    """How the inputs are handed over: two calls that swap their inputs are not the same."""
    return ", ".join(_form_of(value) for value in inputs)


def _form_of(value: Input) -> str:
    match value:
        case Noun():
            return value.label
        case Block():
            return f"<{value.place or type(value).__name__}>"
        case _:
            return "{" + ", ".join(f"{name}: {noun.label}" for name, noun in value.items()) + "}"


def _values(block: Block) -> Iterator[tuple[str, Any]]:
    for path, value in flatten(block, block.place).items():
        yield f"param {path}", value


def _unambiguous(named: list[tuple[str, Any]], label: str) -> Parts:
    parts: Parts = {}
    for name, value in named:
        if name in parts and parts[name] != value:
            raise DistilleryError(f"{label} has two parts called {name!r}: give each block its own place")
        parts[name] = value
    return parts


_MISSING = object()
_ORDER = ("param", "code", "input", "read", "library", "python", "call")


def _order(name: str) -> tuple[int, str]:
    kind = name.partition(" ")[0]
    return (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), name)


def _said(name: str, before: object, after: object) -> str:
    kind, _, rest = name.partition(" ")
    match kind:
        case "param":
            return f"{rest}: {_shown(before)} -> {_shown(after)}"
        case "code":
            return f"code {rest.replace('.', '/')}.py {_happened(before, after)}"
        case "library" | "python":
            return f"{name}: {_shown(before)} -> {_shown(after)}"
        case "input":
            return f"{name} {_happened(before, after)}"
        case "read":
            return f"{rest} {_happened(before, after)}"
        case _:
            return "the flow hands its inputs over in another way"


def _happened(before: object, after: object) -> str:
    if before is _MISSING:
        return "is new"
    return "is no longer used" if after is _MISSING else "changed"


def _shown(value: object) -> str:
    if value is _MISSING:
        return "absent"
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
