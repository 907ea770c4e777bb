"""Where a source's files are: light, because cache keys ask it."""

from __future__ import annotations

import json
from pathlib import Path

from distillery.errors import DataError
from distillery.params.data import DataParams

Origin = dict[str, str | None]

PARTS = tuple((part, kind) for part in ("train", "t10k") for kind in ("images", "labels"))


def idx_file(folder: Path, part: str, kind: str) -> Path:
    """The file of an MNIST-layout folder under any of its usual names; the plain name where none is there."""
    dimensions = 3 if kind == "images" else 1
    names = [f"{part}-{kind}-idx{dimensions}-ubyte", f"{part}-{kind}.idx{dimensions}-ubyte"]
    candidates = [folder / (name + suffix) for name in names for suffix in ("", ".gz")]
    return next((file for file in candidates if file.is_file()), candidates[0])


def idx_files(folder: Path) -> list[Path]:
    """The four files that are there, in a fixed order."""
    return [file for file in (idx_file(folder, part, kind) for part, kind in PARTS) if file.is_file()]


def holds(folder: Path, data: DataParams) -> bool:
    """Whether a data folder has the rows of the source that `data` names; no, where there is no folder.

    Raises DataError where there is one that does not say: it must not be passed over in silence.
    """
    if not folder.exists():
        return False
    try:
        return bool(
            json.loads((folder / "schema.json").read_text(encoding="utf-8"))["source"] == origin_of(data)
        )
    except (OSError, ValueError, KeyError, TypeError):
        remedy = "restore it, or remove the folder to have it made again"
        raise DataError(f"{folder / 'schema.json'} does not say what the folder holds: {remedy}") from None


def origin_of(data: DataParams) -> Origin:
    """How a data folder names the source that it was made from."""
    return {"source": data.source, "path": data.path}
