"""What killed runs left behind: half-written scratch, and a server that lost its parent."""

from __future__ import annotations

from pathlib import Path

from distillery.artifacts import discard, leftovers
from tasks.server import end_leftovers, leftover_servers


def find_leftovers(project: Path) -> list[str]:
    """In words, what there is to remove. Sound only while no run holds the project."""
    found = [path.relative_to(project).as_posix() for path in _scratch(project)]
    return found + [f"Prefect server, process {pid}" for pid in leftover_servers(project).values()]


def remove_leftovers(project: Path) -> list[str]:
    """Remove it all, and say what it was."""
    found = find_leftovers(project)
    end_leftovers(project)
    for path in _scratch(project):
        discard(path)
    return found


def _scratch(project: Path) -> list[Path]:
    beside_the_folders = sorted(project.glob(".writing-*"))  # of data/ and models/
    return beside_the_folders + leftovers(project / ".distillery")
