from __future__ import annotations

import shutil

import pytest

from distillery.errors import ParamsError
from distillery.params.project import read_tree
from tasks.params_file import change_params


@pytest.fixture
def file(root, tmp_path):
    shutil.copy(root / "params.yaml", tmp_path)
    return tmp_path / "params.yaml"


def test_only_the_named_values_change_and_every_comment_stays(file):
    before = file.read_text().splitlines()
    assert change_params(
        file, {"data": {"source": "imported", "path": None}, "registry": {"name": "flowers"}}
    )
    after = file.read_text().splitlines()
    assert len(before) == len(after)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new.split("#")[0].strip() for _, new in changed] == ["source: imported", "name: flowers"]
    assert all(old.partition("#")[2] == new.partition("#")[2] for old, new in changed)


def test_what_is_so_already_is_not_written_again(file):
    stamp = file.stat().st_mtime_ns
    assert not change_params(file, {"data": {"source": "digits", "path": None}})
    assert file.stat().st_mtime_ns == stamp


def test_an_illegal_value_leaves_the_file_as_it_was(file):
    before = file.read_bytes()
    with pytest.raises(ParamsError, match="registry"):
        change_params(file, {"registry": {"name": "a/b"}})
    assert file.read_bytes() == before
    assert read_tree(file)["registry"]["name"] == "digits"
    assert [p.name for p in file.parent.iterdir()] == ["params.yaml"]
