"""Every version that a pointer pins: in the working tree, and in any commit of any branch or tag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from distillery.errors import ProjectError
from tasks.pointers import Pointer, pinned_digest, read_pointer
from tasks.repository import POINTERS, file_through_history, is_shallow


@dataclass(frozen=True)
class PinnedVersion:
    """What was pinned, and where: `data.dvc`, or `data.dvc at` a commit."""

    pointer: Pointer
    where: str


@dataclass(frozen=True)
class Pinned:
    """All the versions, each once, and in words what could not be read as one."""

    versions: tuple[PinnedVersion, ...]
    warnings: tuple[str, ...]


def pinned_versions(project: Path) -> Pinned:
    """Every pinned version of data and models; ProjectError where there is none, or git cannot tell."""
    found: dict[str, PinnedVersion] = {}
    warnings = []
    for name in POINTERS:
        now = pinned_digest(project, name.removesuffix(".dvc"))
        if now is not None:
            found.setdefault(now.md5, PinnedVersion(now, name))
        for where, pointer in _history(project, name):
            if isinstance(pointer, ProjectError):
                warnings.append(pointer.message)
            else:
                found.setdefault(pointer.md5, PinnedVersion(pointer, where))
    if is_shallow(project):
        remedy = "`git fetch --unshallow` brings them"
        warnings.append(
            f"this clone is shallow: versions that older commits pin are not known here; {remedy}"
        )
    if not found:
        remedy = "`distillery data import SOURCE` or `distillery run` pins something"
        raise ProjectError(f"{project} pins neither data nor models: {remedy}")
    return Pinned(tuple(found.values()), tuple(warnings))


def _history(project: Path, name: str) -> Iterator[tuple[str, Pointer | ProjectError]]:
    """A broken pointer that was committed once must not stop every push from then on."""
    for content, commit in file_through_history(project, name).items():
        where = f"{name} at {commit[:10]}"
        try:
            yield where, read_pointer(content, where)
        except ProjectError as error:
            yield where, error
