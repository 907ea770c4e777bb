"""Earlier models that a run learns or begins from, kept in the project by the digests that params name."""

from __future__ import annotations

import re
from pathlib import Path

from distillery.artifacts import digest_bytes, write_atomically
from distillery.errors import ProjectError

FOLDER = Path(".distillery/knowledge")
DIGEST = re.compile(r"[0-9a-f]{64}")
NAMING = (".distillery/results/*", "*.yaml", "*.yml", "params/*.yaml", "params/*.yml")  # records, and params


def keep(project: Path, content: bytes) -> str:
    """Keep a file; its SHA-256, which names it from now on."""
    digest = digest_bytes(content)
    write_atomically(project / FOLDER / digest, content)
    return digest


def recall(project: Path, digest: str) -> bytes:
    """A file that was kept, its bytes checked; ProjectError where it is gone or altered."""
    try:
        content = (project / FOLDER / digest).read_bytes()
    except FileNotFoundError:
        content = b""
    if digest_bytes(content) != digest:
        wrong = "is gone" if not content else "is not what was kept"
        remedy = "`distillery retrain` fetches it again; or set what names it in block retrain to null"
        raise ProjectError(f"the model {digest[:12]} in {project / FOLDER} {wrong}: {remedy}")
    return content


def unnamed(project: Path) -> list[Path]:
    """What was kept and is named by no record and no params of the project any more.

    Sound only while no run holds the project, and not at the start of one: a retraining keeps first, and
    records after.
    """
    kept = sorted(path for path in (project / FOLDER).glob("*") if DIGEST.fullmatch(path.name))
    if not kept:
        return []
    naming = (file for pattern in NAMING for file in project.glob(pattern) if file.is_file())
    named = {digest for file in naming for digest in DIGEST.findall(file.read_text(errors="replace"))}
    return [path for path in kept if path.name not in named]


def forget_unnamed(project: Path) -> list[Path]:
    """Remove what is unnamed, and say what it was."""
    found = unnamed(project)
    for path in found:
        path.unlink(missing_ok=True)
    return found
