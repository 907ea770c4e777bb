"""What some steps read besides their inputs, as digests for their cache keys: no heavy import."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import distillery
from distillery.artifacts import files_below
from distillery.data.locate import holds, idx_files
from distillery.errors import ParamsError
from distillery.machine import describe_machine
from distillery.params.base import Block
from distillery.params.budget import RegistryParams
from distillery.params.data import DataParams
from distillery.params.project import Params
from distillery.params.teacher import OnnxTeacher, WeightsTeacher
from tasks.memory import DigestMemory
from tasks.pointers import directory_md5, pinned_digest
from tasks.registry_store import store_identity

ABSENT = "absent"
TEMPLATES = Path(distillery.__path__[0]) / "report" / "templates"
Kind = TypeVar("Kind", bound=Block)


def source_files(project: Path, inputs: Iterable[object], memory: DigestMemory) -> dict[str, str]:
    """The bytes that `prepare_data` reads: the source's files, and the project's own `data/`.

    `data/` counts where it holds the source that the params name. While it is not there, what `data.dvc`
    pins stands for the source that it is made from: the same key before and after.
    """
    data = _only(DataParams, inputs)
    folder = project / "data"
    if holds(folder, data):
        return {"data": directory_md5({n: memory.digest(folder / n).md5 for n in files_below(folder)})}
    if data.source == "idx":
        return {file.name: memory.digest(file).sha256 for file in idx_files(project / str(data.path))}
    pinned = None if folder.is_dir() else pinned_digest(project, "data")
    return {"data": pinned.md5 if pinned else ABSENT}


def teacher_file(project: Path, inputs: Iterable[object], memory: DigestMemory) -> dict[str, str]:
    """The bytes of the file that `adopt_teacher` reads; ParamsError where it is not there."""
    teacher = next(block for block in inputs if isinstance(block, OnnxTeacher | WeightsTeacher))
    file = project / teacher.file
    if not file.is_file():
        raise ParamsError(f"teacher.file: {file} is not there: name a file that exists")
    return {"teacher.file": memory.digest(file).sha256}


def machine(_project: Path, _inputs: Iterable[object], _memory: DigestMemory) -> dict[str, str]:
    """What a time measured here depends on."""
    return describe_machine()


def registry_store(project: Path, inputs: Iterable[object], _memory: DigestMemory) -> dict[str, str]:
    """Which registry is registered into: its address, and for the local one the id of the store."""
    inputs = tuple(inputs)
    whole = [block.registry for block in inputs if isinstance(block, Params)]
    return {"registry": store_identity(project, whole[0] if whole else _only(RegistryParams, inputs))}


def report_templates(_project: Path, _inputs: Iterable[object], memory: DigestMemory) -> dict[str, str]:
    """The page's templates: they are not Python, so that the code's fingerprint does not see them."""
    return {f"template {name}": memory.digest(TEMPLATES / name).sha256 for name in files_below(TEMPLATES)}


def _only(kind: type[Kind], inputs: Iterable[object]) -> Kind:
    return next(block for block in inputs if isinstance(block, kind))
