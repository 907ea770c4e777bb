from __future__ import annotations

import csv
import io
import json
import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from distillery.errors import DataError, UserMistake
from distillery.predicted_rows import JsonArray, rows_file, rows_text
from distillery.prediction import Predicted
from distillery.row_format import RowFormat, format_of

CLASSES = ("no, never", "yes")
SHARES = np.array([[0.25, 0.75], [0.875, 0.125], [0.5, 0.5]])
BATCHES = [
    Predicted(["0", "1"], np.array([1, 0]), SHARES[:2]),
    Predicted(["a,b.png"], np.array([0]), SHARES[2:]),
]
LABELS, BEST = ["yes", "no, never", "no, never"], [0.75, 0.875, 0.5]


def as_text(kind, every=False):
    text = io.StringIO()
    sink = rows_text(text, kind, CLASSES, every)
    for batch in BATCHES:
        sink.write(batch)
    sink.close()
    return text.getvalue()


def test_a_csv_quotes_what_needs_it_and_has_a_header():
    rows = list(csv.reader(io.StringIO(as_text(RowFormat.CSV))))
    assert rows[0] == ["row", "label", "probability"]
    assert rows[1:] == [
        ["0", "yes", "0.750000"],
        ["1", LABELS[1], "0.875000"],
        ["a,b.png", LABELS[2], "0.500000"],
    ]


def test_all_classes_probabilities_are_columns_by_name():
    rows = list(csv.reader(io.StringIO(as_text(RowFormat.CSV, every=True))))
    assert rows[0][3:] == ["probability of no, never", "probability of yes"]
    assert [[float(cell) for cell in row[3:]] for row in rows[1:]] == SHARES.tolist()


@pytest.mark.parametrize("every", [False, True])
def test_json_lines_and_the_array_say_the_same(every):
    lines = [json.loads(line) for line in as_text(RowFormat.JSON_LINES, every).splitlines()]
    text = io.StringIO()
    array = JsonArray(text, CLASSES, every)
    for batch in BATCHES:
        array.write(batch)
    array.close()
    assert json.loads(text.getvalue()) == lines
    assert [(line["row"], line["label"], line["probability"]) for line in lines] == list(
        zip(["0", "1", "a,b.png"], LABELS, BEST, strict=True)
    )
    assert [line.get("probabilities") for line in lines] == [
        dict(zip(CLASSES, shares, strict=True)) if every else None for shares in SHARES.tolist()
    ]


def test_parquet_is_no_text():
    with pytest.raises(UserMistake, match="--to"):
        as_text(RowFormat.PARQUET)


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_a_file_is_written_by_its_ending_and_takes_the_place_of_another(tmp_path, name):
    to = tmp_path / name
    to.write_text("before")
    with rows_file(to, tmp_path / "in.csv", None, CLASSES, every=True) as sink:
        for batch in BATCHES:
            sink.write(batch)
        assert to.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name == "out.parquet":
        table = pq.read_table(to)
        assert table.column_names == [
            "row",
            "label",
            "probability",
            "probability of no, never",
            "probability of yes",
        ]
        assert table["label"].to_pylist() == LABELS
        assert table["probability of yes"].to_pylist() == SHARES[:, 1].tolist()
    else:
        assert to.read_text() == as_text(format_of(to), every=True)


def test_parquet_gets_a_group_of_rows_a_batch(tmp_path):
    with rows_file(tmp_path / "a", tmp_path / "in.csv", RowFormat.PARQUET, CLASSES, every=False) as sink:
        for batch in BATCHES:
            sink.write(batch)
    assert pq.ParquetFile(tmp_path / "a").num_row_groups == 2


def write_until_broken(to, source):
    with rows_file(to, source, None, CLASSES, every=False) as sink:
        sink.write(BATCHES[0])
        raise DataError("row 7 is damaged")


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_nothing_half_written_is_left(tmp_path, name):
    (tmp_path / name).write_text("before")
    with pytest.raises(DataError):
        write_until_broken(tmp_path / name, tmp_path / "in.csv")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_a_file_does_not_take_the_place_of_its_source_or_of_a_folder(tmp_path):
    (tmp_path / "in.csv").write_text("1")
    with pytest.raises(UserMistake, match="is what is read"):
        write_until_broken(tmp_path / "x" / ".." / "in.csv", tmp_path / "in.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserMistake, match="is a folder"):
        write_until_broken(tmp_path / "folder.csv", tmp_path / "in.csv")


@pytest.mark.parametrize("name", ["out", "out.xlsx", "out.csv.gz"])
def test_an_ending_that_says_no_format_is_refused(tmp_path, name):
    with pytest.raises(UserMistake, match="--format"):
        format_of(tmp_path / name)


def test_neither_a_pipe_nor_a_device_is_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with (
        pytest.raises(UserMistake, match=r"pipe\.csv is no file"),
        rows_file(tmp_path / "pipe.csv", tmp_path / "source.npy", None, CLASSES, False),
    ):
        pass
    assert (tmp_path / "pipe.csv").is_fifo()


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "there/rows.csv")
    with rows_file(tmp_path / "link.csv", tmp_path / "source.npy", None, CLASSES, False) as sink:
        sink.write(BATCHES[0])
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "there/rows.csv").read_text().startswith("row,label")
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["rows.csv"]
