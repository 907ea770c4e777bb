"""Which folder is the project, and whether a command works on the project's own data."""

import pytest

from distillery.errors import ProjectError
from flows.project import find_project


def test_the_nearest_parent_with_params_is_the_project(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").touch()
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert find_project(None) == tmp_path


def test_without_params_anywhere_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError, match="--project"):
        find_project(None)


def test_a_named_folder_must_hold_params(tmp_path):
    with pytest.raises(ProjectError, match=r"params\.yaml"):
        find_project(tmp_path)
