"""Push: what it sends, what it sees, and each way in which a remote can lack something."""

import json
import shutil
import subprocess
import sys

import pytest

from distillery.errors import DistilleryError, ProjectError
from tasks.object_store import ObjectStore
from tasks.pointers import pinned_digest
from tasks.pushed import last_push
from tasks.remote_config import choose_remote
from tasks.remotes import push
from tasks.repository import ensure_repository
from tasks.versioning import pin

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")  # DVC's


def run(folder, *command):
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def dvc(folder, *arguments):
    run(folder, sys.executable, "-m", "dvc", *arguments)


def commit(folder, message):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    run(folder, "git", *identity, "commit", "--quiet", "-am", message)


def write(project, rows, name="data"):
    (project / name).mkdir(exist_ok=True)
    (project / name / "rows.npy").write_bytes(rows)
    (project / name / "schema.json").write_bytes(b"{}")
    pin(project, name)


@pytest.fixture
def versions(project, tmp_path, monkeypatch):
    """A project with two versions of data, the first only in a commit that knows no remote, and models."""
    for level in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"DVC_{level}_CONFIG_DIR", str(tmp_path / level))
    ensure_repository(project)
    write(project, b"old rows")
    run(project, "git", "add", ".")
    commit(project, "old")
    write(project, b"new rows!")
    write(project, b"model", "models")
    return project


@pytest.fixture
def store(versions, tmp_path):
    """An empty folder as the default remote."""
    dvc(versions, "remote", "add", "-d", "store", str(tmp_path / "store"))
    return tmp_path / "store/files/md5"


def objects(store):
    return {f"{file.parent.name}{file.name}": file for file in store.glob("??/*")}


def cached(project):
    return objects(project / ".dvc/cache/files/md5")


def contents(store):
    return {md5: file.read_bytes() for md5, file in objects(store).items()}


def overwrite(file, content):
    file.chmod(0o644)
    file.write_bytes(content)


def md5_of(project, content):
    (md5,) = [md5 for md5, file in cached(project).items() if file.read_bytes() == content]
    return md5


def test_every_pinned_version_is_sent_the_old_ones_too(versions, store):
    done = push(versions, None)
    assert contents(store) == contents(versions / ".dvc/cache/files/md5")
    assert (done.versions, done.objects, done.sent) == (3, 7, 7)  # three listings and rows, and one schema
    assert done.bytes == sum(map(len, contents(store).values()))
    assert done.warnings == done.repaired == ()
    assert push(versions, None).sent == 0


def test_dvcs_own_push_leaves_out_what_ours_finds(versions, store):
    dvc(versions, "push", "-q", "--all-commits")
    assert md5_of(versions, b"old rows") not in objects(store)
    assert push(versions, None).objects == 7
    assert len(objects(store)) == 7


def test_a_listing_that_is_there_is_no_proof_of_its_files(versions, store):
    push(versions, None)
    old = md5_of(versions, b"old rows")
    objects(store)[old].unlink()
    assert push(versions, None).sent == 1
    assert old in objects(store)


@pytest.mark.parametrize("content", [b"", b"old row", b"0ld rows", b"old rows and more"])
def test_a_damaged_object_in_the_remote_is_sent_again_and_said(versions, store, content):
    push(versions, None)
    old = md5_of(versions, b"old rows")
    overwrite(objects(store)[old], content)
    done = push(versions, None)
    assert objects(store)[old].read_bytes() == b"old rows"
    assert (done.sent, len(done.repaired)) == (1, 1)
    assert done.repaired[0].startswith("rows.npy of data.dvc at ")
    assert "damaged in remote store" in done.repaired[0]


def test_what_went_from_here_and_is_there_is_fine(versions, store):
    push(versions, None)
    shutil.rmtree(versions / ".dvc/cache")
    done = push(versions, None)
    assert (done.versions, done.objects, done.sent) == (3, 7, 0)


@pytest.mark.parametrize("content", [None, b"0ld rows", b"old"])
def test_what_is_nowhere_sound_is_named_and_the_record_of_the_last_push_goes(versions, store, content):
    push(versions, None)
    remote, old = choose_remote(versions, None), md5_of(versions, b"old rows")
    assert last_push(versions, remote).objects == 7
    objects(store)[old].unlink() if content is None else overwrite(objects(store)[old], content)
    cached(versions)[old].unlink()
    with pytest.raises(DistilleryError, match="does not hold all that is pinned") as caught:
        push(versions, None)
    (fault,) = caught.value.faults
    assert caught.value.exit_code == 1
    assert fault.startswith("rows.npy of data.dvc at ")
    assert f"({old}): {'not in' if content is None else 'damaged in'} remote store" in fault
    assert "not in DVC's cache" in fault
    assert last_push(versions, remote) is None


def test_every_fault_is_told_at_once(versions, store):
    md5s = [md5_of(versions, content) for content in (b"old rows", b"model")]
    for md5 in md5s:
        cached(versions)[md5].unlink()
    with pytest.raises(DistilleryError) as caught:
        push(versions, None)
    assert len(caught.value.faults) == 2
    assert all(any(md5 in fault for fault in caught.value.faults) for md5 in md5s)
    assert len(objects(store)) == 5  # what could be sent was


def test_damaged_bytes_of_the_cache_are_never_sent(versions, store):
    old = md5_of(versions, b"old rows")
    overwrite(cached(versions)[old], b"0ld rows")
    with pytest.raises(DistilleryError, match="altered in DVC's cache"):
        push(versions, None)
    assert old not in objects(store)


def test_a_listing_that_is_nowhere_is_named_with_what_it_hides(versions, store):
    old = next(
        md5 for md5, file in cached(versions).items() if md5.endswith(".dir") and old_listing(versions, file)
    )
    cached(versions)[old].unlink()
    with pytest.raises(DistilleryError) as caught:
        push(versions, None)
    said = "\n".join(caught.value.faults)
    assert f"the listing of data.dvc at {head(versions)} ({old}): not in remote store" in said
    assert f"({old}) are not known: its listing cannot be read" in said


def head(project):
    answer = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, check=True, capture_output=True, text=True
    )
    return answer.stdout[:10]


def old_listing(project, file):
    return md5_of(project, b"old rows") in file.read_text()


def test_the_remote_can_be_named_and_each_has_its_own_record(versions, store, tmp_path):
    dvc(versions, "remote", "add", "second", str(tmp_path / "second"))
    push(versions, "second")
    assert not store.exists()
    assert last_push(versions, choose_remote(versions, None)) is None
    seen = last_push(versions, choose_remote(versions, "second"))
    assert pinned_digest(versions, "data").md5 in seen.versions
    dvc(versions, "remote", "modify", "second", "url", str(tmp_path / "third"))
    assert last_push(versions, choose_remote(versions, "second")) is None


def test_a_damaged_record_is_no_record(versions, store):
    push(versions, None)
    (file,) = (versions / ".distillery/pushed").glob("*.json")
    for content in (b"", b"[]", json.dumps({"identity": None}).encode(), b"\xff"):
        file.write_bytes(content)
        assert last_push(versions, choose_remote(versions, None)) is None


def test_a_relative_remote_is_warned_of_with_the_remedy(versions, tmp_path):
    dvc(versions, "remote", "add", "-d", "near", "../near")
    (warning,) = push(versions, None).warnings
    assert f"`dvc remote modify near url {tmp_path}/near`" in warning


def test_a_remote_that_cannot_be_written_is_said_and_nothing_is_recorded(versions, store, tmp_path):
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(DistilleryError, match=r"NotADirectoryError|FileExistsError") as caught:
        push(versions, None)
    assert caught.value.exit_code == 1
    assert last_push(versions, choose_remote(versions, None)) is None


def test_objects_that_are_refused_one_by_one_are_named(versions, store):
    old = md5_of(versions, b"old rows")
    (store / old[:2] / old[2:]).mkdir(parents=True)
    (store / old[:2] / old[2:] / "in the way").touch()
    with pytest.raises(DistilleryError) as caught:
        push(versions, None)
    assert any(old in fault and "could not be sent" in fault for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ssh://me:hush-hush@127.0.0.1:1/store", "cannot be used"),
        ("s3://key:hush-hush@bucket/store?sig=hush-hush", "cannot be used"),
    ],
)
def test_what_cannot_be_reached_says_so_without_credentials(versions, url, said):
    dvc(versions, "remote", "add", "-d", "away", url)
    dvc(versions, "remote", "modify", "away", "jobs", "2")
    with pytest.raises(DistilleryError, match=said) as caught:
        push(versions, None)
    assert "hush" not in str(caught.value)
    assert "remote away" in str(caught.value)


def test_a_push_that_was_cut_is_completed_by_the_next(versions, store, monkeypatch):
    receive = ObjectStore.receive

    def cut(self, source, md5s):
        receive(self, source, md5s[:1])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "receive", cut)
        with pytest.raises(KeyboardInterrupt):
            push(versions, None)
    assert len(objects(store)) == 1
    assert push(versions, None).sent == 6


def test_a_far_remote_is_compared_by_size_and_its_listings_by_md5(versions, store, monkeypatch):
    push(versions, None)
    near = ObjectStore.file
    monkeypatch.setattr(
        ObjectStore, "file", lambda self, md5: near(self, md5) if "cache" in self.place else None
    )
    old = md5_of(versions, b"old rows")
    listing = next(md5 for md5 in objects(store) if md5.endswith(".dir"))
    content = objects(store)[listing].read_bytes()
    overwrite(objects(store)[listing], content.replace(b"relpath", b"relp4th"))
    overwrite(objects(store)[old], b"old row")
    assert len(push(versions, None).repaired) == 2
    cached(versions)[old].unlink()
    overwrite(objects(store)[old], b"old row")
    with pytest.raises(DistilleryError, match=r"9 bytes in remote store .* and 10 bytes were pinned"):
        push(versions, None)


def test_a_folder_that_is_no_repository_says_what_to_do(project):
    with pytest.raises(ProjectError, match="pins neither data nor models"):
        push(project, None)
