"""What rebuilds a version: the code as `source.tar`, the resolved params, where the rows came from, the
pointers, the environment, and teachers that were brought as files.

Equal code gives equal bytes, in any folder and process: names are sorted, times, owners and modes are fixed.
"""

from __future__ import annotations

import io
import platform
import shutil
import tarfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import yaml

from distillery.artifacts import digest_file, files_below, write_atomically, write_json
from distillery.machine import cpu_features, cpu_model, gpu_models
from distillery.models.custom import own_functions
from distillery.own_code import own_modules
from distillery.params.project import Params
from distillery.params.teacher import TrainedTeacher
from tasks.environment import numeric_variables
from tasks.knowledge import recall
from tasks.origins import DataOrigin
from tasks.repository import POINTERS

PACKAGES = ("distillery", "flows", "tasks")
BESIDE = ("pyproject.toml", "constraints.txt", "README.md")
SOURCE, PARAMS, ENVIRONMENT, DATA = "source.tar", "params.yaml", "environment.json", "data.json"
KNOWLEDGE = "knowledge-"  # and the SHA-256 of an earlier model that the run learned or began from
SMOKE, LOGITS = "smoke.npz", "logits.npy"  # recorded rows with predictions, and where these are from


def write_bundle(project: Path, params: Params, origin: DataOrigin, into: Path) -> dict[str, str]:
    """Write the bundle's files beside what there is; returns the SHA-256 of them all, by name.

    What data.dvc and models.dvc pin belongs to it where the rows were the project's own.
    """
    write_atomically(into / SOURCE, running_source(named_functions(params)))
    text = yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_atomically(into / PARAMS, text.encode())
    write_json(into / ENVIRONMENT, describe_environment())
    write_json(into / DATA, origin.to_json())
    for digest in params.retrain.models:
        write_atomically(into / f"{KNOWLEDGE}{digest}", recall(project, digest))
    for name, file in teacher_files(params).items():
        shutil.copyfile(project / file, into / name)
    for pointer in POINTERS if origin.md5 else ():
        if (project / pointer).is_file():
            shutil.copyfile(project / pointer, into / pointer)
    return {name: digest_file(into / name, name).sha256 for name in files_below(into)}


def teacher_files(params: Params) -> dict[str, str]:
    """The files that teachers were brought as, by their names in a bundle; `teacher-0` is `teacher`."""
    teachers = (params.teacher, *params.teachers.others)
    brought = {f"teacher-{at}": teacher for at, teacher in enumerate(teachers)}
    return {n: t.file for n, t in brought.items() if not isinstance(t, TrainedTeacher)}


def source_tar(root: Path | None = None, functions: tuple[str, ...] = ()) -> bytes:
    """The packages under `root` (default: the running ones), what builds them if it lies beside, and the
    user's own modules behind `functions`.
    """
    files = dict(_sources(root or Path(__file__).resolve().parent.parent))
    files |= {name: file for function in functions for name, file in _own_sources(function)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, file in sorted(files.items()):
            entry = tarfile.TarInfo(name)  # a fresh entry: time 0, owner 0, no names
            entry.mode, entry.size = 0o644, file.stat().st_size
            with file.open("rb") as stream:
                tar.addfile(entry, stream)
    return buffer.getvalue()


@cache
def running_source(functions: tuple[str, ...] = ()) -> bytes:
    """The running code, as it was when this was first asked: a run asks before it begins, so that a file that
    is edited meanwhile does not pass for what ran.
    """
    return source_tar(functions=functions)


def named_functions(params: Params) -> tuple[str, ...]:
    """The functions of the user's own that params name."""
    return tuple(sorted(set(own_functions(params))))


def describe_environment() -> dict[str, object]:
    """Python, every installed distribution, and what of the processor shapes results."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": {"model": cpu_model(), "features": cpu_features()},
        "gpus": gpu_models(),
        "variables": numeric_variables(),
        "distributions": installed_distributions(),
    }


@cache
def installed_distributions() -> dict[str, str]:
    """Version by normalized name of all that is installed, sorted."""
    found = {
        d.metadata["Name"].lower().replace("_", "-").replace(".", "-"): d.version for d in distributions()
    }
    return dict(sorted(found.items()))


def _sources(root: Path) -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for file in (root / package).rglob("*"):
            name = file.relative_to(root)
            if file.is_file() and not _is_debris(name):
                yield name.as_posix(), file
    if _is_ours(root / "pyproject.toml"):  # in site-packages, a README beside us is someone else's
        yield from ((name, root / name) for name in BESIDE if (root / name).is_file())


def _own_sources(function: str) -> Iterator[tuple[str, Path]]:
    """Named so that they are imported from where the archive is unpacked as they were from the project."""
    for name, module in own_modules(function).items():
        yield f"{name.replace('.', '/')}.py", module.path


def _is_debris(name: Path) -> bool:
    """Compiled files, and what editors and systems drop."""
    hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
    return hidden or name.suffix in {".pyc", ".pyo", ".swp", ".orig"} or name.name.endswith("~")


def _is_ours(pyproject: Path) -> bool:
    return pyproject.is_file() and 'name = "distillery"' in pyproject.read_text(encoding="utf-8")
