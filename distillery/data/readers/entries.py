"""What a folder holds: sorted, without litter, and nothing that leads out of it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from distillery.errors import DataError

LITTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Entries:
    """A folder's files and folders by name; `refused` says what was not taken, and why."""

    files: tuple[Path, ...]
    folders: tuple[Path, ...]
    refused: tuple[str, ...]


def list_entries(folder: Path, root: Path) -> Entries:
    """What `folder` holds. Names that start with a dot or an underscore are passed over, as Spark's are.

    Refused: a link that leads out of `root` or nowhere, what is neither a file nor a folder (a pipe, a
    device), and a name that is not UTF-8. Raises DataError where the folder cannot be listed.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None
    files: list[Path] = []
    folders: list[Path] = []
    refused: list[str] = []
    for entry in entries:
        if entry.name.startswith((".", "_")) or entry.name.lower() in LITTER:
            continue
        if fault := _fault(entry, root):
            refused.append(fault)
        else:
            (folders if entry.is_dir() else files).append(Path(entry.path))
    return Entries(tuple(files), tuple(folders), tuple(refused))


def _fault(entry: os.DirEntry[str], root: Path) -> str | None:
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        return f"{os.fsencode(entry.path)!r} has a name that is not UTF-8: rename it"
    shown = Path(entry.path).relative_to(root)
    try:
        if entry.is_symlink() and not Path(entry.path).resolve(strict=True).is_relative_to(root.resolve()):
            return f"{shown} is a link that leads out of the folder: copy what it leads to"
        mode = entry.stat().st_mode
    except (OSError, RuntimeError):  # Python 3.11 and 3.12 tell a circle of links by a RuntimeError
        return f"{shown} is a link that leads nowhere, or cannot be read: remove it"
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return f"{shown} is neither a file nor a folder: remove it"
    return None
