"""What a module's code is, as digests: of itself and of every first-party module that it imports.

The digest is of the syntax tree without docstrings, so comments, docstrings and blank lines change nothing.
Modules are read, never imported: asking costs milliseconds, and nothing heavy is loaded. Imports inside
functions count; imports for type checkers alone, and names computed at run time, do not.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from distillery.artifacts import digest_bytes
from distillery.errors import DistilleryError

FIRST_PARTY = ("distillery", "tasks")

Folders = Callable[[str], Path | None]

Plain = TypeVar("Plain")  # plain JSON


class Memo(Protocol):
    """Remembers what was computed from a file, for as long as the file stays the same."""

    def recall(self, kind: str, path: Path, compute: Callable[[Path], Plain]) -> Plain:
        """What `compute(path)` gave for these bytes, or gives now."""


class NoMemo:
    """Computes every time."""

    def recall(self, kind: str, path: Path, compute: Callable[[Path], Plain]) -> Plain:
        """Compute it."""
        return compute(path)


@dataclass(frozen=True)
class Module:
    """A module's file, and the digest of its code."""

    path: Path
    digest: str


def fingerprint(module: str, memo: Memo | None = None) -> dict[str, str]:
    """Module name -> digest, for `module` and all that it imports of FIRST_PARTY and of its own package.

    A package's `__init__` counts where it has code, under the name `package.__init__`.
    Raises DistilleryError where a module is not there or cannot be parsed.
    """
    found = modules(module, _folders(module), memo or NoMemo())
    if module not in {name.removesuffix(".__init__") for name in found}:
        raise DistilleryError(f"The module {module} is not there: install distillery again")
    return {name: one.digest for name, one in found.items() if one.digest != NOTHING}


def modules(module: str, folders: Folders, memo: Memo) -> dict[str, Module]:
    """Every module that importing `module` may run and `folders` has a folder for, by its name, sorted.

    `folders` tells for the first part of a dotted name the folder that it lies in, or None: not ours.
    """
    found: dict[str, Module] = {}
    waiting = [module]
    while waiting:
        for name, path in _files(waiting.pop(), folders):
            if name not in found:
                code = memo.recall("code", path, Reader(name))
                found[name] = Module(path, code["digest"])
                waiting += code["imports"]
    return dict(sorted(found.items()))


def folder_of(name: str) -> Path | None:
    """The folder that holds a package or module of this first name, as importing would find it."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    return Path(spec.origin).parent if spec is not None and spec.has_location and spec.origin else None


class Reader:
    """Reads one module's file: the digest of its code, and the names that it imports."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, path: Path) -> dict[str, Any]:
        """Parse the file; raises DistilleryError naming the line where that fails."""
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError) as error:
            raise DistilleryError(f"{path} cannot be read as Python: {error}") from None
        imports = sorted(set(_imports(tree, self.name.split("."))))
        return {"digest": digest_bytes(_dump(tree)), "imports": imports}


def _folders(module: str) -> Folders:
    own = {*FIRST_PARTY, module.partition(".")[0]}
    folders = {name: folder_of(name) for name in own}
    return folders.get


def _files(dotted: str, folders: Folders) -> Iterator[tuple[str, Path]]:
    """The modules that importing `dotted` runs: its packages, and itself unless it is a name in a module."""
    parts = dotted.split(".")
    folder, name = folders(parts[0]), ""
    for part in parts if folder is not None else ():
        name, folder = f"{name}.{part}".removeprefix("."), cast(Path, folder) / part
        if (folder / "__init__.py").is_file():
            yield f"{name}.__init__", folder / "__init__.py"
        elif (module := folder.with_name(f"{part}.py")).is_file():
            yield name, module
            return
        elif not folder.is_dir():
            return


def _imports(tree: ast.AST, name: list[str]) -> Iterator[str]:
    """Every dotted name that the tree may import; `from a import b` may mean the module a.b."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*(name[: -node.level] if node.level else []), *([node.module] if node.module else [])]
            yield from (".".join([*base, alias.name]).removesuffix(".*") for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) in TYPING:
            for other in node.orelse:
                yield from _imports(ast.Module([other], []), name)
        else:
            yield from _imports(node, name)


def _dump(tree: ast.Module) -> bytes:
    """The syntax tree as text, without docstrings and positions."""
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree).encode()


TYPING = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
NOTHING = digest_bytes(_dump(ast.parse("")))
