"""`data push` and `data pull`: what was done, as plain JSON and in a sentence. Light."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.locking import project_lock
from tasks.pulling import Pulled, pull
from tasks.remotes import push
from tasks.repository import ensure_repository, is_versioned

Say = Callable[[str], None]


def push_data(project: Path, remote: str | None, say: Say) -> dict[str, Any]:
    """Send every pinned version; nothing of the project changes, so a run may go on beside it."""
    _keep_state_out_of_git(project)
    pushed = push(project, remote)
    for repaired in pushed.repaired:
        say(f"sent again: {repaired}")
    for warning in pushed.warnings:
        say(f"warning: {warning}")
    named = {"remote": pushed.remote.name, "place": pushed.remote.place}
    counts = {name: getattr(pushed, name) for name in ("versions", "objects", "bytes", "sent")}
    return named | counts | {"repaired": list(pushed.repaired), "warnings": list(pushed.warnings)}


def _keep_state_out_of_git(project: Path) -> None:
    """In a fresh clone these commands are the first that write state."""
    if is_versioned(project):
        ensure_repository(project)


def told_push(done: dict[str, Any]) -> str:
    """One line for a person."""
    what = f"{done['objects']} objects ({done['bytes']:,} bytes, {done['versions']} versions)"
    return f"verified {what} in remote {done['remote']} ({done['place']}); {done['sent']} were sent now"


def pull_data(project: Path, remote: str | None, say: Say) -> list[dict[str, Any]]:
    """Bring back what the pointers pin; one entry a folder."""
    _keep_state_out_of_git(project)
    with project_lock(project, wait=True, tell=say):
        done = pull(project, remote, say)
    for pulled in done:
        for damaged in pulled.restored.damaged if pulled.restored else ():
            say(f"warning: {damaged}")
    return [_plain(pulled) for pulled in done]


def _plain(pulled: Pulled) -> dict[str, Any]:
    restored = pulled.restored
    counts = {"files": restored.files, "bytes": restored.bytes} if restored else {}
    found = {"places": restored.places, "damaged": restored.damaged} if restored else {}
    return {"folder": pulled.folder, "md5": pulled.md5, "pulled": restored is not None, **counts, **found}


def told_pull(done: dict[str, Any]) -> str:
    """One line for a person."""
    if not done["pulled"]:
        return f"{done['folder']}/ is what {done['folder']}.dvc pins"
    places = ", ".join(done["places"])
    return f"{done['folder']}/: {done['files']} files, {done['bytes']:,} bytes, verified, from {places}"
