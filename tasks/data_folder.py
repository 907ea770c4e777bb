"""The project's data set in `data/`: made once from the source that params.yaml names, then only checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from distillery.artifacts import written_beside
from distillery.data.locate import origin_of
from distillery.params.data import DataParams
from tasks.pointers import matches_pin, pinned_digest


def ensure_data(project: Path, data: DataParams) -> Iterator[str]:
    """Make `data/` where it is not there, and say whether it is what `data.dvc` pins.

    `data` is the block as params.yaml has it: overlays never touch `data/` or its pointer.
    """
    folder = project / "data"
    if not folder.exists():
        yield from _make(project, data, folder)
    elif pinned_digest(project, "data") is not None and not matches_pin(project, "data"):
        yield "data/ is not what data.dvc pins, and is used as it is; to go back, remove data/ and run again"


def _make(project: Path, data: DataParams, folder: Path) -> Iterator[str]:
    """Late imports: a project has its data almost always already."""
    from distillery.data.importing import materialise
    from distillery.data.sources import read_source
    from tasks.versioning import pin

    pinned = pinned_digest(project, "data")
    with written_beside(folder) as scratch:
        materialise(read_source(data, project), origin_of(data), scratch)
    if pinned is not None and not matches_pin(project, "data"):
        yield f"data/ was made from source {data.source}, but its bytes are not those that data.dvc pins"
        return
    pin(project, "data")
    yield f"data/ was made from source {data.source}" + (
        ": byte for byte what data.dvc pins" if pinned else " and pinned: commit data.dvc"
    )
