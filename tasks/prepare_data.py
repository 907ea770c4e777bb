"""Step `prepare_data`: the rows that the params name, each with its id and its split."""

from __future__ import annotations

from distillery.artifacts import scratch_folder
from distillery.data.canonical import read_canonical
from distillery.data.importing import materialise
from distillery.data.locate import holds, origin_of
from distillery.data.preparation import prepare
from distillery.data.sources import read_source
from distillery.params.data import DataParams
from tasks.work import Work


def prepare_data(data: DataParams, *, work: Work) -> None:
    """Read `data/` where it holds the source that the params name, else the source itself."""
    folder = work.project / "data"
    if holds(folder, data):
        prepare(read_canonical(folder), data, work.into)
        return
    with scratch_folder(work.into.parent) as scratch:
        materialise(read_source(data, work.project), origin_of(data), scratch)
        prepare(read_canonical(scratch), data, work.into)
