import shutil
import subprocess
import sys

import pytest

from distillery.errors import DataError, ProjectError
from tasks.pointers import file_md5s, matches_pin, pinned_digest, stored_in_cache
from tasks.pulling import pull
from tasks.remotes import push
from tasks.repository import ensure_repository
from tasks.versioning import pin

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")  # DVC's


def write(project, rows, name="data"):
    (project / name).mkdir(exist_ok=True)
    (project / name / "rows.npy").write_bytes(rows)
    pin(project, name)


@pytest.fixture
def pushed(project, tmp_path, monkeypatch):
    """A project whose data and models are in a remote too."""
    for level in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"DVC_{level}_CONFIG_DIR", str(tmp_path / level))
    ensure_repository(project)
    write(project, b"rows")
    write(project, b"model", "models")
    add = [sys.executable, "-m", "dvc", "remote", "add", "-d", "store", str(tmp_path / "store")]
    subprocess.run(add, cwd=project, check=True, capture_output=True)
    push(project, None)
    return project


@pytest.fixture
def bare(pushed):
    """As a fresh clone: pointers alone."""
    for gone in ("data", "models", ".dvc/cache"):
        shutil.rmtree(pushed / gone)
    return pushed


def cached(project, md5):
    return project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def silent(sentence):
    raise AssertionError(sentence)


def test_a_fresh_clone_gets_data_models_and_a_filled_cache(bare):
    data, models = pull(bare, None, silent)
    assert (bare / "data/rows.npy").read_bytes() == b"rows"
    assert (bare / "models/rows.npy").read_bytes() == b"model"
    assert data.restored.files == models.restored.files == 1
    assert "remote store" in data.restored.places[0]
    for name in ("data", "models"):
        assert matches_pin(bare, name)
        assert stored_in_cache(bare, file_md5s(bare / name))


def test_what_is_as_pinned_is_left_alone(pushed):
    before = (pushed / "data/rows.npy").stat()
    assert [pulled.restored for pulled in pull(pushed, None, silent)] == [None, None]
    assert (pushed / "data/rows.npy").stat() == before


def test_changes_that_are_kept_nowhere_else_stop_it_before_anything_is_done(pushed):
    shutil.rmtree(pushed / "models")
    (pushed / "data/rows.npy").write_bytes(b"mine")
    with pytest.raises(ProjectError, match="it would overwrite changes") as caught:
        pull(pushed, None, silent)
    assert "`dvc add data`" in caught.value.faults[0]
    assert (pushed / "data/rows.npy").read_bytes() == b"mine"
    assert not (pushed / "models").exists()


def test_an_older_pinned_version_makes_room_and_is_said(pushed):
    first = (pushed / "data.dvc").read_bytes()
    write(pushed, b"other rows")
    second = pinned_digest(pushed, "data").md5
    (pushed / "data.dvc").write_bytes(first)  # as `git checkout` does
    said = []
    pull(pushed, None, said.append)
    assert (pushed / "data/rows.npy").read_bytes() == b"rows"
    assert len(said) == 1
    assert f"`distillery data restore {second} --to DIR`" in said[0]


def test_an_older_version_of_which_the_cache_has_other_bytes_stays(pushed):
    first = (pushed / "data.dvc").read_bytes()
    write(pushed, b"other rows")
    (pushed / "data.dvc").write_bytes(first)
    object_ = cached(pushed, file_md5s(pushed / "data")["rows.npy"])
    object_.chmod(0o644)
    object_.write_bytes(b"0ther rows")
    with pytest.raises(ProjectError, match="it would overwrite changes"):
        pull(pushed, None, silent)


def test_damaged_bytes_are_never_put_in_place_and_the_cache_is_mended(pushed):
    md5 = file_md5s(pushed / "data")["rows.npy"]
    shutil.rmtree(pushed / "data")
    for damaged in (md5, pinned_digest(pushed, "data").md5):
        cached(pushed, damaged).chmod(0o644)
        cached(pushed, damaged).write_bytes(b"r0ws")
    data, _ = pull(pushed, None, silent)
    assert (pushed / "data/rows.npy").read_bytes() == b"rows"
    assert cached(pushed, md5).read_bytes() == b"rows"
    assert stored_in_cache(pushed, file_md5s(pushed / "data"))
    assert len(data.restored.damaged) == 2


def test_what_no_store_has_sound_is_named_and_nothing_is_put_in_place(bare, tmp_path):
    md5 = next(
        file for file in (tmp_path / "store").rglob("*") if file.is_file() and file.read_bytes() == b"rows"
    )
    md5.chmod(0o644)
    md5.write_bytes(b"r0ws")
    with pytest.raises(DataError, match=r"rows.npy .*altered in remote store"):
        pull(bare, None, silent)
    assert not (bare / "data").exists()
    assert not list(bare.glob(".writing*"))


def test_only_the_named_remote_is_asked(bare, tmp_path):
    with pytest.raises(ProjectError, match="no remote is called 'other'"):
        pull(bare, "other", silent)
    add = [sys.executable, "-m", "dvc", "remote", "add", "other", str(tmp_path / "other")]
    subprocess.run(add, cwd=bare, check=True, capture_output=True)
    with pytest.raises(DataError) as caught:
        pull(bare, "other", silent)
    assert "remote other" in str(caught.value)
    assert "remote store" not in str(caught.value)


def test_a_revision_whose_config_has_no_remote_says_how_to_keep_one(bare):
    (bare / ".dvc/config").write_text("")
    with pytest.raises(DataError, match=r"no remote is configured.*`dvc remote add --local -d NAME"):
        pull(bare, None, silent)


def test_without_a_pointer_there_is_nothing_to_pull(project):
    ensure_repository(project)
    with pytest.raises(ProjectError, match="pins neither data nor models"):
        pull(project, None, silent)
