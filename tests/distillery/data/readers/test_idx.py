from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distillery.data.readers import idx as reader
from distillery.data.readers.idx import open_idx, open_idx_file
from distillery.errors import DataError


def test_all_rows_come_in_order_with_the_sources_own_test_marked(mnist, read, scans):
    source = read(mnist)
    np.testing.assert_array_equal(source.images[..., 0], np.concatenate([scans(6), scans(4)]))
    assert source.labels == list("0120122100")
    assert source.tested == [False] * 6 + [True] * 4
    assert source.places[7] == "t10k-images-idx3-ubyte row 1"
    assert source.reader.format == "idx"
    assert len(source.reader.files) == 4


def test_a_folder_is_read_in_pieces_that_join_up(mnist, read, monkeypatch):
    whole = read(mnist)
    monkeypatch.setattr(reader, "CHUNK_BYTES", 12)  # two rows
    pieces = read(mnist)
    assert len(pieces.chunks) == 5
    np.testing.assert_array_equal(pieces.images, whole.images)
    assert (pieces.labels, pieces.places) == (whole.labels, whole.places)


@pytest.mark.parametrize("part", ["train", "t10k"])
def test_one_pair_alone_is_read_too(mnist, read, part):
    for file in mnist.iterdir():
        if not file.name.startswith(part):
            file.unlink()
    source = read(mnist)
    assert set(source.tested) == {part == "t10k"}


def test_half_a_pair_names_what_is_missing(mnist, refused):
    (mnist / "train-labels-idx1-ubyte").unlink()
    assert "train-labels-idx1-ubyte is not there" in refused(mnist)


def test_the_plain_file_is_read_where_the_packed_one_stands_beside_it(mnist, read):
    for file in list(mnist.iterdir()):
        (mnist / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    assert [file.suffix for file in read(mnist).reader.files] == [""] * 4


def test_labels_may_have_gaps(mnist, read, idx):
    (mnist / "train-labels-idx1-ubyte").write_bytes(idx(np.array([1, 1, 26, 1, 26, 3])))
    assert read(mnist).labels[:6] == ["1", "1", "26", "1", "26", "3"]


def test_a_gzipped_bomb_is_refused_by_its_header(mnist, refused):
    header = b"\0\0\x08\x03" + np.array([10**6, 28, 28], ">u4").tobytes()
    (mnist / "train-images-idx3-ubyte").write_bytes(gzip.compress(header + bytes(1000)))
    words = refused(mnist)
    assert "taken for a bomb" in words
    assert "train-images-idx3-ubyte" in words


def test_a_file_that_changes_after_it_was_opened_is_an_error(mnist):
    opened = open_idx(mnist, ("train",))
    file = mnist / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match="truncated"):
        list(opened.chunks())


def values_of(file, dimensions):
    opened = open_idx_file(file, dimensions)
    return np.concatenate([np.zeros((0, *opened.shape[1:]), np.uint8), *opened.blocks(2)])


def content(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


SIX = np.arange(6, dtype=np.uint8)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"", "not an IDX"),
        (b"\0\0\x08", "not an IDX"),
        (content(SIX)[:7], "not an IDX"),
        (content(SIX.reshape(1, 2, 3)), "not an IDX"),  # three dimensions
        (b"\0\0\x0d\x01" + content(SIX)[4:], "not an IDX"),  # floats
        (content(SIX) + b"x", "tail"),
        (content(SIX)[:-1], "truncated"),
        (b"\0\0\x08\x01\x0f\xff\xff\xff", "truncated"),
        (b"\0\0\x08\x01\xff\xff\xff\xff", "bomb"),
        (b"\x1f\x8bgarbage", "cannot be read"),
    ],
)
def test_a_file_that_is_not_idx_is_refused(tmp_path, bad, words):
    (tmp_path / "labels").write_bytes(bad)
    with pytest.raises(DataError, match=words):
        open_idx_file(tmp_path / "labels", 1)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        open_idx_file(tmp_path / "labels", 1)


@given(st.data())
def test_no_corruption_of_a_file_raises_anything_but_a_data_error(tmp_path_factory, data):
    array = data.draw(st.sampled_from([SIX, np.arange(24, dtype=np.uint8).reshape(4, 3, 2)]))
    bad = bytearray(content(array))
    if data.draw(st.booleans()):
        bad = bytearray(gzip.compress(bytes(bad), mtime=0))
    for _ in range(data.draw(st.integers(0, 4))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(bad)))
    file = tmp_path_factory.mktemp("fuzz") / "file"
    file.write_bytes(bad[:cut] if data.draw(st.booleans()) else bad)
    try:
        values_of(file, array.ndim)
    except DataError as error:
        assert str(file) in error.message


@example([0, 2**32 - 1, 2**32 - 1], b"")  # numpy refuses even an empty array of this shape
@given(st.lists(st.sampled_from([0, 1, 2, 2**16, 2**32 - 1]), min_size=3, max_size=3), st.binary(max_size=8))
def test_no_header_however_large_raises_anything_but_a_data_error(tmp_path_factory, shape, tail):
    file = tmp_path_factory.mktemp("fuzz") / "file"
    file.write_bytes(b"\0\0\x08\x03" + np.array(shape, ">u4").tobytes() + tail)
    try:
        array = values_of(file, 3)
    except DataError:
        return
    assert list(array.shape) == shape
