"""What the data commands do, in order: read, check, write beside, swap, pin, and say so in params.yaml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from distillery.artifacts import scratch_folder, written_beside
from distillery.data.canonical import Canonical, read_canonical
from distillery.data.difference import Difference, compare
from distillery.data.form import Form, Series, Table, Tokens, in_words
from distillery.data.importing import Import, Part, write_data
from distillery.data.preparation import check_splits
from distillery.data.readers.recognise import open_source
from distillery.errors import DataError, ParamsError, ProjectError
from flows.data_status import data_status
from flows.project import Request
from tasks.data_versions import find_version, folder_state
from tasks.environment import STATE
from tasks.locking import project_lock
from tasks.memory import DigestMemory
from tasks.params_file import change_params
from tasks.repository import ensure_repository
from tasks.restoring import Restored, restore_folder
from tasks.versioning import pin, store

IMPORTED = {"source": "imported", "path": None}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What to read: a source, perhaps one of test rows alone, and how to read it."""

    source: Path
    test: Path | None = None
    label: str | None = None
    resize: tuple[int, int] | None = None


def import_data(request: Request, asked: Asked, name: str | None, say: Say) -> dict[str, Any]:
    """Make a source the project's data set; the one before stays in DVC's cache."""
    with project_lock(request.project, wait=True, tell=say):
        previous = _readable(request.project, say)
        parts = _open(asked, known=None)
        wanted = Import(parts, name or asked.source.resolve().stem, IMPORTED, previous=previous)
        settings = {"data": IMPORTED} | ({"registry": {"name": name}} if name else {})
        return _replace(request, wanted, settings, say)


def add_data(request: Request, asked: Asked, say: Say) -> dict[str, Any]:
    """Append a source's rows to the data set as a new version."""
    with project_lock(request.project, wait=True, tell=say):
        before = _present(request.project)
        if before is None:
            raise ProjectError("there is no data/ to add to: `distillery data import SOURCE` makes it")
        form = before.schema.form
        parts = _open(asked, known=form if isinstance(form, Table) else None)
        return _replace(request, Import(parts, before.schema.name, IMPORTED, before), {"data": IMPORTED}, say)


def _present(project: Path) -> Canonical | None:
    return read_canonical(project / "data") if (project / "data").exists() else None


def _readable(project: Path, say: Say) -> Canonical | None:
    """What is to be replaced; where it is damaged it is replaced all the same, and compared with nothing."""
    try:
        return _present(project)
    except DataError as error:
        say(f"the data that are replaced cannot be read: {error.message}")
        return None


def _open(asked: Asked, known: Table | None) -> tuple[Part, ...]:
    sources = [(asked.source, False)] + ([(asked.test, True)] if asked.test else [])
    how = partial(open_source, label=asked.label, resize=asked.resize, known=known)
    return tuple(Part(how(source), tested) for source, tested in sources)


def _replace(request: Request, wanted: Import, settings: dict[str, Any], say: Say) -> dict[str, Any]:
    project, folder = request.project, request.project / "data"
    for sentence in ensure_repository(project):
        say(sentence)
    with written_beside(folder) as scratch:
        findings = write_data(wanted, scratch)
        findings.raise_errors("data/ stays as it was: the new data")
        check_splits(read_canonical(scratch), request.params.data, scratch)
        scratch.chmod(0o755)
        _keep_what_was_there(project, say)
    pin(project, "data")
    if change_params(project / "params.yaml", settings):
        say("params.yaml now says " + ", ".join(_told(settings)))
    for warning in findings.lines("warning"):
        say(f"warning: {warning}")
    say("data.dvc changed: commit it to keep this version")
    _say_whose_networks_fit(request, say)
    return data_status(project)


def _say_whose_networks_fit(request: Request, say: Say) -> None:
    """Where the student of params.yaml takes other rows, the preset that has one for these."""
    schema = read_canonical(request.project / "data").schema
    preset = _preset_for(schema.form)
    if preset is None:
        return
    try:
        request.params.student.model.network(schema.form, len(schema.classes))
    except ParamsError:
        form = in_words(schema.form)
        say(f"the networks of params.yaml do not take {form}: distillery run --params {preset}")


def _preset_for(form: Form) -> str | None:
    match form:
        case Table():
            return "params/tabular.yaml"
        case Series() | Tokens():
            return "params/sequences.yaml"
        case _:
            return None


def _told(settings: dict[str, Any]) -> list[str]:
    return [
        f"{block}.{name}: {'null' if value is None else value}"
        for block, values in settings.items()
        for name, value in values.items()
    ]


def _keep_what_was_there(project: Path, say: Say) -> None:
    """The old folder is in DVC's cache before another takes its place."""
    state = folder_state(project, DigestMemory(project))
    if state.md5 is not None and not state.in_cache:
        store(project, "data")
    if state.md5 is not None and state.md5 != state.pinned:
        say(f"data/ was not what data.dvc pins; `distillery data restore {state.md5}` brings it back")


def diff_data(project: Path, before: str, after: str | None) -> Difference:
    """Rows added, removed and relabelled from one version to another, or to what is in data/."""
    with scratch_folder(project / STATE) as scratch:
        older = _restored(project, before, scratch / "before")
        newer = _present(project) if after is None else _restored(project, after, scratch / "after")
        if newer is None:
            raise ProjectError("there is no data/ to compare with: name two versions")
        return compare(older, newer, scratch)


def _restored(project: Path, version: str, to: Path) -> Canonical:
    restore_folder(project, find_version(project, version), to)
    return read_canonical(to)


def restore_data(project: Path, version: str, to: Path) -> Restored:
    """Write a version's folder at `to`, which must not be there; the project's own data/ is not touched."""
    if to.exists() and any(to.iterdir() if to.is_dir() else [to]):
        raise ProjectError(f"{to} is not empty: name a folder that is not there yet")
    return restore_folder(project, find_version(project, version), to)
