"""Folders with a folder of PNG, JPEG or BMP images for each class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from distillery.data.chunks import Chunk, Encoded, Finding
from distillery.data.form import Shape
from distillery.data.readers.decoding import Batch, Decoder, plan_decoder
from distillery.data.readers.entries import list_entries
from distillery.data.readers.magic import ACCEPTED
from distillery.data.readers.pictures import Look, Unreadable, look_at
from distillery.errors import DataError

PARTS = {"train": False, "val": False, "valid": False, "validation": False, "test": True}  # name: tested
MOST_FILE_BYTES = 256 << 20


@dataclass(frozen=True)
class Part:
    """One split of a folder: the names of its classes, and the files of each."""

    tested: bool
    classes: tuple[tuple[str, tuple[Path, ...]], ...]


@dataclass(frozen=True)
class ImagesReader:
    """The images of a folder: train before test, by class, by name."""

    files: tuple[Path, ...]
    root: Path
    parts: tuple[Part, ...]
    decoder: Decoder
    format: str = "images"

    @property
    def form(self) -> Shape:
        """What all images are brought to."""
        return self.decoder.form

    def chunks(self) -> Iterator[Chunk]:
        """All images. What cannot be read is left out and is a finding."""
        return self.decoder.chunks(batch for part in self.parts for batch in self._batches(part))

    def _batches(self, part: Part) -> Iterator[Batch]:
        names = tuple(name for name, _ in part.classes)
        codes = np.repeat(np.arange(len(names), dtype=np.int32), [len(files) for _, files in part.classes])
        files = [file for _, some in part.classes for file in some]
        for start in range(0, len(files), self.decoder.rows):
            here = slice(start, start + self.decoder.rows)
            yield Batch(
                [partial(_read, file) for file in files[here]],
                Encoded(codes[here], names),
                part.tested,
                _Place(self.root, files[here]),
            )


@dataclass(frozen=True)
class _Place:
    root: Path
    files: list[Path]

    def __call__(self, row: int) -> str:
        return str(self.files[row].relative_to(self.root))


def open_images(root: Path, folders: tuple[Path, ...], resize: tuple[int, int] | None) -> ImagesReader:
    """`class/image`, or `train/class/image` and `test/class/image` (a part called val counts as train).

    Raises DataError where the folders are laid out otherwise, or no image can be read.
    """
    findings: list[Finding] = []
    splits = _are_parts(folders, root)
    groups: dict[bool, list[Path]] = {False: [], True: []}
    for folder in folders:
        classes = _folders_of_part(folder, root, findings) if splits else [folder]
        groups[splits and PARTS[folder.name]] += classes
    parts = tuple(
        Part(tested, _classes(classes, root, findings)) for tested, classes in groups.items() if classes
    )
    files = [file for part in parts for _, some in part.classes for file in some]
    if not files:
        raise DataError(f"{root} has no images in its folders; {ACCEPTED}")
    looks = ((str(file.relative_to(root)), _look(file)) for file in files)
    decoder = plan_decoder(str(root), looks, resize, tuple(findings))
    return ImagesReader(tuple(sorted(files)), root, parts, decoder)


def _are_parts(folders: tuple[Path, ...], root: Path) -> bool:
    """Whether the folders are train and test, each with a folder for each class."""
    if not {folder.name for folder in folders} <= PARTS.keys():
        return False
    return any(list_entries(folder, root).folders for folder in folders)


def _folders_of_part(folder: Path, root: Path, findings: list[Finding]) -> tuple[Path, ...]:
    entries = list_entries(folder, root)
    findings += [_refused(fault) for fault in entries.refused]
    if entries.files:
        stray = entries.files[0].relative_to(root)
        raise DataError(f"{root}: {stray} lies beside the folders of the classes: put it into one of them")
    return entries.folders


def _classes(
    folders: list[Path], root: Path, findings: list[Finding]
) -> tuple[tuple[str, tuple[Path, ...]], ...]:
    """Classes by name; one may have a folder in train and another in validation."""
    classes: dict[str, list[Path]] = {}
    for folder in folders:
        entries = list_entries(folder, root)
        if entries.folders:
            deep = entries.folders[0].relative_to(root)
            raise DataError(f"{root}: {deep} is a folder in the folder of a class: put its images beside it")
        findings += [_refused(fault) for fault in entries.refused]
        if not entries.files:
            place = folder.relative_to(root)
            findings.append(Finding("warning", "empty_class", f"{place} has no images: it is passed over"))
        classes.setdefault(folder.name, []).extend(entries.files)
    return tuple((name, tuple(classes[name])) for name in sorted(classes))


def _refused(fault: str) -> Finding:
    return Finding("error", "refused", fault)


def _look(file: Path) -> Look | Unreadable:
    try:
        with file.open("rb") as stream:
            return look_at(stream)
    except OSError as error:
        return Unreadable(str(error.strerror))
    except Unreadable as fault:
        return fault


def _read(file: Path) -> bytes:
    """The bytes of an image; raises Unreadable."""
    try:
        size = file.stat().st_size
        if not size:
            raise Unreadable("it is empty (0 bytes)")
        if size > MOST_FILE_BYTES:
            raise Unreadable(f"it has {size:,} bytes: more than {MOST_FILE_BYTES >> 20} MiB")
        return file.read_bytes()
    except OSError as error:
        raise Unreadable(str(error.strerror)) from None
