"""What a module's code is, as digests: of itself and of every first-party module that it imports.

The digest is of the syntax tree without docstrings, so comments, docstrings and blank lines change nothing.
Modules are read, never imported: asking costs milliseconds, and nothing heavy is loaded. Imports inside
functions count; imports for type checkers alone, and names computed at run time, do not.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeVar

from distillery.artifacts import digest_bytes
from distillery.errors import DistilleryError

FIRST_PARTY = ("distillery", "tasks")

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


def fingerprint(module: str, memo: Memo | None = None) -> dict[str, str]:
    """Module name -> digest, for `module` and all that it imports of FIRST_PARTY and of its own package.

    A package's `__init__` counts where it has code, under the name `package.__init__`.
    Raises DistilleryError where a module is not there or cannot be parsed.
    """
    memo = memo or NoMemo()
    roots = _roots(module)
    if module not in {name.removesuffix(".__init__") for name, _ in _files(module, roots)}:
        raise DistilleryError(f"The module {module} is not there: install distillery again")
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        for name, path in _files(waiting.pop(), roots):
            if name in seen:
                continue
            seen.add(name)
            code = memo.recall("code", path, Reader(name))
            if code["digest"] != NOTHING:
                found[name] = code["digest"]
            waiting += code["imports"]
    return dict(sorted(found.items()))


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


def _roots(module: str) -> dict[str, Path]:
    """The folders of the first-party packages."""
    specs = {package: find_spec(package) for package in {*FIRST_PARTY, module.partition(".")[0]}}
    return {
        package: Path(spec.submodule_search_locations[0])
        for package, spec in specs.items()
        if spec is not None and spec.submodule_search_locations
    }


def _files(dotted: str, roots: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    """The modules that importing `dotted` runs: its packages, and itself unless it is a name in a module."""
    package, *rest = dotted.split(".")
    if package not in roots:
        return
    folder, name = roots[package], package
    if (folder / "__init__.py").is_file():
        yield f"{name}.__init__", folder / "__init__.py"
    for part in rest:
        name, folder = f"{name}.{part}", folder / part
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
