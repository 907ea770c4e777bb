"""Where a run's rows came from, so that the very same can be had again: what `data.json` in a bundle says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distillery.artifacts import digest_bytes
from distillery.errors import Busy
from distillery.params.data import DataParams
from tasks.caching import reads_of
from tasks.data_versions import folder_state, read_schema
from tasks.memory import DigestMemory


@dataclass(frozen=True)
class DataOrigin:
    """Either the project's own `data/` (`md5`, as DVC takes it; DVC's cache has it), or the files of a source
    elsewhere (`files`: SHA-256 by name), or neither: rows that the code itself brings.

    `folder` is where they were last seen, absolute; None for rows that the code brings. `source` says in some
    facts what was read: format, files, their digest; of `data/`, of its newest version.
    """

    folder: str | None
    md5: str | None
    files: Mapping[str, str]
    source: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Any) -> DataOrigin:
        """Read back what `to_json` wrote."""
        files = {str(name): str(digest) for name, digest in plain["files"].items()}
        return cls(plain["folder"], plain["md5"], files, dict(plain.get("source", {})))


def find_origin(project: Path, prepared: Path, data: DataParams, *, own: bool) -> DataOrigin:
    """The origin of the rows in the `prepare_data` artifact; `own`: they were read from `data/`.

    What `data/` holds goes into DVC's cache, also where `data.dvc` pins something else. Busy where it is not
    what was read any more.
    """
    read = reads_of(project, prepared)
    if own:
        md5 = _kept(project)
        if read != {"data": md5}:
            raise Busy(f"{project / 'data'} changed while it was used: nothing was registered; run again")
        return DataOrigin(str(project / "data"), md5, {}, _newest(project / "data"))
    if data.path is None:
        return DataOrigin(None, None, {}, {})
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(read.items()))
    source = {"format": data.source, "files": len(read), "digest": digest_bytes(lines.encode())}
    return DataOrigin(str((project / data.path).resolve()), None, read, source)


def _newest(folder: Path) -> dict[str, Any]:
    """The newest version of a data folder."""
    schema = read_schema(folder)
    newest = schema["versions"][-1]
    named = {"dataset": schema["name"], "version": newest["number"]}
    return {**named, **{key: newest[key] for key in ("format", "files")}, "digest": newest["source_digest"]}


def _kept(project: Path) -> str:
    """The md5 of `data/`, which DVC's cache has then; the files are read only where they changed."""
    from tasks.versioning import store  # DVC is slow to import, and what only reads origins needs it not

    state = folder_state(project, DigestMemory(project))
    return state.md5 if state.md5 and state.in_cache else store(project, "data")
