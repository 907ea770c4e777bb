"""What the pointers pin, brought back into the working tree: verified, and never over changes unsaid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from distillery.errors import DataError, ProjectError
from tasks.data_versions import FolderState, folder_state
from tasks.memory import DigestMemory
from tasks.object_store import sound_objects
from tasks.pointers import file_md5s
from tasks.remote_config import Remote, choose_remote, configured_remotes
from tasks.repository import POINTERS
from tasks.restoring import Restored, restore_folder
from tasks.versioning import object_stores, store


@dataclass(frozen=True)
class Pulled:
    """A folder as it is now; `restored` is None where it was already what its pointer pins."""

    folder: str
    md5: str
    restored: Restored | None


def pull(project: Path, name: str | None, say: Callable[[str], None]) -> list[Pulled]:
    """Make `data/` and `models/` what their pointers pin, from DVC's cache, then from the remotes.

    Raises ProjectError, with nothing done, where a folder has changes that are kept nowhere else; DataError
    naming every object that no store has with the right bytes.
    """
    remotes = configured_remotes(project) if name is None else (choose_remote(project, name),)
    memory = DigestMemory(project)
    names = [pointer.removesuffix(".dvc") for pointer in POINTERS]
    states = {folder: folder_state(project, memory, folder) for folder in names}
    pinned = {folder: state for folder, state in states.items() if state.pinned is not None}
    if not pinned:
        remedy = "`git checkout` a revision that has a data.dvc, or `distillery data import SOURCE`"
        raise ProjectError(f"{project} pins neither data nor models: {remedy}")
    faults = [
        _unsaved(folder) for folder, state in pinned.items() if not _safe(project, folder, state, memory)
    ]
    if faults:
        raise ProjectError("nothing was pulled, because it would overwrite changes", faults)
    done = []
    for folder, state in pinned.items():
        md5 = str(state.pinned)
        restored = None
        if state.md5 != md5:
            restored = _restored(project, folder, md5, remotes)
            _fill_cache(project, folder, md5, memory)
            _tell_of_the_old(folder, state, say)
        done.append(Pulled(folder, md5, restored))
    memory.save()
    return done


def _restored(project: Path, folder: str, md5: str, remotes: Sequence[Remote]) -> Restored:
    """A checkout of a commit that is older than the remote takes the config back too: that is told."""
    try:
        return restore_folder(project, md5, project / folder, remotes)
    except DataError as error:
        if remotes:
            raise
        remedy = "`dvc remote add --local -d NAME PLACE` adds one that no checkout takes away"
        raise DataError(f"{error.message}; no remote is configured: {remedy}", error.faults) from None


def _safe(project: Path, folder: str, state: FolderState, memory: DigestMemory) -> bool:
    """Whether nothing is lost when the folder is replaced: DVC's cache has its very bytes, or it has none."""
    if state.md5 in (None, state.pinned):
        return True
    md5s = {str(state.md5), *file_md5s(project / folder).values()}
    with object_stores(project, []) as (cache,):
        return len(sound_objects(cache, md5s, memory)) == len(md5s)


def _unsaved(folder: str) -> str:
    keep = f"`dvc add {folder}` pins them as a version of their own"
    return f"{folder}/ is not what {folder}.dvc pins: {keep}; or remove {folder}/, and pull again"


def _fill_cache(project: Path, folder: str, md5: str, memory: DigestMemory) -> None:
    """What was verified just now takes the place of what the cache lost or has altered."""
    with object_stores(project, []) as (cache,):
        md5s = {md5, *file_md5s(project / folder).values()}
        for damaged in md5s - sound_objects(cache, md5s, memory).keys():
            cache.remove(damaged)
    store(project, folder)


def _tell_of_the_old(folder: str, state: FolderState, say: Callable[[str], None]) -> None:
    if state.md5 is not None:
        back = (
            f"; `distillery data restore {state.md5} --to DIR` writes it elsewhere"
            if folder == "data"
            else ""
        )
        say(f"{folder}/ was replaced; what it held ({state.md5}) stays in DVC's cache{back}")
