"""A version built anew, by its own code, in a scratch project with nothing in its cache.

The code is of the day when the version was registered, so it is asked for as little as can be, and for none
of its own formats. This is the contract, which every later change of the code must keep:

1. `flows.cli:main` with `run --project DIR` runs the pipeline of DIR/params.yaml; exit code 0 or 3.
2. With `registry.uri` null, DIR's own registry has a version a variant, with the tags of tasks/records.py.
3. `agree FIRST SECOND --json --project DIR` prints how two files' predictions compare on DIR's test rows:
   {"rows", "share", "largest_logit_difference"}. It is asked only where the bytes differ.

DIR has params.yaml, the code in `source/`, and `data/` or, in `data-source/`, files of a source elsewhere;
earlier models that the params name by their SHA-256 are `.distillery/knowledge/SHA256`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from distillery.artifacts import discard, write_atomically
from distillery.errors import DistilleryError, ProjectError
from distillery.machine import has_cuda
from distillery.params.budget import RegistryParams
from distillery.rebuild import Agreement
from tasks.bundle import DATA, ENVIRONMENT, KNOWLEDGE, PARAMS, SOURCE
from tasks.environment import NUMERIC
from tasks.knowledge import keep
from tasks.origins import DataOrigin
from tasks.recalling import Recalled
from tasks.registering import FetchedModel, fetch_model, list_models
from tasks.registry_store import addressed, local_uri
from tasks.repository import init_git
from tasks.restoring import copy_source, restore_folder
from tasks.unpacking import unpack

CODE, OWN_DATA, OTHER_DATA = Path("source"), Path("data"), Path("data-source")
NOT_INHERITED = (
    "DVC_",
    "GIT_",
    "MLFLOW_",
    "PREFECT_",
    *NUMERIC,
)  # what names other stores, or steers kernels
RUN_CODES = (0, 3)  # 3: no variant keeps the budget, which is no matter here

# The child asks to be killed when we are; it may have been orphaned before it asked.
LAUNCH = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv.pop(1)):
    sys.exit(1)
sys.argv[0] = "distillery"
from flows.cli import main
main()
"""


@dataclass(frozen=True)
class Scratch:
    """A project to rebuild a version in."""

    folder: Path
    registry: RegistryParams
    variables: Mapping[str, str]  # those that steer kernels, as they were

    def command(self, *arguments: str, output: int) -> subprocess.CompletedProcess[bytes]:
        """Run a command of the version's own code; what it tells a person goes to standard error."""
        inherited = {n: value for n, value in os.environ.items() if not n.startswith(NOT_INHERITED)}
        path = os.pathsep.join(filter(None, [str(self.folder / CODE), os.environ.get("PYTHONPATH")]))
        return subprocess.run(
            [sys.executable, "-P", "-c", LAUNCH, str(os.getpid()), *arguments, "--project", str(self.folder)],
            cwd=self.folder,
            env={**inherited, **self.variables, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=output,
            check=False,
        )


@contextmanager
def empty_folder(to: Path | None) -> Iterator[Path]:
    """An empty folder: `to`, which stays, or a temporary one. ProjectError where `to` is not empty."""
    if to is None:
        with tempfile.TemporaryDirectory(prefix="distillery-") as folder:
            yield Path(folder).resolve()
        return
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ProjectError(f"{to} is there already and is not empty: name another folder")
    to.mkdir(parents=True, exist_ok=True)
    try:
        yield to.resolve()
    finally:
        if not any(to.iterdir()):
            to.rmdir()


def lay_out(recalled: Recalled, project: Path, folder: Path) -> tuple[Scratch, list[str]]:
    """Make a scratch project from a version's bundle and its data; also says, in words, what came from where.

    On failure the folder is empty again. Raises DataError with all that is gone of the data.
    """
    try:
        origin = DataOrigin.from_json(json.loads(recalled.bundle[DATA]))
        said = _restore_data(origin, project, folder)
        unpack(recalled.bundle[SOURCE], folder / CODE)
        for name in recalled.bundle:
            if name.startswith(KNOWLEDGE):
                keep(folder, recalled.bundle[name])
        tree = _params(yaml.safe_load(recalled.bundle[PARAMS]), origin)
        _restore_teachers(tree, recalled.bundle, folder)
        write_atomically(folder / PARAMS, yaml.safe_dump(tree, sort_keys=False).encode())
        init_git(folder)  # of its own: else it would be part of a repository that it may lie in
    except BaseException:
        for path in folder.iterdir():
            discard(path)
        raise
    registry = RegistryParams(name=tree["registry"]["name"], uri=None)
    environment = json.loads(recalled.bundle[ENVIRONMENT])
    return Scratch(folder, registry, environment["variables"]), said


def _restore_data(origin: DataOrigin, project: Path, folder: Path) -> list[str]:
    if origin.md5:
        done = restore_folder(project, origin.md5, folder / OWN_DATA)
        return [*done.damaged, f"data: {done.files} files, verified, from {' and '.join(done.places)}"]
    if origin.folder:
        copy_source(Path(origin.folder), origin.files, folder / OTHER_DATA)
        return [f"data: {len(origin.files)} files, verified, from {origin.folder}"]
    return ["data: the code brings them"]


def _restore_teachers(tree: Any, bundle: Mapping[str, bytes], folder: Path) -> None:
    """Write the files that teachers were brought as, and say in the version's params where they are now."""
    teachers = (tree["teacher"], *tree.get("teachers", {}).get("others", ()))  # older versions have no others
    for at, teacher in enumerate(teachers):
        name = f"teacher-{at}"
        if name in bundle:
            write_atomically(folder / name, bundle[name])
            teacher["file"] = name


def _params(tree: Any, origin: DataOrigin) -> Any:
    """The version's params, for a project of its own on this machine."""
    tree["registry"]["uri"] = None
    if origin.files:
        tree["data"]["path"] = str(OTHER_DATA)
    if tree["runtime"]["device"] == "cuda" and not has_cuda():
        tree["runtime"]["device"] = "cpu"
    return tree


def build(scratch: Scratch, variant: str) -> FetchedModel:
    """Run the whole pipeline of a scratch project; the variant's file and record as it has them then."""
    code = scratch.command("run", output=subprocess.DEVNULL).returncode
    if code not in RUN_CODES:
        raise DistilleryError(f"The version's own code ended with exit code {code}: it says why above")
    with addressed(local_uri(scratch.folder)):  # whatever registry the environment names
        rows = list_models(scratch.folder, scratch.registry)
        versions = [row["version"] for row in rows if row["name"] == variant]
        if not versions:
            raise DistilleryError(f"The version's own code ran and registered no {variant}")
        return fetch_model(scratch.folder, scratch.registry, versions[0])


def compare(scratch: Scratch, registered: bytes, rebuilt: bytes) -> Agreement:
    """How both files predict, asked of the version's own code: it reads its own rows."""
    names = [str(scratch.folder / name) for name in ("registered.onnx", "rebuilt.onnx")]
    for name, content in zip(names, (registered, rebuilt), strict=True):
        write_atomically(Path(name), content)
    done = scratch.command("agree", *names, "--json", output=subprocess.PIPE)
    if done.returncode != 0:
        raise DistilleryError("The version's own code could not compare the files: it says why above")
    told = json.loads(done.stdout)
    return Agreement(told["rows"], told["share"], told["largest_logit_difference"])
