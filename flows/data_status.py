"""What the project's data folder is. Light: a status must be there at once, however many rows there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.data_versions import folder_state, read_schema
from tasks.memory import DigestMemory


def data_status(project: Path) -> dict[str, Any]:
    """Which version is there, its digests, whether it is what data.dvc pins, and where it is stored."""
    state = folder_state(project, DigestMemory(project))
    stored = ["DVC's cache"] if state.in_cache else []
    pinned = {"state": state.word, "md5": state.md5, "pinned": state.pinned, "stored": stored}
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
