"""What the last verified push to each remote saw there: `data status` shows it without asking a network."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from distillery.artifacts import digest_json, read_json, write_json
from tasks.environment import STATE
from tasks.remote_config import Remote

FOLDER = STATE / "pushed"


@dataclass(frozen=True)
class PushRecord:
    """When a remote was seen to have these versions (md5s of folders), and how many objects that were."""

    verified: str
    versions: tuple[str, ...]
    objects: int


def record_push(project: Path, remote: Remote, versions: Collection[str], objects: int) -> None:
    """Remember a verified push. A file a remote: two pushes at once do not lose each other's."""
    now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    plain = {"remote": remote.name, "place": remote.place, "identity": remote.identity}
    seen = {"verified": now, "versions": sorted(versions), "objects": objects}
    write_json(_file(project, remote), plain | seen)


def forget_push(project: Path, remote: Remote) -> None:
    """A remote was seen to lack something: what it had before counts no more."""
    _file(project, remote).unlink(missing_ok=True)


def last_push(project: Path, remote: Remote) -> PushRecord | None:
    """The last verified push to a remote as it is configured now; None without one."""
    try:
        plain = read_json(_file(project, remote))
        if plain["identity"] != remote.identity:
            return None
        return PushRecord(str(plain["verified"]), tuple(map(str, plain["versions"])), int(plain["objects"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _file(project: Path, remote: Remote) -> Path:
    return project / FOLDER / f"{digest_json(remote.name)[:16]}.json"
