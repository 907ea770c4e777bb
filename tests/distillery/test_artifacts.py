from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery import artifacts
from distillery.artifacts import (
    ArtifactRef,
    canonical_json,
    describe,
    digest_file,
    digest_json,
    discard,
    is_inside,
    leftovers,
    read_json,
    scratch_folder,
    write_atomically,
    write_json,
    written_beside,
)


def fill(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "b.bin").write_bytes(b"two")
    (folder / "sub" / "a.bin").write_bytes(b"one")
    return folder


def test_the_digest_is_sha256_over_sorted_name_and_sha256_lines(tmp_path):
    ref = describe(fill(tmp_path / "art"), tmp_path)
    lines = f"b.bin {hashlib.sha256(b'two').hexdigest()}\nsub/a.bin {hashlib.sha256(b'one').hexdigest()}\n"
    assert ref.digest == hashlib.sha256(lines.encode()).hexdigest()
    assert (ref.path, ref.bytes) == ("art", 6)
    assert [f.md5 for f in ref.files] == [
        hashlib.md5(c, usedforsecurity=False).hexdigest() for c in (b"two", b"one")
    ]


def test_the_digest_does_not_depend_on_time_or_place(tmp_path):
    first = describe(fill(tmp_path / "first"), tmp_path)
    second = fill(tmp_path / "other" / "second")
    os.utime(second / "b.bin", (1, 1))
    assert describe(second, tmp_path).digest == first.digest


@pytest.mark.parametrize("change", ["byte", "name", "extra"])
def test_the_digest_changes_with_any_byte_name_or_file(tmp_path, change):
    before = describe(fill(tmp_path / "art"), tmp_path).digest
    match change:
        case "byte":
            (tmp_path / "art" / "b.bin").write_bytes(b"twp")
        case "name":
            (tmp_path / "art" / "b.bin").rename(tmp_path / "art" / "c.bin")
        case "extra":
            (tmp_path / "art" / "empty").touch()
    assert describe(tmp_path / "art", tmp_path).digest != before


def test_a_file_longer_than_a_chunk_is_digested_whole(tmp_path):
    content = os.urandom(artifacts.CHUNK + 17)
    (tmp_path / "f").write_bytes(content)
    digest = digest_file(tmp_path / "f", "f")
    assert (digest.sha256, digest.bytes) == (hashlib.sha256(content).hexdigest(), len(content))


def test_a_reference_survives_json(tmp_path):
    ref = describe(fill(tmp_path / "art"), tmp_path)
    assert ArtifactRef.from_json(json.loads(json.dumps(ref.to_json()))) == ref


@pytest.mark.parametrize(
    "plain",
    [{}, {"path": "a", "digest": "b", "bytes": 1}, {"path": "a", "digest": "b", "bytes": 1, "files": [{}]}],
)
def test_a_record_of_another_shape_is_not_taken_for_a_reference(plain):
    with pytest.raises((KeyError, TypeError)):
        ArtifactRef.from_json(plain)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_the_canonical_json_ignores_key_order_and_loses_nothing(value):
    backwards = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(backwards)
    assert json.loads(canonical_json(value)) == value


@given(json_values, json_values)
def test_digests_of_json_are_equal_just_when_the_texts_are(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest_json(one) == digest_json(other)) == same


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "file"
    write_atomically(target, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208


def test_an_atomic_write_makes_the_folders_and_a_readable_file(tmp_path):
    write_atomically(tmp_path / "a" / "b" / "file", b"content")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"
    assert (tmp_path / "a" / "b" / "file").stat().st_mode & 0o777 == 0o644


def test_equal_values_give_equal_json_files(tmp_path):
    write_json(tmp_path / "one", {"b": 1, "a": ["é", None]})
    write_json(tmp_path / "two", {"a": ["é", None], "b": 1})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert read_json(tmp_path / "one") == {"a": ["é", None], "b": 1}


def test_what_is_not_json_is_a_value_error(tmp_path):
    (tmp_path / "bad").write_text("{")
    with pytest.raises(ValueError, match="Expecting"):
        read_json(tmp_path / "bad")


def test_a_folder_appears_only_when_its_block_ends_well(tmp_path):
    target = tmp_path / "deep" / "art"
    with written_beside(target) as scratch:
        (scratch / "f").write_text("x")
        assert not target.exists()
    assert (target / "f").read_text() == "x"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_folder_and_nothing_half_written(tmp_path, error):
    target = fill(tmp_path / "art")
    with pytest.raises(error), written_beside(target) as scratch:
        (scratch / "f").write_text("half")
        raise error
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.bin", "art", "b.bin", "sub"]


def test_a_finished_folder_replaces_all_of_the_old_one(tmp_path):
    target = fill(tmp_path / "art")
    with written_beside(target) as scratch:
        (scratch / "new").write_text("x")
    assert [p.name for p in target.rglob("*")] == ["new"]
    assert leftovers(tmp_path) == []


def test_a_cut_while_replacing_never_leaves_part_of_a_folder(tmp_path, monkeypatch):
    """A kill inside the removal of the old folder: the target is the whole new one, or not there."""
    target = fill(tmp_path / "art")

    def cut(path, *_, **__):
        (Path(path) / "b.bin").unlink(missing_ok=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", cut)
    with pytest.raises(KeyboardInterrupt), written_beside(target) as scratch:
        (scratch / "new").write_text("x")
    assert not target.exists() or [p.name for p in target.rglob("*")] == ["new"]


def test_what_killed_writers_left_is_found_in_every_folder_and_nothing_else_is(tmp_path):
    fill(tmp_path / "one")
    (tmp_path / "one" / ".writing-file").write_text("half")
    (tmp_path / "two" / "deep" / ".writing-folder").mkdir(parents=True)
    found = leftovers(tmp_path / "one", tmp_path / "two", tmp_path / "nowhere")
    assert [path.name for path in found] == [".writing-file", ".writing-folder"]


def test_discarding_removes_a_file_a_folder_or_nothing(tmp_path):
    fill(tmp_path / "art")
    (tmp_path / "file").write_text("x")
    for name in ("art", "file", "nowhere"):
        discard(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a", "a/b.c", "é", ".hidden", "..."])
def test_a_name_below_a_folder_is_inside(name):
    assert is_inside(name)


@pytest.mark.parametrize("name", ["", ".", "..", "/a", "a/", "a//b", "a/../b", "../a", "a\\b", "a\0"])
def test_a_name_that_may_mean_something_else_is_not_inside(name):
    assert not is_inside(name)


def test_a_scratch_folder_goes_with_its_block(tmp_path):
    with pytest.raises(OSError, match="cut"), scratch_folder(tmp_path / "state") as scratch:
        (scratch / "file").touch()
        assert leftovers(tmp_path) == [scratch]
        raise OSError("cut")
    assert leftovers(tmp_path) == []
