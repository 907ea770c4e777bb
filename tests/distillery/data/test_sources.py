from __future__ import annotations

import gzip

import numpy as np
import pytest

from distillery.data.locate import origin_of
from distillery.data.sources import read_digits, read_idx, read_source
from distillery.errors import DataError


def idx(array):
    return (
        bytes([0, 0, 8, array.ndim])
        + np.array(array.shape, ">u4").tobytes()
        + array.astype(np.uint8).tobytes()
    )


def images(count, height=3, width=2):
    return (np.arange(count * height * width) % 251).reshape(count, height, width).astype(np.uint8)


NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@pytest.fixture
def folder(tmp_path):
    """Six train and four test rows of three classes."""
    content = (images(6), np.array([0, 1, 2, 0, 1, 2]), images(4), np.array([2, 1, 0, 0]))
    for name, array in zip(NAMES, content, strict=True):
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


def faults(folder):
    with pytest.raises(DataError) as caught:
        read_idx(folder)
    assert str(folder) in caught.value.message
    return caught.value.faults


def test_the_digits_are_the_1797_scans_with_values_0_to_16():
    (digits,) = read_digits().chunks()
    assert (digits.features.shape, digits.features.dtype) == ((1797, 8, 8, 1), np.uint8)
    assert (digits.features.min(), digits.features.max()) == (0, 16)
    assert digits.labels.names == tuple("0123456789")
    assert np.bincount(digits.labels.codes).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert not digits.tested
    assert digits.place(7) == "row 7"


def test_the_digits_need_no_project_and_a_relative_path_is_relative_to_it(shipped, tmp_path):
    assert read_source(shipped.data, tmp_path).format == "digits"
    data = shipped.data.model_copy(update={"source": "idx", "path": "folder"})
    with pytest.raises(DataError, match=str(tmp_path / "folder")):
        read_source(data, tmp_path)
    assert origin_of(data) == {"source": "idx", "path": "folder"}


def test_imported_data_that_are_not_there_are_an_error_with_a_remedy(shipped, tmp_path):
    data = shipped.data.model_copy(update={"source": "imported"})
    with pytest.raises(DataError, match="distillery data pull"):
        read_source(data, tmp_path)


def test_a_good_folder_gives_its_rows_in_order_with_its_own_test_marked(folder):
    source = read_idx(folder)
    train, test = source.chunks()
    np.testing.assert_array_equal(train.features[..., 0], images(6))
    np.testing.assert_array_equal(test.features[..., 0], images(4))
    assert train.labels.codes.tolist() == [0, 1, 2, 0, 1, 2]
    assert test.labels.codes.tolist() == [2, 1, 0, 0]
    assert (train.tested, test.tested) == (False, True)
    assert train.labels.names == ("0", "1", "2")
    assert [file.name for file in source.files] == sorted(NAMES)


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_gzipped_files_give_the_same_rows_whatever_their_suffix(folder, suffix):
    plain = next(read_idx(folder).chunks())
    for name in NAMES:
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / (name + suffix)).write_bytes(gzip.compress(content))
    np.testing.assert_array_equal(next(read_idx(folder).chunks()).features, plain.features)


def test_names_with_a_dot_are_read_too(folder):
    for name in NAMES:
        (folder / name).rename(folder / name.replace("-idx", ".idx"))
    assert sum(len(chunk.features) for chunk in read_idx(folder).chunks()) == 10


def test_every_missing_file_is_named_at_once(folder):
    for name in NAMES[1:]:
        (folder / name).unlink()
    found = faults(folder)
    assert len(found) == 3
    assert all(
        name in fault and "is not there" in fault for name, fault in zip(NAMES[1:], found, strict=True)
    )


def test_a_folder_that_is_not_there_is_four_missing_files(tmp_path):
    assert len(faults(tmp_path / "nowhere")) == 4


def test_every_kind_of_fault_is_named_with_its_file_at_once(folder):
    (folder / NAMES[0]).write_bytes(idx(images(6))[:-1])  # truncated
    (folder / NAMES[1]).write_bytes(b"not an IDX file at all")
    (folder / NAMES[2]).write_bytes(gzip.compress(idx(images(4)))[:-9])  # gzip cut off
    (folder / NAMES[3]).unlink()
    found = faults(folder)
    for name, words, fault in zip(
        NAMES, ("truncated", "not an IDX", "cannot be read", "not there"), found, strict=True
    ):
        assert name in fault
        assert words in fault


def test_a_label_out_of_range_names_its_row(folder):
    (folder / NAMES[3]).write_bytes(idx(np.array([2, 1, 0, 7])))
    (fault,) = faults(folder)
    assert "t10k-labels row 3: label 7" in fault
    assert "0 to 2" in fault


def test_a_gap_in_the_train_labels_is_a_label_out_of_range(folder):
    (folder / NAMES[1]).write_bytes(idx(np.array([0, 1, 3, 0, 1, 3])))
    found = faults(folder)
    assert any("train-labels row 2: label 3" in fault and "2 such rows" in fault for fault in found)
    assert any("t10k-labels row 0: label 2" in fault for fault in found)


def test_counts_and_shapes_that_differ_are_told_at_once(folder):
    (folder / NAMES[1]).write_bytes(idx(np.array([0, 1, 2])))
    (folder / NAMES[2]).write_bytes(idx(images(4, 5, 5)))
    assert faults(folder) == (
        "train: 6 images in train-images-idx3-ubyte but 3 labels in train-labels-idx1-ubyte",
        "train images are (3, 2), t10k images are (5, 5)",
    )


def test_a_folder_without_images_is_refused(folder):
    (folder / NAMES[2]).write_bytes(idx(images(0)))
    (folder / NAMES[3]).write_bytes(idx(np.zeros(0)))
    assert faults(folder) == ("t10k: there are no images",)
