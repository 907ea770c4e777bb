"""What the project's data folder is. Light: a status must be there at once, however many rows there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.data_versions import folder_state, read_schema
from tasks.memory import DigestMemory
from tasks.pushed import last_push
from tasks.remote_config import Remote, configured_remotes


def data_status(project: Path) -> dict[str, Any]:
    """Which version is there, its digests, whether it is what data.dvc pins, and where it is stored."""
    state = folder_state(project, DigestMemory(project))
    remotes = [_remote(project, remote, state.md5 or state.pinned) for remote in configured_remotes(project)]
    stored = ["DVC's cache"] if state.in_cache else []
    stored += [
        f"remote {remote['name']} (verified {remote['verified']})" for remote in remotes if remote["verified"]
    ]
    pinned: dict[str, Any] = {"state": state.word, "md5": state.md5, "pinned": state.pinned}
    pinned |= {"stored": stored, "remotes": remotes}
    if state.md5 is None:
        return pinned
    schema = read_schema(project / "data")
    versions = [
        {key: version[key] for key in ("number", "rows", "format", "class_counts", "shift", "warnings")}
        for version in schema["versions"]
    ]
    rows = sum(version["rows"] for version in versions)
    head = {key: schema[key] for key in ("name", "data_digest", "classes", "form")}
    return {**head, "version": len(versions), "rows": rows, **pinned, "versions": versions}


def _remote(project: Path, remote: Remote, md5: str | None) -> dict[str, Any]:
    """A remote, and when a push last saw this version there; no network is asked."""
    seen = last_push(project, remote)
    verified = seen.verified if seen is not None and md5 in seen.versions else None
    return {"name": remote.name, "place": remote.place, "default": remote.default, "verified": verified}
