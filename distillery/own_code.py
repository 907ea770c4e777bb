"""Functions of the user's own project that params name: where their code is, what it is, and calling them.

What counts as code is the function's module and all that it imports from the folder that it lies in. It
enters cache keys and the bundles of versions, so it must lie in the project, not among installed packages.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from distillery.artifacts import digest_json
from distillery.errors import DistilleryError, ParamsError
from distillery.fingerprint import FIRST_PARTY, Memo, Module, NoMemo, folder_of, modules

INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib")
OTHERS = (*FIRST_PARTY, "flows", "tests")  # which may lie in the same folder


def own_modules(function: str, memo: Memo | None = None) -> dict[str, Module]:
    """The user's modules behind `package.module:function`, by name; ParamsError where they are not there."""
    module = function.partition(":")[0]
    first = module.partition(".")[0]
    home = folder_of(first)
    if home is None or first in FIRST_PARTY:
        raise ParamsError(
            f"{function}: the project folder has no {first}.py and no folder {first} with modules"
        )
    if any(home == Path(sysconfig.get_path(kind)) for kind in INSTALLED):
        raise ParamsError(
            f"{function}: {first} is an installed package, whose code no version carries; copy it"
        )

    def folders(name: str) -> Path | None:
        there = (home / name).is_dir() or (home / f"{name}.py").is_file()
        return home if there and name not in OTHERS else None

    try:
        found = modules(module, folders, memo or NoMemo())
    except DistilleryError as error:
        raise ParamsError(f"{function}: {error}") from None
    if module not in {name.removesuffix(".__init__") for name in found}:
        raise ParamsError(f"{function}: there is no module {module} in {home}")
    return found


def own_digest(function: str) -> str:
    """One digest of the code behind a function."""
    return digest_json({name: module.digest for name, module in own_modules(function).items()})


def called(function: str, *given: object, arguments: Mapping[str, Any]) -> object:
    """What the function gives; ParamsError where it cannot be imported or raises."""
    own_modules(function)  # which says better what is missing
    module, _, name = function.partition(":")
    try:
        return getattr(import_module(module), name)(*given, **arguments)
    except ParamsError:
        raise
    except (Exception, SystemExit) as error:  # sys.exit(0) there would pass for success
        raise ParamsError(f"{function} failed with {type(error).__name__}: {error}") from error
