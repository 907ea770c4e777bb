"""The data set as it is now, split and named, for those who only read it: no lock, nothing kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from distillery.data.canonical import Canonical, digest_data, read_canonical
from distillery.data.importing import materialise
from distillery.data.locate import holds, origin_of
from distillery.data.preparation import prepare
from distillery.data.rows import Rows, load_rows
from distillery.data.sources import read_source
from distillery.errors import Busy
from distillery.params.data import DataParams
from tasks.caching import Hit, Records
from tasks.steps import Call, prepare_data


@dataclass(frozen=True, eq=False)
class PresentRows:
    """The data set, its prepared rows in the same order, and a folder for scratch files."""

    data: Canonical
    rows: Rows
    scratch: Path


@contextmanager
def present_rows(project: Path, params: DataParams) -> Iterator[PresentRows]:
    """The rows that the params name, for the length of the block; prepared anew where no run prepared them.

    Raises DataError where they cannot be read or split, Busy where they change meanwhile.
    """
    with TemporaryDirectory(prefix="distillery-") as name:  # not in the project: a run would take it away
        scratch = Path(name)
        folder = project / "data"
        if not holds(folder, params):
            folder = scratch / "data"
            folder.mkdir()
            materialise(read_source(params, project), origin_of(params), folder)
        data = read_canonical(folder)
        rows = load_rows(_prepared(project, params, data, scratch))
        if digest_data(data) != rows.data_digest:
            raise Busy(f"{folder} changed while it was read: run it again")
        yield PresentRows(data, rows, scratch)


def _prepared(project: Path, params: DataParams, data: Canonical, scratch: Path) -> Path:
    """Where prepared rows are: the last run's, if they are of this data."""
    found = Records(project).lookup(Call(prepare_data, (params,), None))
    if isinstance(found, Hit):
        return project / found.record.artifact.path
    folder = scratch / "prepared"
    folder.mkdir()
    prepare(data, params, folder)
    return folder
