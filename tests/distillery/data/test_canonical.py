from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.canonical import digest_data, read_canonical
from distillery.data.chunks import Encoded
from distillery.data.importing import materialise
from distillery.data.sources import MemoryReader
from distillery.errors import DataError

FEATURES = np.arange(48, dtype=np.uint8).reshape(6, 4, 2, 1)
LABELS = Encoded(np.array([0, 1, 0, 1, 0, 1], np.int32), ("no", "yes"))
TESTED = np.array([False] * 4 + [True] * 2)
FILES = ("features-000.npy", "labels.npy", "schema.json", "tested.npy")


def written(folder, features=FEATURES, labels=LABELS, tested=TESTED):
    folder.mkdir(exist_ok=True)
    reader = MemoryReader("idx", features, labels, tested)
    materialise(reader, {"source": "idx", "path": "somewhere"}, folder)
    return folder


def test_what_is_written_is_what_is_read(tmp_path):
    again = read_canonical(written(tmp_path / "data"))
    np.testing.assert_array_equal(np.concatenate(list(again.features())), FEATURES)
    np.testing.assert_array_equal(again.labels, LABELS.codes)
    np.testing.assert_array_equal(again.tested, TESTED)
    assert again.schema.classes == ("no", "yes")
    assert again.schema.source == {"source": "idx", "path": "somewhere"}
    assert again.schema.data_digest == digest_data(again)


def test_a_source_without_its_own_test_has_no_such_file(tmp_path):
    folder = written(tmp_path / "data", tested=None)
    assert sorted(p.name for p in folder.iterdir()) == ["features-000.npy", "labels.npy", "schema.json"]
    assert read_canonical(folder).tested is None


def test_writing_twice_gives_the_same_bytes(tmp_path):
    one, two = written(tmp_path / "one"), written(tmp_path / "two")
    assert sorted(p.name for p in one.iterdir()) == list(FILES)
    for name in FILES:
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_the_data_digest_sees_every_part(tmp_path):
    late = FEATURES.copy()
    late[5, 3, 1, 0] = 99
    variants = [
        written(tmp_path / "base"),
        written(tmp_path / "late", late),
        written(tmp_path / "shape", FEATURES.reshape(6, 2, 4, 1)),
        written(tmp_path / "names", labels=Encoded(LABELS.codes, ("no", "yet"))),
        written(tmp_path / "labels", labels=Encoded(LABELS.codes[::-1].copy(), LABELS.names)),
        written(tmp_path / "tested", tested=None),
    ]
    assert len({digest_data(read_canonical(folder)) for folder in variants}) == len(variants)


def test_rows_are_sampled_across_shards(tmp_path, monkeypatch):
    monkeypatch.setattr("distillery.data.shards.SHARD_BYTES", 16)
    data = read_canonical(written(tmp_path / "data"))
    assert [shard.rows for shard in data.schema.shards] == [2, 2, 2]
    np.testing.assert_array_equal(data.sample(np.array([1, 2, 5])), FEATURES[[1, 2, 5]])
    monkeypatch.undo()
    assert digest_data(data) == digest_data(read_canonical(written(tmp_path / "whole")))


@pytest.mark.parametrize("name", ["features-000.npy", "labels.npy", "schema.json"])
@pytest.mark.parametrize("content", [None, b"", b"garbage", b"PK\x03\x04garbage", b"\x93NUMPY\x01\x00"])
def test_a_missing_or_broken_file_is_a_data_error_that_names_the_folder(tmp_path, name, content):
    folder = written(tmp_path / "data")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_canonical(folder)
    assert str(folder) in caught.value.message
    assert "restore it" in caught.value.message


@pytest.mark.parametrize("content", ["[]", "1", "null", "{}", '{"classes": 3}', '{"format": 2}'])
def test_a_schema_of_another_shape_is_a_data_error(tmp_path, content):
    folder = written(tmp_path / "data")
    (folder / "schema.json").write_text(content)
    with pytest.raises(DataError):
        read_canonical(folder)


def test_a_shard_outside_the_folder_is_refused(tmp_path):
    folder = written(tmp_path / "data")
    schema = json.loads((folder / "schema.json").read_text())
    schema["shards"][0]["file"] = "../features-000.npy"
    (folder / "schema.json").write_text(json.dumps(schema))
    with pytest.raises(DataError, match=r"shards\.0\.file"):
        read_canonical(folder)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("features-000.npy", FEATURES[..., 0]),
        ("features-000.npy", FEATURES.astype(np.int16)),
        ("features-000.npy", FEATURES[:5]),
        ("labels.npy", LABELS.codes[:, None].astype(np.int64)),
        ("labels.npy", LABELS.codes.astype(np.float64)),
        ("labels.npy", LABELS.codes.astype("S4")),
        ("tested.npy", TESTED[:3]),
        ("tested.npy", TESTED.astype(np.int64)),
    ],
)
def test_an_array_of_another_shape_or_kind_is_a_data_error(tmp_path, name, array):
    folder = written(tmp_path / "data")
    np.save(folder / name, array)
    with pytest.raises(DataError):
        read_canonical(folder)


def test_a_label_out_of_range_names_its_row(tmp_path):
    folder = written(tmp_path / "data")
    np.save(folder / "labels.npy", np.array([0, 1, 0, 2, 0, -1]))
    with pytest.raises(DataError) as caught:
        read_canonical(folder)
    assert "row 3: label 2 is out of range 0 to 1" in str(caught.value)


@given(st.sampled_from(FILES), st.data())
def test_no_corruption_raises_anything_but_a_data_error(tmp_path_factory, name, data):
    folder = written(tmp_path_factory.mktemp("fuzz") / "data")
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    try:
        read_canonical(folder)
    except DataError as error:
        assert str(folder) in error.message
