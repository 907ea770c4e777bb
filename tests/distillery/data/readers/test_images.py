from __future__ import annotations

import numpy as np
import pytest

from distillery.data.form import Shape
from distillery.data.readers import decoding, images


@pytest.fixture
def put(tmp_path, png):
    """Write images (or bytes) by their paths; gives the folder."""

    def written(files, root="source"):
        for name, content in files.items():
            file = tmp_path / root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else png(content))
        return tmp_path / root

    return written


def test_a_folder_is_a_class_and_its_images_come_by_name(put, read, scans):
    one, two, three = scans(3, 4, 5)
    source = read(put({"dog/b.png": one, "cat/z.png": two, "cat/a.png": three}))
    assert source.reader.form == Shape(height=4, width=5, channels=1)
    assert source.labels == ["cat", "cat", "dog"]
    assert source.places == ["cat/a.png", "cat/z.png", "dog/b.png"]
    np.testing.assert_array_equal(source.images[..., 0], [three, two, one])
    assert source.tested == [False] * 3
    assert source.reader.format == "images"
    assert source.findings == []


def test_train_and_test_folders_are_splits_and_validation_is_trained_on(put, read, scans):
    image = scans(1)[0]
    source = read(put({"test/cat/1.png": image, "train/dog/1.png": image, "val/cat/1.png": image}))
    assert source.labels == ["cat", "dog", "cat"]
    assert source.tested == [False, False, True]
    assert source.places == ["val/cat/1.png", "train/dog/1.png", "test/cat/1.png"]


def test_classes_may_be_called_train_and_test(put, read, scans):
    image = scans(1)[0]
    assert read(put({"test/1.png": image, "train/1.png": image})).labels == ["test", "train"]


def test_png_jpeg_and_bmp_are_read_whatever_they_are_called(put, read, png):
    flat = np.full((8, 8, 3), 90, np.uint8)
    source = read(
        put({"a/1.png": png(flat, "BMP"), "a/2.dat": flat, "b/3.jpeg": png(flat, "JPEG", quality=95)})
    )
    assert source.images.shape == (3, 8, 8, 3)
    assert np.abs(source.images.astype(int) - 90).max() <= 3


def test_one_coloured_image_makes_all_of_them_colours(put, read, scans):
    grey, colours = scans(1, 2, 2)[0], np.zeros((2, 2, 3), np.uint8)
    source = read(put({"a/1.png": grey, "b/2.png": colours}))
    np.testing.assert_array_equal(source.images[0], np.repeat(grey[..., None], 3, axis=-1))


def test_images_come_in_pieces_that_join_up(put, read, scans, monkeypatch):
    folder = put({f"{'ab'[i % 2]}/{i:02}.png": image for i, image in enumerate(scans(9))})
    whole = read(folder)
    monkeypatch.setattr(decoding, "CHUNK_BYTES", 12)  # two images of six bytes
    monkeypatch.setattr(decoding, "SLICE", 1)
    pieces = read(folder)
    assert len(pieces.chunks) == 5
    np.testing.assert_array_equal(pieces.images, whole.images)
    assert (pieces.labels, pieces.places) == (whole.labels, whole.places)


def test_litter_and_empty_classes_are_passed_over(put, read, scans):
    image = scans(1)[0]
    folder = put(
        {"a/1.png": image, "b/1.png": image, "a/.DS_Store": b"\0", "b/Thumbs.db": b"\0", ".git/x": b"\0"}
    )
    (folder / "c").mkdir()
    source = read(folder)
    assert source.labels == ["a", "b"]
    assert source.codes == [("warning", "empty_class")]
    assert "c has no images" in source.findings[0].message


def lying(png, scans):
    """A PNG of 3 x 2 whose header says 6 x 4, with a right checksum."""
    import struct
    import zlib

    content = bytearray(png(scans(1)[0]))
    content[16:24] = struct.pack(">II", 4, 6)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def test_every_image_that_cannot_be_read_is_left_out_and_named_with_its_reason(put, read, png, scans):
    whole = scans(4, 6, 4)
    bad = {
        "b/0.png": (b"", "it is empty (0 bytes)"),
        "b/1.png": (png(whole[0])[:40], ""),
        "b/2.png": (b"no image at all", "it is not a PNG, JPEG or BMP image"),
        "b/3.png": (lying(png, scans), "the header lies"),
        "b/4.gif": (png(whole[1], "GIF"), "it is not a PNG, JPEG or BMP image"),
    }
    source = read(put({"a/0.png": whole[2], "b/9.png": whole[3]} | {n: c for n, (c, _) in bad.items()}))
    assert source.places == ["a/0.png", "b/9.png"]
    assert source.codes == [("error", "unreadable")] * len(bad)
    for (name, (_, words)), finding in zip(bad.items(), source.findings, strict=True):
        assert f"{name} cannot be read as an image: " in finding.message
        assert words in finding.message


def test_a_file_that_is_too_large_for_an_image_is_not_read(put, read, scans, monkeypatch):
    monkeypatch.setattr(images, "MOST_FILE_BYTES", 200)
    source = read(put({"a/0.png": scans(1)[0], "a/1.png": b"\x89PNG\r\n\x1a\n" + bytes(300)}))
    assert source.places == ["a/0.png"]


def test_a_folder_without_any_image_that_can_be_read_is_refused(put, refused):
    said = refused(put({f"a/{i:02}.png": b"" for i in range(25)}))
    assert "has no image that can be read" in said
    assert "a/00.png cannot be read as an image" in said
    assert "... and 5 more" in said


def test_sizes_that_differ_are_one_error_and_resizing_mends_it(put, read, scans):
    folder = put({"a/1.png": scans(1, 4, 4)[0], "a/2.png": scans(1, 4, 4)[0], "b/3.png": scans(1, 9, 3)[0]})
    source = read(folder)
    assert source.codes == [("error", "mixed_shapes")]
    assert "4x4 (2 images, such as a/1.png), 9x3 (1 images, such as b/3.png)" in source.findings[0].message
    assert "--resize 4x4" in source.findings[0].message
    resized = read(folder, resize=(5, 2))
    assert resized.images.shape == (3, 5, 2, 1)
    assert resized.findings == []


def test_a_link_out_of_the_folder_is_an_error_wherever_it_stands(put, read, scans, tmp_path):
    image = scans(1)[0]
    folder = put({"train/a/1.png": image, "train/b/1.png": image, "test/a/1.png": image})
    (tmp_path / "secret.png").write_bytes((folder / "test/a/1.png").read_bytes())
    (folder / "train/a/2.png").symlink_to(tmp_path / "secret.png")
    (folder / "train/c").symlink_to(tmp_path)
    (folder / "test/a/3.png").symlink_to("../../../secret.png")
    source = read(folder)
    assert len(source.labels) == 3
    assert source.codes == [("error", "refused")] * 3
    said = " ".join(finding.message for finding in source.findings)
    for name in ("train/a/2.png", "train/c", "test/a/3.png"):
        assert f"{name} is a link that leads out of the folder" in said


@pytest.mark.parametrize(
    ("stray", "words"),
    [
        ("a/deep/1.png", "a/deep is a folder in the folder of a class"),
        ("1.png", "1.png is an image outside of a folder that is called like its class"),
    ],
)
def test_another_layout_is_refused_with_what_is_out_of_place(put, refused, scans, stray, words):
    image = scans(1)[0]
    assert words in refused(put({"a/1.png": image, "b/1.png": image, stray: image}))


def test_an_image_beside_the_classes_of_a_split_is_refused(put, refused, scans):
    image = scans(1)[0]
    said = refused(put({"train/a/1.png": image, "train/stray.png": image}))
    assert "train/stray.png lies beside the folders of the classes" in said


def test_folders_without_images_are_refused(put, refused):
    folder = put({"a/notes.txt": b"text"})
    assert "has nothing that is read" in refused(folder)
