"""Which one kind of data a folder holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from distillery.data.readers.cifar import layout_of
from distillery.data.readers.entries import Entries, list_entries
from distillery.data.readers.idx import is_idx_name, parts_there
from distillery.data.readers.magic import ACCEPTED, CSV_SUFFIXES, kind_of_file, refuse
from distillery.errors import DataError

FolderKind = Literal["idx", "cifar", "parquet", "csv", "npz", "images"]
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp"})
SHOWN = 3  # files that are passed over
PROBED = 16  # files of a folder that are looked at before it is said to have no images


@dataclass(frozen=True)
class Held:
    """What a folder holds: files for parquet, csv and npz, folders for images."""

    kind: FolderKind
    files: tuple[Path, ...]
    folders: tuple[Path, ...]


def look_into(root: Path) -> Held:
    """What a folder holds; text without a CSV suffix (a README) is passed over.

    Raises DataError with everything that leads out of it or cannot be read, and where it holds nothing that
    is read, or several kinds.
    """
    entries = list_entries(root, root)
    faults = list(entries.refused)
    kinds: dict[FolderKind, list[Path]] = {}
    others: list[str] = []
    for file in entries.files:
        if kind := _kind(file, root, faults):
            kinds.setdefault(kind, []).append(file)
        else:
            others.append(file.name)
    if any(_has_images(folder, root) for folder in entries.folders):
        kinds["images"] = []
    if faults:
        raise DataError(f"{root} cannot be read as it is", faults)
    if len(kinds) != 1:
        several = f"several kinds of data ({', '.join(kinds)}): keep one"
        raise DataError(f"{root} has {several if kinds else _nothing(others)}; {ACCEPTED}")
    kind, files = kinds.popitem()
    return Held(kind, tuple(files), entries.folders)


def _nothing(passed_over: list[str]) -> str:
    """A damaged file may look like text: who is told its name sees why."""
    named = ", ".join(passed_over[:SHOWN]) + (", ..." if len(passed_over) > SHOWN else "")
    told = f" ({named} {'is' if len(passed_over) == 1 else 'are'} text, and passed over)" if named else ""
    return f"nothing that is read{told}"


def _kind(file: Path, root: Path, faults: list[str]) -> FolderKind | None:
    """What a file makes of its folder; None for what is passed over."""
    if is_idx_name(file.name) and parts_there(root):
        return "idx"
    if (layout := layout_of(root)) and file in layout.files(root):
        return "cifar"
    match kind := kind_of_file(file):
        case "csv":
            return "csv" if file.suffix.lower() in CSV_SUFFIXES else None
        case "parquet" | "npz":
            return kind
        case "idx":
            faults.append(f"{file.name} is an IDX file, but is not called like train-images-idx3-ubyte")
        case "image":
            faults.append(f"{file.name} is an image outside of a folder that is called like its class")
        case None:
            faults.append(refuse(file).message)
    return None


def _has_images(folder: Path, root: Path) -> bool:
    """Whether a folder, or one in it, looks like that of a class."""
    entries = list_entries(folder, root)
    inner = (list_entries(deeper, root) for deeper in entries.folders[:PROBED])
    return any(_probe(some) for some in (entries, *inner))


def _probe(entries: Entries) -> bool:
    return any(_seems_image(file) for file in entries.files[:PROBED])


def _seems_image(file: Path) -> bool:
    """By its name too: a broken image is still meant as one."""
    return file.suffix.lower() in IMAGE_SUFFIXES or kind_of_file(file) == "image"
