from __future__ import annotations

import bz2
import gzip
import io
import os
import pickle
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distillery.data.form import Column, Shape, Table
from distillery.data.readers.recognise import open_source

CSV = "a,label\n1,x\n2,y\n"


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def table():
    stream = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2], "label": ["x", "y"]}), stream)
    return stream.getvalue()


FILES = {"csv": CSV.encode(), "npz": npz(x=np.zeros((2, 1)), y=np.arange(2)), "parquet": table()}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("name", ["rows", "rows.data", "rows.png", "rows.txt"])
def test_a_file_is_known_by_its_content_and_not_by_its_name(tmp_path, kind, name):
    (tmp_path / name).write_bytes(FILES[kind])
    assert open_source(tmp_path / name).format == kind


@pytest.mark.parametrize("kind", FILES)
def test_a_folder_is_known_by_what_it_holds(tmp_path, kind):
    for name in ("train-0", "train-1"):
        (tmp_path / f"{name}.{kind}").write_bytes(FILES[kind])
    (tmp_path / "README.md").write_text("# text is passed over\n")
    (tmp_path / ".hidden").write_bytes(b"\0\1")
    (tmp_path / "_SUCCESS").write_bytes(b"")
    (tmp_path / "Thumbs.db").write_bytes(b"\0\1")
    reader = open_source(tmp_path)
    assert reader.format == kind
    assert [file.name for file in reader.files] == [f"train-0.{kind}", f"train-1.{kind}"]


def test_folders_of_images_mnist_and_cifar_are_told_apart(tmp_path, png, idx, scans, mnist):
    (tmp_path / "images/cat").mkdir(parents=True)
    (tmp_path / "images/cat/1.data").write_bytes(png(scans(1)[0]))
    (tmp_path / "cifar").mkdir()
    (tmp_path / "cifar/data_batch_1.bin").write_bytes(bytes(3073))
    assert open_source(tmp_path / "images").format == "images"
    assert open_source(tmp_path / "cifar").format == "cifar"
    assert open_source(mnist).format == "idx"


def test_a_link_to_a_source_is_followed_but_none_in_it_that_leads_out(tmp_path, refused):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.csv").write_text(CSV)
    (tmp_path / "alias").symlink_to("real")
    assert open_source(tmp_path / "alias").format == "csv"
    (tmp_path / "real/b.csv").symlink_to("a.csv")
    assert len(open_source(tmp_path / "real").files) == 2
    (tmp_path / "outside.csv").write_text(CSV)
    for name, target in (("c.csv", "../outside.csv"), ("d.csv", tmp_path / "outside.csv"), ("e", "..")):
        (tmp_path / "real" / name).symlink_to(target)
    (tmp_path / "real/f.csv").symlink_to("nowhere.csv")
    (tmp_path / "real/g.csv").symlink_to("g.csv")
    said = refused(tmp_path / "real")
    for name in ("c.csv", "d.csv", "e"):
        assert f"{name} is a link that leads out of the folder: copy what it leads to" in said
    for name in ("f.csv", "g.csv"):
        assert f"{name} is a link that leads nowhere" in said


def test_a_path_with_dots_is_the_folder_that_it_means(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "rows.csv").write_text(CSV)
    assert open_source(tmp_path / "a/../rows.csv").format == "csv"


def test_what_is_neither_a_file_nor_a_folder_is_refused_unread(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe")
    assert "is neither a file nor a folder" in refused(tmp_path / "pipe")
    (tmp_path / "rows.csv").write_text(CSV)
    assert "pipe is neither a file nor a folder: remove it" in refused(tmp_path)
    assert "is not there" in refused(tmp_path / "nowhere")
    assert "cannot be read" in refused(tmp_path / ("x" * 300))


def test_a_name_that_is_no_text_is_refused(tmp_path, refused):
    (tmp_path / "a.csv").write_text(CSV)
    with open(os.fsencode(tmp_path) + b"/\xff.csv", "w") as file:  # noqa: PTH123 - a Path cannot say it
        file.write(CSV)
    assert "name that is not UTF-8: rename it" in refused(tmp_path)


def tar():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../../etc/passwd"))
    return stream.getvalue()


def one_array():
    stream = io.BytesIO()
    np.save(stream, np.zeros(2))
    return stream.getvalue()


OTHERS = [
    (b"", "is empty: it has 0 bytes"),
    (gzip.compress(CSV.encode(), mtime=0), "is packed with gzip: unpack it first"),
    (bz2.compress(CSV.encode()), "is packed with bzip2: unpack it first"),
    (b"\xfd7zXZ\0", "is packed with xz"),
    (b"\x28\xb5\x2f\xfd\0", "is packed with zstd"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive"),
    (tar(), "is a tar archive: unpack it first"),
    (one_array(), "is one array: save features and labels together"),
    (pickle.dumps({"a": 1}), "looks like a pickle, which can run code"),
    (b"\x89HDF\r\n\x1a\n", "is HDF5"),
    (b"ARROW1\0\0", "is an Arrow file"),
    (b"PARE\0", "is encrypted Parquet"),
    (b"GIF89a\0", "is a GIF image"),
    (b"RIFF\0\0\0\0WEBP", "is a RIFF file"),
    (b"II*\0", "is a TIFF image"),
    (b"\0\0\x08\x03" + bytes(12), "is one IDX file: name the folder"),
    (b"\x89PNG\r\n\x1a\n", "is one image, without a label"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "is one image, without a label"),
    (b"\0\1\2\3", "has an unknown format; accepted are: an MNIST-layout (IDX) folder"),
]


@pytest.mark.parametrize(("content", "words"), OTHERS)
def test_what_is_not_read_says_what_it_is_and_what_to_do(tmp_path, refused, content, words):
    (tmp_path / "source").write_bytes(content)
    said = refused(tmp_path / "source")
    assert "source" in said
    assert words in said


def test_all_files_of_a_folder_that_are_not_read_are_named_at_once(tmp_path, refused, png, scans, idx):
    (tmp_path / "rows.csv").write_text(CSV)
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a"))
    (tmp_path / "a.png").write_bytes(png(scans(1)[0]))
    (tmp_path / "images.idx").write_bytes(idx(scans(1)))
    said = refused(tmp_path)
    assert "empty is empty: it has 0 bytes" in said
    assert "a.gz is packed with gzip" in said
    assert "a.png is an image outside of a folder that is called like its class" in said
    assert "images.idx is an IDX file, but is not called like train-images-idx3-ubyte" in said


def test_a_folder_of_several_kinds_or_of_none_is_refused(tmp_path, refused):
    assert "has nothing that is read; accepted are" in refused(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing")
    assert "has nothing that is read (notes.txt is text, and passed over)" in refused(tmp_path)
    (tmp_path / "rows.csv").write_text(CSV)
    (tmp_path / "rows.npz").write_bytes(FILES["npz"])
    assert "several kinds of data (csv, npz): keep one" in refused(tmp_path)


IMAGES = npz(x=np.zeros((2, 3, 4), np.uint8), y=np.arange(2))
TABLE = Table(columns=(Column(name="a", categories=None, missing=False),))


@pytest.mark.parametrize(
    ("content", "wanted", "words"),
    [
        (IMAGES, {"label": "y"}, "has no columns (npz), so --label y says nothing"),
        (IMAGES, {"known": TABLE}, "has images, and the data set is a table"),
        (IMAGES, {"resize": (0, 3)}, "--resize 0x3 must be above 0"),
        (IMAGES, {"resize": (99_999, 99_999)}, "at most 67,108,864 pixels"),
        (CSV.encode(), {"resize": (3, 3)}, "is a table, so --resize says nothing"),
    ],
)
def test_what_makes_no_sense_for_its_rows_is_refused(tmp_path, refused, content, wanted, words):
    (tmp_path / "source").write_bytes(content)
    assert words in refused(tmp_path / "source", **wanted)


def test_images_of_arrays_are_resized_channel_by_channel(tmp_path, read):
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[1, ..., 2] = 200
    (tmp_path / "source").write_bytes(npz(x=images, y=np.arange(2)))
    source = read(tmp_path / "source", resize=(2, 3))
    assert source.reader.form == Shape(height=2, width=3, channels=3)
    assert source.reader.format == "npz"
    assert source.images[0].max() == 0
    assert (source.images[1] == [0, 0, 200]).all()
