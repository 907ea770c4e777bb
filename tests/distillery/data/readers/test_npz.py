from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from distillery.data.chunks import ColumnNames
from distillery.data.form import Column, Table
from distillery.data.readers import limits, npz, tables


@pytest.fixture
def save(tmp_path):
    """Save arrays as an archive; gives its path."""

    def saved(name="rows.npz", **arrays):
        np.savez_compressed(tmp_path / name, **arrays)
        return tmp_path / name

    return saved


NAMES = [
    ("images", "labels"),
    ("x", "y"),
    ("features", "label"),
    ("input", "y"),
    ("X", "Y"),
    ("x_train", "y_train"),
    ("train_images", "train_labels"),
    ("val_images", "val_labels"),
]


@pytest.mark.parametrize(("features", "labels"), NAMES)
def test_images_and_labels_are_known_by_their_names(save, read, scans, features, labels):
    source = read(save(**{features: scans(3), labels: np.array([2, 0, 10])}))
    np.testing.assert_array_equal(source.images[..., 0], scans(3))
    assert source.labels == ["2", "0", "10"]
    assert source.tested == [False] * 3
    assert source.places[1] == f"rows.npz {features} row 1"
    assert source.reader.format == "npz"


def test_keras_test_rows_come_last_and_are_marked(save, read, scans):
    arrays = {
        "x_test": scans(2),
        "y_test": np.array([1, 0]),
        "x_train": scans(3),
        "y_train": np.zeros(3, int),
    }
    source = read(save(**arrays))
    assert source.tested == [False] * 3 + [True] * 2
    assert source.labels == ["0", "0", "0", "1", "0"]


def test_rows_come_in_pieces_that_join_up(save, read, scans, monkeypatch):
    monkeypatch.setattr(npz, "CHUNK_BYTES", 24)  # three labels of 8 bytes
    source = read(save(x=scans(7), y=np.arange(7)))
    assert len(source.chunks) == 3
    np.testing.assert_array_equal(source.images[..., 0], scans(7))
    assert source.labels == list("0123456")
    assert source.places[6] == "rows.npz x row 6"


def test_colours_and_labels_of_two_dimensions_are_read_as_keras_has_them(save, read):
    colours = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    source = read(save(x=colours, y=np.array([[7], [3]], np.uint8)))
    np.testing.assert_array_equal(source.images, colours)
    assert source.labels == ["7", "3"]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array(["cat", "", "dog"]), ["cat", None, "dog"]),
        (np.array([b"cat", b"dog", b"caf\xc3\xa9"]), ["cat", "dog", "café"]),
        (np.array([0.0, np.nan, 2.5]), ["0", None, "2.5"]),
        (np.array([True, False, True]), ["true", "false", "true"]),
        (np.array([-1, 5, 300], ">i2"), ["-1", "5", "300"]),
    ],
)
def test_labels_of_any_plain_type_become_names(save, read, scans, labels, names):
    assert read(save(x=scans(3), y=labels)).labels == names


@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2", "g", "?", "<i8", "u1"])
def test_two_dimensions_are_a_table_of_numbers(save, read, kind):
    values = np.array([[1, 0], [0, 1], [1, 1]]).astype(kind)
    source = read(save(x=values, y=np.array([0, 1, 0])))
    assert source.reader.form == ColumnNames(("f0", "f1"), (True, True))
    assert (source.column("f0"), source.column("f1")) == ([1, 0, 1], [0, 1, 1])


def test_a_table_stored_column_by_column_is_the_same_table(save, read):
    values = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(3, 2))
    assert read(save(x=values, y=np.zeros(3))).column("f1") == [1, 3, 5]


def test_nan_is_a_missing_value_and_infinity_an_error_with_its_row(save, read):
    source = read(save(x=np.array([[1.0, np.nan], [np.inf, 1e300]]), y=np.array([0, 1])))
    assert np.isnan(source.column("f1")[0])
    assert source.codes == [("error", "nan_or_inf")] * 2
    assert "rows.npz x row 1: column f0" in source.findings[0].message
    assert "column f1" in source.findings[1].message


def test_a_known_table_says_which_columns_are_categories(save, read, refused):
    columns = [("f1", None), ("f0", ("1", "2"))]
    known = Table(columns=tuple(Column(name=n, categories=c, missing=False) for n, c in columns))
    file = save(x=np.array([[2, 5], [1, 6]]), y=np.array([0, 1]))
    source = read(file, known=known)
    assert source.reader.form == ColumnNames(("f1", "f0"), (True, False))
    assert (source.column("f0"), source.column("f1")) == (["2", "1"], [5, 6])
    assert "column f2 is not in the data set" in refused(
        save(x=np.zeros((2, 3)), y=np.array([0, 1])), known=known
    )


def test_archives_of_one_kind_are_read_together(save, read, scans):
    save("test.npz", x=scans(2), y=np.zeros(2))
    save("train-0.npz", x=scans(3), y=np.ones(3))
    folder = save("train-1.npz", x=scans(1), y=np.ones(1)).parent
    source = read(folder)
    assert source.labels == ["1"] * 4 + ["0"] * 2
    assert source.tested == [False] * 4 + [True] * 2


def test_labels_with_too_many_names_are_refused(save, refused, scans, monkeypatch):
    monkeypatch.setattr(tables, "MOST_CLASSES", 3)
    assert "rows.npz: y has more than 3 different labels" in refused(save(x=scans(5), y=np.arange(5)))
    assert "rows.npz x row 4: column label has more" in refused(save(x=np.zeros((5, 2)), y=np.arange(5)))


def test_an_array_that_is_not_read_is_a_warning(save, read, scans):
    source = read(save(x=scans(2), y=np.zeros(2), ids=np.arange(2)))
    assert source.codes == [("warning", "array")]
    assert "ids" in source.findings[0].message


def pickled():
    return {"x": np.zeros((2, 3)), "y": np.array([{"a": 1}, None], dtype=object)}


def of(x, y=(0, 1)):
    return {"x": x, "y": np.array(y)}


REFUSED = [
    (pickled(), "array y has objects, which are pickles"),
    ({"images": np.zeros((2, 3, 3)), "y": np.array([0, 1])}, "is float64: images must be uint8"),
    (of(np.zeros((2, 3, 8, 8), np.uint8)), "numpy.moveaxis(x, 1, -1)"),
    (of(np.zeros((2, 8, 8, 9), np.uint8)), "9 channels: 1 to 4 are read"),
    (of(np.zeros((2, 0, 8), np.uint8)), "its rows are empty"),
    (of(np.zeros((2, 0))), "its rows are empty"),
    (of(np.zeros(2)), "it must be (N, H, W), (N, H, W, C) or (N, columns)"),
    (of(np.array(["a", "b"])), "is text"),
    (of(np.zeros((3, 2))), "x has 3 rows but y has 2"),
    (of(np.zeros((2, 2)), [[1, 0], [0, 1]]), "not one-hot"),
    (of(np.zeros((2, 2)), np.array(["2020", "2021"], "M8[Y]")), "values of type datetime64"),
    (of(np.zeros((2, 2), complex)), "values of type complex128"),
    (of(np.zeros((2, 2)), np.zeros(2, "S0").view("S1")[:0]), "has 2 rows but y has 0"),
    ({"x": np.zeros((2, 2))}, "one of labels"),
    ({"a": np.zeros(2), "b": np.zeros(2)}, "rows.npz has only a, b"),
    ({"x": np.zeros((2, 2)), "images": np.zeros((2, 2)), "y": np.zeros(2)}, "one array of features"),
    ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "has no rows"),
    ({"x": np.float32(3), "y": np.zeros(2)}, "array x is broken"),
]


@pytest.mark.parametrize(("arrays", "words"), REFUSED)
def test_what_cannot_be_used_is_refused_with_its_reason(save, refused, arrays, words):
    said = refused(save(**arrays))
    assert "rows.npz" in said
    assert words in said


def test_accepted_names_are_in_the_refusal(save, refused):
    words = refused(save(a=np.zeros(2)))
    assert all(name in words for name in ("images", "features", "input", "labels", "x_train", "y_test"))


def test_archives_with_rows_of_several_kinds_are_refused(save, refused, scans):
    save("a.npz", x=scans(2), y=np.zeros(2))
    folder = save("b.npz", x=np.zeros((2, 2)), y=np.zeros(2)).parent
    assert "rows of several kinds" in refused(folder)


def member(array, header=None):
    stream = io.BytesIO()
    np.save(stream, array)
    content = stream.getvalue()
    return content if header is None else content[:10] + header.ljust(len(content) - 11).encode() + b"\n"


def archive(path, members, packed=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", packed) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return path


def test_a_zip_bomb_is_refused_by_what_it_says(save, refused, scans, monkeypatch):
    monkeypatch.setattr(limits, "MOST_UNPACKED", 1 << 20)
    words = refused(save("bomb.npz", x=np.zeros((2, 2000, 2000), np.uint8), y=np.zeros(2)))
    assert "bomb.npz: array x" in words
    assert "more than 200 times and more than 1 MiB is taken for a bomb" in words
    assert "numpy.savez" in words


def test_a_row_that_would_fill_the_memory_is_refused(tmp_path, refused):
    header = "{'descr': '<U99999999', 'fortran_order': False, 'shape': (0,), }"
    file = archive(tmp_path / "a.npz", {"x.npy": member(np.zeros((0, 1))), "y.npy": huge(header)})
    assert "one row takes" in refused(file)


def huge(header):
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1e9,), }",
        "{'descr': '|V0', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (2,), }",
        "[" * 400,
        "",
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, refused, header):
    file = archive(tmp_path / "a.npz", {"x.npy": member(np.zeros((2, 2))), "y.npy": huge(header) + bytes(16)})
    assert "a.npz: array y" in refused(file)


def test_text_that_is_not_utf8_is_refused(save, refused, tmp_path):
    words = refused(save(x=np.zeros((2, 2)), y=np.array([b"\xff", b"a"])))
    assert "rows.npz: y has text that is not UTF-8" in words
    broken = member(np.array(["a", "b"]))[:-4] + b"\xff\xff\xff\xff"
    file = archive(tmp_path / "b.npz", {"x.npy": member(np.zeros((2, 2))), "y.npy": broken})
    assert "b.npz: y has text that is not UTF-8" in refused(file)


def test_an_unusual_packing_and_an_archive_of_other_things_are_refused(tmp_path, refused):
    members = {"x.npy": member(np.zeros((2, 2))), "y.npy": member(np.zeros(2))}
    assert "packed in an unusual way" in refused(archive(tmp_path / "a.npz", members, zipfile.ZIP_LZMA))
    assert "without arrays" in refused(archive(tmp_path / "b.npz", {"a.txt": b"a"}))
    assert "without arrays" in refused(archive(tmp_path / "c.npz", {}))


def test_a_damaged_member_is_refused_even_when_the_damage_is_far_on(tmp_path, refused):
    noise = np.random.default_rng(0).integers(0, 256, (50, 30, 30), np.uint8)
    members = {"x.npy": member(noise), "y.npy": member(np.zeros(50))}
    file = archive(tmp_path / "a.npz", members, zipfile.ZIP_STORED)
    content = bytearray(file.read_bytes())
    content[40_000] ^= 1
    file.write_bytes(content)
    assert "a.npz: x cannot be read" in refused(file)
