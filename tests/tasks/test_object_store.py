import pytest
from dvc.fs import LocalFileSystem
from dvc_data.hashfile.db import get_odb

from tasks.memory import DigestMemory
from tasks.object_store import NotStored, ObjectStore, Unanswered, sound_objects

EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
ABSENT = "0" * 32


@pytest.fixture
def store(tmp_path):
    """A store of a folder, with an object that is what its name says and one that is not."""
    for name, content in ((EMPTY, b""), ("1" * 32, b"altered")):
        (tmp_path / "objects" / name[:2]).mkdir(parents=True)
        (tmp_path / "objects" / name[:2] / name[2:]).write_bytes(content)
    return made(tmp_path / "objects")


def made(folder):
    return ObjectStore("a folder", lambda: get_odb(LocalFileSystem(), str(folder), hash_name="md5"))


def broken():
    def connect():
        connect.times += 1
        raise OSError("no route to hush://me:pw@host, says hush")

    connect.times = 0
    return ObjectStore("far away", connect, ["hush"]), connect


def test_sizes_tell_what_is_there_unread(store, tmp_path):
    (tmp_path / "objects/22" / ("2" * 30)).mkdir(parents=True)
    assert store.sizes([EMPTY, "1" * 32, "2" * 32, ABSENT]) == {
        EMPTY: 0,
        "1" * 32: 7,
        "2" * 32: None,
        ABSENT: None,
    }
    assert store.sizes([]) == {}


def test_only_unaltered_objects_are_sound(store, tmp_path):
    assert sound_objects(store, [EMPTY, "1" * 32, ABSENT], DigestMemory(tmp_path)) == {EMPTY: 0}


def test_objects_are_copied_and_removed(store, tmp_path):
    other = made(tmp_path / "other")
    assert other.receive(store, [EMPTY, "1" * 32]) == {}
    assert b"".join(other.chunks("1" * 32)) == b"altered"
    other.remove("1" * 32)
    other.remove("1" * 32)
    with pytest.raises(NotStored):
        next(other.chunks("1" * 32))
    refused = other.receive(store, [ABSENT])
    assert refused.keys() == {ABSENT}
    assert refused[ABSENT].startswith("FileNotFoundError")


def test_a_store_that_cannot_be_had_says_why_without_secrets(store):
    far, _ = broken()
    for ask in (lambda: far.sizes([EMPTY]), lambda: far.remove(EMPTY), lambda: next(far.chunks(EMPTY))):
        with pytest.raises(Unanswered, match=r"OSError: no route to \*\*\*://host, says \*\*\*"):
            ask()
    assert far.receive(store, [EMPTY])[EMPTY].startswith("OSError: no route to ***://host")


def test_reading_from_a_host_that_is_gone_is_tried_once():
    far, connect = broken()
    for _ in range(3):
        with pytest.raises(Unanswered):
            next(far.chunks(EMPTY))
    assert connect.times == 1
