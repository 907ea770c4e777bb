from __future__ import annotations

import numpy as np
import pytest

RED, GREEN, BLUE = np.full(1024, 1), np.full(1024, 2), np.full(1024, 3)


def record(*labels, planes=(RED, GREEN, BLUE)):
    return bytes(labels) + np.concatenate(planes).astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path):
    """CIFAR-10: three records in two batches, and one of the test batch."""
    (tmp_path / "data_batch_1.bin").write_bytes(record(3) + record(0))
    (tmp_path / "data_batch_2.bin").write_bytes(record(9))
    (tmp_path / "test_batch.bin").write_bytes(record(3))
    (tmp_path / "readme.html").write_text("<p>text is passed over</p>")
    return tmp_path


def test_planes_become_channels_and_the_test_batch_is_marked(folder, read):
    source = read(folder)
    assert source.labels == ["3", "0", "9", "3"]
    assert source.tested == [False, False, False, True]
    assert source.images.shape == (4, 32, 32, 3)
    assert source.images[2, 31, 7].tolist() == [1, 2, 3]
    assert source.places == [
        "data_batch_1.bin row 0",
        "data_batch_1.bin row 1",
        "data_batch_2.bin row 0",
        "test_batch.bin row 0",
    ]


def test_pixels_keep_their_rows_and_columns(folder, read):
    ramp = np.arange(1024) % 256
    (folder / "test_batch.bin").write_bytes(record(0, planes=(ramp, ramp, ramp)))
    np.testing.assert_array_equal(read(folder).images[3, :, :, 1], ramp.reshape(32, 32))


def test_class_names_are_read_where_they_lie_beside(folder, read):
    names = ["plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    source = read(folder)
    assert source.labels == ["cat", "plane", "truck", "cat"]
    assert folder / "batches.meta.txt" in source.reader.files


def test_the_fine_label_of_cifar_100_is_read(tmp_path, read):
    (tmp_path / "train.bin").write_bytes(record(1, 99) + record(2, 0))
    (tmp_path / "test.bin").write_bytes(record(3, 50))
    (tmp_path / "coarse_label_names.txt").write_text("a\nb\n")
    source = read(tmp_path)
    assert source.labels == ["99", "0", "50"]
    assert source.tested == [False, False, True]
    assert source.images[0, 0, 0].tolist() == [1, 2, 3]


def test_a_label_that_no_class_has_is_left_out_and_named(folder, read):
    (folder / "data_batch_1.bin").write_bytes(record(0) + record(200) + record(4))
    source = read(folder)
    assert source.labels == ["0", "4", "9", "3"]
    assert source.places[1] == "data_batch_1.bin row 2"
    (finding,) = source.findings
    assert (finding.severity, finding.code) == ("error", "label_out_of_range")
    assert "data_batch_1.bin row 1: label 200" in finding.message


def test_files_that_are_not_whole_records_are_all_named(folder, refused):
    (folder / "data_batch_1.bin").write_bytes(record(1)[:-1])
    (folder / "test_batch.bin").write_bytes(b"")
    words = refused(folder)
    assert "data_batch_1.bin has 3,072 bytes" in words
    assert "test_batch.bin has 0 bytes" in words


@pytest.mark.parametrize("names", [b"a\na\n", b"", b"\xff\n"])
def test_class_names_that_cannot_be_used_are_refused(folder, refused, names):
    (folder / "batches.meta.txt").write_bytes(names)
    assert "batches.meta.txt" in refused(folder)
