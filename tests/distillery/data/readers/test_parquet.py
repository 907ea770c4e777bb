from __future__ import annotations

import datetime
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distillery.data.chunks import ColumnNames
from distillery.data.form import Column, Shape, Table
from distillery.data.readers import decoding, limits, parquet, parquet_images, tables


@pytest.fixture
def save(tmp_path):
    """Save columns as a file; gives its path."""

    def saved(columns, name="rows.parquet", metadata=None, **options):
        table = pa.table(columns)
        if metadata:
            table = table.replace_schema_metadata(metadata)
        pq.write_table(table, tmp_path / name, **options)
        return tmp_path / name

    return saved


ROWS = {
    "size": pa.array([1.5, None, 3.0]),
    "colour": pa.array(["red", None, "blue"]).dictionary_encode(),
    "shape": ["round", "square", ""],
    "ok": pa.array([True, False, None]),
    "label": ["yes", "no", "yes"],
}


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
def test_numbers_and_categories_are_told_apart_by_their_types(save, read, compression):
    source = read(save(ROWS, compression=compression))
    assert source.reader.form == ColumnNames(("size", "colour", "shape", "ok"), (True, False, False, True))
    np.testing.assert_array_equal(source.column("size"), [1.5, np.nan, 3])
    np.testing.assert_array_equal(source.column("ok"), [1, 0, np.nan])
    assert source.column("colour") == ["red", None, "blue"]
    assert source.column("shape") == ["round", "square", None]
    assert source.labels == ["yes", "no", "yes"]
    assert source.places == ["rows.parquet row 0", "rows.parquet row 1", "rows.parquet row 2"]
    assert source.findings == []
    assert source.reader.format == "parquet"


def test_numbers_written_as_text_are_categories(save, read):
    assert read(save({"a": ["1", "2"], "label": ["x", "y"]})).column("a") == ["1", "2"]


def test_rows_come_in_pieces_that_join_up(save, read, monkeypatch):
    columns = {"a": list(range(50)), "b": [f"n{i % 7}" for i in range(50)], "y": [i % 3 for i in range(50)]}
    file = save(columns, row_group_size=17)
    whole = read(file)
    monkeypatch.setattr(parquet, "MOST_ROWS", 4)
    pieces = read(file)
    assert len(pieces.chunks) >= 13
    assert (pieces.labels, pieces.places) == (whole.labels, whole.places)
    assert pieces.column("a") == list(range(50))
    assert pieces.column("b") == whole.column("b") == columns["b"]


def test_pandas_index_is_passed_over_with_a_warning(tmp_path, read):
    frame = pd.DataFrame({"a": [1, 2], "label": ["x", "y"]}, index=[7, 9])
    frame.to_parquet(tmp_path / "rows.parquet")
    source = read(tmp_path / "rows.parquet")
    assert source.reader.form.names == ("a",)
    assert source.codes == [("warning", "column")]


def test_shards_are_one_table_and_those_called_test_are_its_test_rows(save, read):
    save({"a": [3], "label": ["x"]}, "train-00001-of-00002.parquet")
    save({"label": ["y"], "a": [1.5]}, "train-00000-of-00002.parquet")
    folder = save({"a": [9], "label": ["y"]}, "test-00000-of-00001.parquet").parent
    source = read(folder)
    assert source.column("a") == [1.5, 3, 9]
    assert source.tested == [False, False, True]


def test_shards_of_another_schema_are_refused_with_all_that_differs(save, refused):
    save({"a": [1], "b": [1], "label": ["x"]}, "a.parquet")
    folder = save({"a": ["w"], "c": [1], "label": ["x"]}, "b.parquet").parent
    said = refused(folder)
    assert "b.parquet lacks column b, unlike a.parquet" in said
    assert "b.parquet has a column c, unlike a.parquet" in said
    assert "b.parquet has text in column a, not numbers, unlike a.parquet" in said


def test_every_column_that_cannot_be_read_is_named_with_its_remedy(save, refused):
    said = refused(
        save(
            {
                "tags": [["a"]],
                "place": [{"x": 1, "y": 2}],
                "when": [datetime.date(2020, 1, 1)],
                "key": pa.array([b"0"], pa.binary(1)),
                "pairs": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
                "label": ["x"],
            }
        )
    )
    assert "rows.parquet: column tags is list<element: string>" in said
    assert "column place is struct<x: int64, y: int64>, which cannot be read: flatten it" in said
    assert "column pairs is map<" in said
    assert "column when is date32[day], which cannot be read: make numbers of it" in said
    assert "column key is fixed_size_binary[1], which cannot be read: remove it" in said


def test_two_columns_of_one_name_or_none_at_all_are_refused(tmp_path, refused):
    columns = [pa.array([1]), pa.array([2]), pa.array(["x"]), pa.array([4])]
    pq.write_table(pa.table(columns, names=["a", "a", "label", ""]), tmp_path / "rows.parquet")
    said = refused(tmp_path / "rows.parquet")
    assert "more than one column 'a'" in said
    assert "a column has no name" in said


def test_a_table_without_rows_or_features_is_refused(save, refused):
    assert "has no rows" in refused(save({"a": pa.array([], pa.int8()), "label": pa.array([], pa.string())}))
    assert "a table needs features" in refused(save({"label": ["x"]}))


def test_what_is_infinite_is_an_error_with_its_row(save, read):
    source = read(save({"a": [1.0, np.inf, 1e300], "label": ["x", "y", "x"]}))
    assert source.codes == [("error", "nan_or_inf")] * 2
    assert "rows.parquet row 1: column a is infinite" in source.findings[0].message


def test_what_is_added_takes_its_kinds_from_the_data_set(save, read):
    columns = (
        Column(name="b", categories=("1",), missing=False),
        Column(name="a", categories=None, missing=False),
    )
    source = read(
        save({"a": ["4", "five"], "b": pa.array([1, 2], pa.float16()), "label": ["x", "y"]}),
        known=Table(columns=columns),
    )
    assert source.column("b") == ["1", "2"]
    assert source.column("a")[0] == 4
    assert source.codes == [("error", "not_a_number")]
    assert "rows.parquet row 1: column a holds numbers, and 'five' is none" in source.findings[0].message


def test_a_bomb_is_refused_by_what_it_says(save, refused, monkeypatch):
    monkeypatch.setattr(limits, "MOST_UNPACKED", 1 << 20)
    said = refused(
        save({"a": np.zeros(10**6), "label": ["x"] * 10**6}, use_dictionary=False, compression="zstd")
    )
    assert "rows.parquet says that its" in said
    assert "taken for a bomb" in said


def test_text_that_is_not_utf8_is_refused_with_its_column(tmp_path, refused):
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff", b"a"]).buffers())
    table = pa.table({"a": broken, "label": ["x", "y"]})
    pq.write_table(table, tmp_path / "rows.parquet")
    said = refused(tmp_path / "rows.parquet")
    assert "rows.parquet is broken in column a" in said
    assert "UTF8" in said


@pytest.mark.parametrize("cut", [1, 8, 200, 10_000])
def test_a_file_that_was_cut_is_refused(save, refused, cut):
    file = save({"a": np.random.default_rng(0).normal(size=5000), "label": ["x", "y"] * 2500})
    file.write_bytes(file.read_bytes()[:-cut])
    said = refused(file)
    assert "rows.parquet cannot be read as Parquet" in said
    assert "fetch it again" in said


def test_a_damaged_page_is_refused_although_the_footer_is_whole(save, refused):
    file = save({"a": np.random.default_rng(0).normal(size=5000), "label": ["x", "y"] * 2500})
    content = bytearray(file.read_bytes())
    content[5:400] = bytes(395)
    file.write_bytes(content)
    assert "rows.parquet" in refused(file)


def hub(images, labels, **features):
    """A table as data hubs publish it: {bytes, path}, numbers as labels, their names in the metadata."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [None if image is None else {"bytes": image, "path": "a.png"} for image in images]
    return {"image": pa.array(rows, kind), "label": pa.array(labels, pa.int64()), **features}


def named(*names):
    features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
    return {"huggingface": json.dumps({"info": {"features": features}})}


def test_images_of_a_data_hub_are_read_with_the_names_of_their_classes(save, read, png, scans):
    images = scans(3, 4, 5)
    source = read(save(hub(map(png, images), [1, 0, 1]), metadata=named("cat", "dog")))
    assert source.reader.form == Shape(height=4, width=5, channels=1)
    np.testing.assert_array_equal(source.images[..., 0], images)
    assert source.labels == ["dog", "cat", "dog"]
    assert source.places[2] == "rows.parquet row 2"
    assert source.reader.format == "parquet"


def test_plain_bytes_and_words_as_labels_are_read_too(save, read, png, scans):
    images = scans(3)
    source = read(save({"picture": list(map(png, images)), "class": ["a", "b", None]}))
    np.testing.assert_array_equal(source.images[..., 0], images)
    assert source.labels == ["a", "b", None]


def test_images_come_in_pieces_that_join_up(save, read, png, scans, monkeypatch):
    images = scans(20)
    file = save(hub(map(png, images), [i % 3 for i in range(20)]), row_group_size=7)
    whole = read(file)
    assert whole.labels == [str(i % 3) for i in range(20)]
    monkeypatch.setattr(parquet_images, "MOST_ROWS", 6)
    monkeypatch.setattr(decoding, "CHUNK_BYTES", 24)  # four images of six bytes
    pieces = read(file)
    assert len(pieces.chunks) > len(whole.chunks)
    np.testing.assert_array_equal(pieces.images, whole.images)
    assert (pieces.labels, pieces.places) == (whole.labels, whole.places)


def test_test_shards_and_columns_beside_the_images_are_told(save, read, png, scans):
    save(hub([png(scans(1)[0])], [0], name=["a"]), "train-0.parquet")
    folder = save(hub([png(scans(1)[0])], [1], name=["b"]), "test-0.parquet").parent
    source = read(folder)
    assert source.tested == [False, True]
    assert source.codes == [("warning", "column")]
    assert "column name stands beside images" in source.findings[0].message


def test_images_that_cannot_be_read_are_left_out_and_each_is_named(save, read, png, scans):
    whole = png(scans(1, 9, 9)[0])
    source = read(save(hub([whole, whole[:40], None, b"", b"text"], [0, 1, 0, 1, 0])))
    assert source.labels == ["0"]
    assert source.codes == [("error", "unreadable")] * 4
    for row, finding in enumerate(source.findings, 1):
        assert f"rows.parquet row {row} cannot be read as an image" in finding.message


def test_a_file_without_any_image_that_can_be_read_is_refused(save, refused):
    said = refused(save(hub([None] * 30, [0] * 30)))
    assert "rows.parquet has no image that can be read" in said
    assert "rows.parquet row 0 cannot be read as an image: there are no bytes (only a path to it?)" in said
    assert "... and 10 more" in said


def test_a_label_that_no_class_has_is_an_error_and_minus_one_is_none(save, read, png, scans):
    file = save(hub(map(png, scans(4)), [0, -1, 2, None]), metadata=named("cat", "dog"))
    source = read(file)
    assert source.labels == ["cat", None, None, None]
    assert source.codes == [("error", "label_out_of_range")]
    assert "rows.parquet row 2: label 2 is not one of 0 to 1" in source.findings[0].message


@pytest.mark.parametrize(
    "metadata",
    ["{", "[]", '{"info": 3}', '{"info": {"features": {"label": {"names": ["a", "a"]}}}}', "[" * 9999],
)
def test_names_of_classes_that_make_no_sense_are_passed_over(save, read, png, scans, metadata):
    file = save(hub(map(png, scans(2)), [0, 1]), metadata={"huggingface": metadata})
    assert read(file).labels == ["0", "1"]


def test_labels_with_too_many_names_are_refused(save, refused, png, scans, monkeypatch):
    monkeypatch.setattr(tables, "MOST_CLASSES", 3)
    said = refused(save(hub(map(png, scans(5)), range(5))))
    assert "rows.parquet row 4: column label has more than 3 different labels" in said


def test_sizes_that_differ_are_one_error_and_resizing_mends_it(save, read, png, scans):
    file = save(hub([*map(png, scans(2, 4, 4)), png(scans(1, 6, 5)[0])], [0, 1, 0]))
    assert read(file).codes == [("error", "mixed_shapes")]
    resized = read(file, resize=(3, 3))
    assert resized.images.shape == (3, 3, 3, 1)
    assert resized.findings == []


def test_two_columns_of_images_are_refused(save, refused, png, scans):
    image = png(scans(1)[0])
    said = refused(save({"left": [image], "right": [image], "label": [0]}))
    assert "several columns of images: left, right; keep one of them" in said
