import json
import subprocess
import sys
from contextlib import suppress
from hashlib import md5 as md5_of

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.artifacts import digest_bytes
from distillery.errors import DataError, ProjectError
from tasks.pointers import directory_listing, file_md5s, pinned_digest, read_listing
from tasks.repository import ensure_repository
from tasks.restoring import copy_source, restore_folder
from tasks.versioning import pin, store

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")  # DVC's
ROWS = b"rows" * 300_000  # more than a chunk


def dvc(folder, *arguments):
    command = [sys.executable, "-m", "dvc", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def pinned(project):
    """A project with a pinned folder; returns its md5."""
    (project / "data/sub").mkdir(parents=True)
    (project / "data/rows.npy").write_bytes(ROWS)
    (project / "data/sub/é.bin").write_bytes(b"")
    (project / "data/schema.json").write_bytes(b"{}")
    ensure_repository(project)
    pin(project, "data")
    return pinned_digest(project, "data").md5


@pytest.fixture
def remote(project, pinned, tmp_path):
    """A local-folder remote that has everything."""
    folder = tmp_path / "remote"
    dvc(project, "remote", "add", "-d", "store", str(folder))
    dvc(project, "push", "-q")
    return folder / "files/md5"


def cached(project, md5):
    return project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def tamper(file):
    file.chmod(0o644)
    file.write_bytes(b"x" + file.read_bytes()[1:])


def test_a_folder_comes_back_byte_for_byte_from_the_cache(project, pinned, tmp_path, capfd):
    done = restore_folder(project, pinned, tmp_path / "there")
    assert file_md5s(tmp_path / "there") == file_md5s(project / "data")
    assert (done.files, done.bytes, done.damaged) == (3, len(ROWS) + 2, ())
    assert done.places == (f"DVC's cache ({project}/.dvc/cache/files/md5)",)
    assert (tmp_path / "there").stat().st_mode & 0o777 == 0o755
    assert capfd.readouterr() == ("", "")


def test_a_tampered_object_is_said_and_fetched_from_the_remote(project, pinned, remote, tmp_path):
    rows = file_md5s(project / "data")["rows.npy"]
    tamper(cached(project, rows))
    done = restore_folder(project, pinned, tmp_path / "there")
    assert (tmp_path / "there/rows.npy").read_bytes() == ROWS
    assert len(done.damaged) == 1
    assert done.damaged[0].startswith("rows.npy: altered in DVC's cache")
    assert "taken from remote store" in done.damaged[0]
    assert len(done.places) == 2


@pytest.mark.parametrize("what", ["listing", "everything"])
def test_what_the_cache_lost_comes_from_the_remote(project, pinned, remote, tmp_path, what):
    for file in (project / ".dvc/cache/files").rglob("*.dir" if what == "listing" else "*"):
        if file.is_file():
            file.unlink()
    assert restore_folder(project, pinned, tmp_path / "there").damaged == ()
    assert (tmp_path / "there/rows.npy").read_bytes() == ROWS


def test_every_object_that_is_nowhere_is_named_with_where_it_was_looked_for(
    project, pinned, remote, tmp_path
):
    md5s = file_md5s(project / "data")
    cached(project, md5s["rows.npy"]).unlink()
    (remote / md5s["rows.npy"][:2] / md5s["rows.npy"][2:]).unlink()
    tamper(cached(project, md5s["schema.json"]))
    tamper(remote / md5s["schema.json"][:2] / md5s["schema.json"][2:])
    with pytest.raises(DataError, match="cannot be restored") as caught:
        restore_folder(project, pinned, tmp_path / "there")
    gone, altered = caught.value.faults
    place = f"remote store ({remote.parents[1]})"
    assert gone == f"rows.npy ({md5s['rows.npy']}): not in DVC's cache ({project}/.dvc/cache/files/md5); " + (
        f"not in {place}"
    )
    assert altered.count("altered in") == 2
    assert f"altered in {place}" in altered
    assert list(tmp_path.glob("there*")) == list(tmp_path.glob(".writing*")) == []


def test_a_lost_or_tampered_listing_is_named(project, pinned, tmp_path):
    tamper(cached(project, pinned))
    with pytest.raises(DataError, match=rf"the folder's listing \({pinned}\): altered in DVC's cache"):
        restore_folder(project, pinned, tmp_path / "there")
    cached(project, pinned).unlink()
    with pytest.raises(DataError, match=rf"the folder's listing \({pinned}\): not in DVC's cache"):
        restore_folder(project, pinned, tmp_path / "there")


def test_a_remote_that_cannot_be_asked_is_said_and_asked_once(project, pinned, tmp_path):
    dvc(project, "remote", "add", "away", "ssh://me:secret@127.0.0.1:1/store")
    for file in (project / ".dvc/cache/files").rglob("*.dir"):
        file.unlink()
    with pytest.raises(DataError, match=r"remote away .* cannot be asked") as caught:
        restore_folder(project, pinned, tmp_path / "there")
    assert "secret" not in str(caught.value)


def test_an_object_of_the_cache_that_cannot_be_read_says_nothing_of_the_others(project, pinned, tmp_path):
    rows = cached(project, file_md5s(project / "data")["rows.npy"])
    rows.unlink()
    rows.mkdir()
    with pytest.raises(DataError) as caught:
        restore_folder(project, pinned, tmp_path / "there")
    assert len(caught.value.faults) == 1
    assert "cannot be asked: IsADirectoryError" in caught.value.faults[0]


def test_what_was_there_is_replaced_whole_or_stays(project, pinned, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/old").write_bytes(b"old")
    with pytest.raises(DataError):
        restore_folder(project, "0" * 32 + ".dir", tmp_path / "there")
    assert (tmp_path / "there/old").read_bytes() == b"old"
    restore_folder(project, pinned, tmp_path / "there")
    assert not (tmp_path / "there/old").exists()


@pytest.mark.parametrize("md5", ["", "../../etc/passwd.dir", "0" * 32, "0" * 31 + "g.dir"])
def test_what_is_no_digest_is_refused(project, md5, tmp_path):
    with pytest.raises(DataError, match="no folder's digest"):
        restore_folder(project, md5, tmp_path / "there")


def test_a_project_that_is_no_repository_says_so(project, tmp_path):
    with pytest.raises(ProjectError, match="no DVC repository"):
        restore_folder(project, "0" * 32 + ".dir", tmp_path / "there")


EVIL = ["../evil", "/etc/evil", "a/../../evil", "a//b", "./a", "", ".", "a/", "a\\..\\b", "a\0b"]


@pytest.mark.parametrize("name", EVIL)
def test_a_name_that_leads_out_of_the_folder_is_refused(name):
    content = json.dumps([{"md5": "0" * 32, "relpath": name}]).encode()
    with pytest.raises(DataError, match="leads out of the folder"):
        read_listing(content)


def test_a_listing_with_evil_names_in_the_store_writes_nothing(project, pinned, tmp_path):
    content = json.dumps([{"md5": file_md5s(project / "data")["rows.npy"], "relpath": "../evil"}]).encode()
    digest = md5_of(content, usedforsecurity=False).hexdigest() + ".dir"
    cached(project, digest).parent.mkdir(exist_ok=True)
    cached(project, digest).write_bytes(content)
    with pytest.raises(DataError, match="leads out of the folder"):
        restore_folder(project, digest, tmp_path / "there/deep")
    assert not list(tmp_path.rglob(".writing*"))
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([("a", "0" * 32), ("a/b", "0" * 32)], "'a' is a file and a folder"),
        ([("a", "0" * 32), ("a", "1" * 32)], "stands twice"),
        ([("a", "../" * 11)], "'a' has no md5"),
    ],
)
def test_a_listing_that_contradicts_itself_is_refused(entries, said):
    content = json.dumps([{"relpath": name, "md5": md5} for name, md5 in entries]).encode()
    with pytest.raises(DataError, match=said):
        read_listing(content)


@given(
    st.binary()
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_any_other_bytes_are_refused_or_an_empty_folder(content):
    with suppress(DataError):
        assert read_listing(content) == {}


@given(st.dictionaries(st.text("abé .-_", min_size=3), st.just("0" * 32)))
def test_a_listing_is_read_back_as_it_was_written(files):
    assert read_listing(directory_listing(files)) == files


def test_bytes_that_no_pointer_pins_are_kept_too(project, pinned, tmp_path):
    pointer = (project / "data.dvc").read_bytes()
    (project / "data/rows.npy").write_bytes(b"other rows")
    md5 = store(project, "data")
    assert md5 != pinned
    assert (project / "data.dvc").read_bytes() == pointer
    restore_folder(project, md5, tmp_path / "there")
    assert (tmp_path / "there/rows.npy").read_bytes() == b"other rows"
    assert (project / "data/rows.npy").read_bytes() == b"other rows"
    assert store(project, "data") == md5


@pytest.fixture
def elsewhere(tmp_path):
    """A source's folder, and its files' SHA-256."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "images").write_bytes(b"images")
    (folder / "labels").write_bytes(b"labels")
    return folder, {name: digest_bytes(name.encode()) for name in ("images", "labels")}


def test_a_source_elsewhere_is_copied_where_it_is_as_it_was(elsewhere, tmp_path):
    folder, files = elsewhere
    (folder / "more").touch()
    copy_source(folder, files, tmp_path / "copy")
    assert {file.name: file.read_bytes() for file in (tmp_path / "copy").iterdir()} == {
        "images": b"images",
        "labels": b"labels",
    }


def test_a_source_that_is_gone_or_changed_is_said_file_by_file(elsewhere, tmp_path):
    folder, files = elsewhere
    (folder / "images").unlink()
    (folder / "labels").write_bytes(b"other labels")
    with pytest.raises(DataError) as caught:
        copy_source(folder, files, tmp_path / "copy")
    gone, changed = caught.value.faults
    assert gone == f"images is gone; it was last seen at {folder / 'images'}"
    assert changed.startswith(
        f"{folder / 'labels'} has changed: its SHA-256 is {digest_bytes(b'other labels')}"
    )
    assert not (tmp_path / "copy").exists()
    with pytest.raises(DataError, match="leads out"):
        copy_source(folder, {"../images": "0"}, tmp_path / "copy")
