from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from distillery.data.canonical import read_canonical
from distillery.data.chunks import Encoded
from distillery.data.importing import materialise
from distillery.data.sources import MemoryReader
from distillery.errors import DataError, ProjectError
from tasks.data_versions import find_version, folder_state, read_schema
from tasks.memory import DigestMemory
from tasks.pointers import pinned_digest
from tasks.repository import ensure_repository
from tasks.versioning import pin

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")  # DVC's


def write(folder, values):
    folder.mkdir(exist_ok=True)
    features = np.array(values, np.uint8).reshape(-1, 1, 1, 1)
    labels = Encoded((np.arange(len(values)) % 2).astype(np.int32), ("no", "yes"))
    materialise(MemoryReader("npz", features, labels), {"source": "imported", "path": None}, folder)
    return read_canonical(folder).schema.data_digest


def git(project, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=project, check=True, capture_output=True)


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Two committed versions of the data, the second in place; md5 and data digest of each."""
    project = tmp_path_factory.mktemp("project")
    ensure_repository(project)
    versions = []
    for number, values in enumerate([[1, 2, 3, 4], [1, 2, 3, 5]]):
        digest = write(project / "data", values)
        pin(project, "data")
        versions.append((pinned_digest(project, "data").md5, digest))
        git(project, "add", "data.dvc")
        git(project, "commit", "-qm", f"version {number}")
    return project, versions


def state(project):
    return folder_state(project, DigestMemory(project)).word


def test_a_version_is_found_by_revision_md5_and_data_digest(history):
    project, versions = history
    for revision, (md5, digest) in zip(("HEAD~1", "HEAD"), versions, strict=True):
        for name in (revision, md5, md5.removesuffix(".dir"), md5[:9], digest, digest[:12]):
            assert find_version(project, name) == md5


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "no version 'nowhere'"),
        ("--output=/tmp/x", "no version"),
        ("HEAD:params.yaml", "no version"),
        ("0123456789", "no version begins so"),
        ("abc", "no version 'abc'"),
    ],
)
def test_what_is_no_version_is_told(history, name, said):
    with pytest.raises(ProjectError, match=said):
        find_version(history[0], name)


def test_the_folder_is_absent_not_pinned_clean_or_changed(tmp_path):
    ensure_repository(tmp_path)
    assert state(tmp_path) == "absent"
    write(tmp_path / "data", [1, 2, 3, 4])
    assert state(tmp_path) == "not pinned"
    pin(tmp_path, "data")
    assert state(tmp_path) == "clean"
    (tmp_path / "data/labels.npy").write_bytes(b"other")
    assert state(tmp_path) == "changed"


def test_a_folder_is_in_the_cache_only_when_all_of_it_is(tmp_path):
    ensure_repository(tmp_path)
    write(tmp_path / "data", [1, 2, 3, 4])
    pin(tmp_path, "data")
    assert folder_state(tmp_path, DigestMemory(tmp_path)).in_cache
    next((tmp_path / ".dvc/cache/files/md5").glob("??/*[!r]")).unlink()
    assert not folder_state(tmp_path, DigestMemory(tmp_path)).in_cache


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"name": "x"})])
def test_a_damaged_schema_is_a_data_error(tmp_path, content):
    (tmp_path / "schema.json").write_text(content)
    with pytest.raises(DataError, match="is damaged"):
        read_schema(tmp_path)


def test_no_data_is_told_with_a_remedy(tmp_path):
    with pytest.raises(DataError, match="distillery data import"):
        read_schema(tmp_path)
