from __future__ import annotations

import io
import json
import math
from csv import writer as csv_writer
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery import raw_tables
from distillery.data.readers.recognise import open_source
from distillery.data.readers.values import MISSING
from distillery.errors import DataError
from distillery.feeding import feeder
from distillery.inference import open_session, run_rows, softmax
from distillery.prediction import UnknownName
from distillery.raw_rows import SHOWN, Piped
from distillery.raw_tables import open_table

TAKES = {"input": ["size", "age"], "categories": ["colour"]}
GOOD = 'colour,other,age,size\nred,x,40,2.5\n"blue, ""dark""",,,1e3\n,y,7,-0\n'


@pytest.fixture
def csv(tmp_path):
    def write(text, name="rows.csv"):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / name

    return write


def read_table(file, takes):
    """All the rows of a source, as one feed."""
    batches = list(open_table(file, takes).batches)
    feed = {name: np.concatenate([batch.feed[name] for batch in batches]) for name in batches[0].feed}
    return sum(len(batch.names) for batch in batches), feed


def refused(file, takes=None):
    with pytest.raises(DataError) as caught:
        read_table(file, takes or TAKES)
    assert str(file) in caught.value.message
    return caught.value


def assert_good(rows, feed):
    assert rows == 3
    np.testing.assert_array_equal(feed["input"], np.array([[2.5, 40], [1000, math.nan], [0, 7]], np.float32))
    assert feed["input"].dtype == np.float32
    assert feed["categories"].tolist() == [["red"], ['blue, "dark"'], [""]]


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.rstrip("\n"),
        GOOD + "\n\n",
        GOOD.replace("40", " 40 "),
    ],
)
def test_columns_are_found_by_name_and_empty_cells_are_missing(csv, text):
    assert_good(*read_table(csv(text), TAKES))


@pytest.mark.parametrize("cell", ["", " ", "NA", "NaN", "nan", "null", "NULL"])
def test_cells_that_say_nothing_are_missing_in_every_column(csv, cell):
    _, feed = read_table(csv(f"size,age,colour\n{cell},1,{cell}\n"), TAKES)
    np.testing.assert_array_equal(feed["input"], np.array([[math.nan, 1]], np.float32))
    assert feed["categories"].tolist() == [[""]]


@pytest.mark.parametrize(
    ("cell", "number"), [("1.", 1), (".5", 0.5), ("+2E-1", 0.2), (" 3 ", 3), ("1e-400", 0)]
)
def test_numbers_are_read_as_the_import_reads_them(csv, cell, number):
    file = csv(f"size,age,colour\n{cell},1,x\n")
    np.testing.assert_allclose(read_table(file, TAKES)[1]["input"], [[number, 1]], rtol=1e-7)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1, None, -2], ["1", "", "-2"]),
        ([1.0, float("nan"), 2.5], ["1", "", "2.5"]),
        ([True, False, None], ["true", "false", ""]),
        ([Decimal("1.00"), Decimal("1.50"), None], ["1", "1.50", ""]),
        ([" a", "", "NA"], [" a", "", "NA"]),
    ],
)
def test_the_categories_of_a_parquet_file_are_written_as_the_import_writes_them(tmp_path, values, names):
    frame = {"size": [1, 2, 3], "age": [1, 2, 3], "colour": values}
    pq.write_table(pa.table(frame), tmp_path / "rows.parquet")
    _, feed = read_table(tmp_path / "rows.parquet", TAKES)
    assert feed["categories"].ravel().tolist() == names


def test_a_parquet_file_says_the_same(tmp_path):
    frame = {
        "colour": pa.array(["red", 'blue, "dark"', None]).dictionary_encode(),
        "other": pa.array([[1], [2, 3], None]),
        "age": pa.array([40, None, 7], pa.int16()),
        "size": pa.array([2.5, 1e3, 0.0], pa.float64()),
    }
    pq.write_table(pa.table(frame), tmp_path / "rows.parquet")
    assert_good(*read_table(tmp_path / "rows.parquet", TAKES))


def test_a_parquet_file_of_pandas_may_hold_numbers_of_any_kind(tmp_path):
    frame = pd.DataFrame({"size": [True, False], "age": pd.array([1, None], "Int8"), "colour": ["a", "b"]})
    frame.to_parquet(tmp_path / "rows.parquet")
    _, feed = read_table(tmp_path / "rows.parquet", TAKES)
    np.testing.assert_array_equal(feed["input"], np.array([[1, 1], [0, math.nan]], np.float32))


def test_all_columns_that_are_not_there_or_there_twice_are_named(csv):
    assert refused(csv("age,other,age\n1,2,3\n")).faults == (
        "column 'size' is not there",
        "column 'colour' is not there",
        "column 'age' is there 2 times",
    )
    assert len(refused(csv("")).faults) == 3


@pytest.mark.parametrize("cell", ["dog", "1,5", "1_000", "0x10", "1 2", "--1", "١", "e5", "none"])
def test_a_cell_that_is_no_number_names_its_row_and_column(csv, cell):
    (fault,) = refused(csv(f'size,age,colour\n1,2,red\n"{cell}",2,red\n')).faults
    assert fault == f"row 1, column 'size': {cell!r} is no number"


@pytest.mark.parametrize("cell", ["inf", "-inf", "1e39", "1e400"])
def test_a_number_that_no_model_takes_names_its_row_and_column(csv, cell):
    (fault,) = refused(csv(f"size,age,colour\n1,2,red\n1,{cell},red\n")).faults
    assert fault == f"row 1, column 'age': {cell!r} is infinite, or too large for 32 bits"


def test_every_such_cell_is_told_up_to_a_few(csv):
    lines = "".join(f"x,{i},red\n" for i in range(SHOWN + 5))
    faults = refused(csv(f"size,age,colour\n{lines}")).faults
    assert len(faults) == SHOWN + 1
    assert faults[-1] == "and 5 more"


def test_torn_rows_are_all_named(csv):
    error = refused(csv("size,age,colour\n1,2,red\n1,2\n1,2,red,blue\n1"))
    assert error.faults == (
        "row 1 has 2 cells, the header 3",
        "row 2 has 4 cells, the header 3",
        "row 3 has 1 cells, the header 3",
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"size,age,colour\n\xff\xfe,1,red\n", "not a readable CSV"),
        ("a.csv", b'size,age,colour\n1,2,"red\n', "not a readable CSV"),
        ("a.csv", b'size,age,colour\n1,2,"' + b"x" * 200_000 + b'"\n', "not a readable CSV"),
        ("a.parquet", b"", "cannot be read as Parquet"),
        ("a.parquet", b"PAR1garbagePAR1", "cannot be read as Parquet"),
        ("a.npz", b"", ".npz is not read here"),
        ("a.png", b"", "takes a table: .csv or .parquet"),
        ("noend", b"", "without suffix"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_remedy(csv, name, content, words):
    assert words in refused(csv(content, name)).message


def test_a_folder_and_a_file_that_is_not_there_are_refused(tmp_path):
    assert "is not a file" in refused(tmp_path).message
    assert "is not a file" in refused(tmp_path / "nowhere.csv").message


def test_a_parquet_column_that_holds_no_numbers_is_refused(tmp_path):
    frame = {"size": [[1.0], None], "age": [1, 2], "colour": ["a", "b"]}
    pq.write_table(pa.table(frame), tmp_path / "a.parquet")
    (fault,) = refused(tmp_path / "a.parquet").faults
    assert fault == "column 'size' is list<element: double>, not numbers or text"


def test_rows_are_counted_over_all_pieces_of_a_file(tmp_path, monkeypatch):
    frame = {"size": ["1", "2", "3", "x"], "age": [1, 2, 3, 4], "colour": ["a", "b", "a", None]}
    pq.write_table(pa.table(frame), tmp_path / "a.parquet")
    whole = {"input": ["age"], "categories": ["colour"]}
    expected = read_table(tmp_path / "a.parquet", whole)[1]
    monkeypatch.setattr(raw_tables, "MOST_ROWS", 3)
    rows, feed = read_table(tmp_path / "a.parquet", whole)
    assert rows == 4
    assert feed["categories"].tolist() == expected["categories"].tolist() == [["a"], ["b"], ["a"], [""]]
    assert feed["input"].tolist() == [[1], [2], [3], [4]]
    assert refused(tmp_path / "a.parquet").faults == ("row 3, column 'size': 'x' is no number",)


def as_csv(table, rows):
    """The raw table, its columns in another order and one too many."""
    feed = feeder(table.form)(table.features[rows])
    size, day = (["" if np.isnan(x) else repr(float(x)) for x in column] for column in feed["input"].T)
    colour, kind = feed["categories"].T
    return pd.DataFrame({"kind": kind, "day": day, "note": "?", "colour": colour, "größe": size})


@pytest.mark.parametrize("count", [1, 300])
def test_predictions_from_a_csv_are_those_of_the_prepared_rows(
    predict_file, table_file, table, tmp_path, count
):
    as_csv(table, slice(count)).to_csv(tmp_path / "rows.csv", index=False)
    probabilities = softmax(run_rows(open_session(table_file), table, np.arange(count)))
    predictions = predict_file(table_file, tmp_path / "rows.csv").rows
    assert [p.row for p in predictions] == [str(i) for i in range(count)]
    assert [p.label for p in predictions] == [table.classes[code] for code in probabilities.argmax(1)]
    assert [p.probability for p in predictions] == pytest.approx(probabilities.max(1).tolist(), rel=1e-5)


def test_a_category_that_the_model_does_not_know_is_as_good_as_missing(
    predict_file, table_file, table, tmp_path
):
    known = as_csv(table, slice(20))
    for name, colour in (("unknown", "octarine"), ("missing", "")):
        known.assign(colour=colour).to_csv(tmp_path / f"{name}.csv", index=False)
    unknown, missing = (predict_file(table_file, tmp_path / f"{name}.csv") for name in ("unknown", "missing"))
    assert unknown.rows == missing.rows
    assert unknown.unknown == [UnknownName("colour", "octarine", 20)]
    assert missing.unknown == []


def test_unknown_categories_are_counted_by_column_the_commonest_first(
    predict_file, table_file, table, tmp_path
):
    frame = as_csv(table, slice(6))
    frame.assign(
        colour=["red", "mauve", "", "mauve", "teal", "NA"], kind=["a", "teal", "teal", "teal", "b", "c"]
    ).to_parquet(tmp_path / "rows.parquet")
    assert predict_file(table_file, tmp_path / "rows.parquet").unknown == [
        UnknownName("kind", "teal", 3),
        UnknownName("colour", "mauve", 2),
        UnknownName("colour", "NA", 1),
        UnknownName("colour", "teal", 1),
    ]


def test_a_table_without_rows_is_refused(predict_file, table_file, table, tmp_path):
    as_csv(table, slice(0)).to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(DataError, match="has no rows"):
        predict_file(table_file, tmp_path / "rows.csv")


NUMBERS = st.sampled_from(["", "NA", " 1 ", "1.", ".5e-3", "+2", "-0", "nan", "1e-400", "7" * 30])
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=4) | st.sampled_from(MISSING)


def assert_read_alike(file):
    """The rows as an import codes them, fed as the pipeline feeds them, are what a prediction reads."""
    (chunk,) = open_source(file).chunks()
    size, colour = chunk.features
    names = np.array([*colour.names, ""], object)[colour.codes]
    rows, feed = read_table(file, {"input": ["size"], "categories": ["colour"]})
    assert rows == len(size)
    np.testing.assert_array_equal(feed["input"][:, 0], size)
    assert feed["categories"][:, 0].tolist() == names.tolist()


@given(st.lists(st.tuples(NUMBERS, WORDS), min_size=1, max_size=8))
def test_a_csv_means_the_same_to_an_import_and_to_a_prediction(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("alike") / "rows.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv_writer(stream)
        writer.writerows([("size", "colour", "label"), ("1", "word", "x"), *((*row, "x") for row in rows)])
    assert_read_alike(file)


@given(
    st.lists(st.tuples(st.floats(width=32, allow_infinity=False) | st.none(), WORDS | st.none()), min_size=1)
)
def test_a_parquet_file_means_the_same_to_an_import_and_to_a_prediction(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("alike") / "rows.parquet"
    size, colour = (list(column) for column in zip(*rows, strict=True))
    columns = {
        "size": pa.array(size, pa.float64()),
        "colour": pa.array(colour, pa.string()),
        "y": ["x"] * len(rows),
    }
    pq.write_table(pa.table(columns), file)
    assert_read_alike(file)


@given(st.data())
def test_no_corruption_raises_anything_but_a_data_error(
    predict_file, table_file, table, tmp_path_factory, data
):
    folder = tmp_path_factory.mktemp("fuzz")
    name = data.draw(st.sampled_from(["rows.csv", "rows.parquet"]))
    frame = as_csv(table, slice(4))
    (frame.to_csv if name == "rows.csv" else frame.to_parquet)(folder / name, index=False)
    broken = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del broken[data.draw(st.integers(0, len(broken) - 1)) :]
    (folder / name).write_bytes(broken)
    try:
        predictions = predict_file(table_file, folder / name).rows
    except DataError as error:
        assert str(folder / name) in error.message
    else:
        assert {p.label for p in predictions} <= set(table.classes)


def piped(text):
    return Piped(io.BytesIO(text if isinstance(text, bytes) else text.encode()))


def test_what_is_piped_is_read_as_csv_or_as_json_lines():
    assert_good(*read_table(piped("\n" + GOOD), TAKES))
    lines = [
        {"colour": "red", "other": [1], "age": 40, "size": 2.5},
        {"colour": 'blue, "dark"', "age": None, "size": "1e3"},
        {"colour": None, "age": 7.0, "size": False},
    ]
    assert_good(*read_table(piped("\n\n".join(map(json.dumps, lines))), TAKES))


def test_a_json_lines_file_is_read_by_its_ending(csv):
    file = csv('{"size": 1, "age": NaN, "colour": 3.0}\n', "rows.jsonl")
    rows, feed = read_table(file, TAKES)
    np.testing.assert_array_equal(feed["input"], np.array([[1, math.nan]], np.float32))
    assert (rows, feed["categories"].tolist()) == (1, [["3"]])


def test_every_json_line_that_is_no_row_is_named(csv):
    lines = ["[1]", "{", '{"size": 1, "age": 2}', '{"size": {}, "age": 2, "colour": "x"}', "[" * 100_000]
    faults = refused(csv("\n".join(lines), "rows.jsonl")).faults
    assert faults[0].startswith("row 1 is no JSON value")
    assert faults[1].startswith("row 4 is no JSON value")
    assert faults[2:] == (
        "row 0 is no object",
        "row 2: column 'colour' is not there (null says that it is missing)",
        "row 3, column 'size' holds several values, not one",
    )


def test_a_cell_of_json_lines_that_is_no_number_names_its_row(csv):
    file = csv(
        '{"size": 1, "age": 2, "colour": "x"}\n{"size": "dog", "age": 1e60, "colour": "x"}\n', "a.jsonl"
    )
    assert refused(file).faults == (
        "row 1, column 'size': 'dog' is no number",
        "row 1, column 'age': '1e+60' is infinite, or too large for 32 bits",
    )


def test_a_line_without_end_is_refused_before_it_fills_the_memory():
    with pytest.raises(DataError, match="longer than 8 MiB"):
        read_table(piped(b"size,age,colour\n" + b"1" * (9 << 20)), TAKES)


class Lines(io.RawIOBase):
    """A CSV of so many lines that counts how many bytes were asked for."""

    def __init__(self, lines):
        self.left, self.sent = lines, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self.left:
            return 0
        text = b"size,age,colour\n" if not self.sent else b"1,2,red\n"
        buffer[: len(text)] = text
        self.left -= 1
        self.sent += 1
        return len(text)


def test_rows_are_read_as_they_are_asked_for_and_never_all_together():
    stream = Lines(10 * 8192 + 1)
    batches = open_table(Piped(stream), TAKES).batches
    seen = 0
    for number, batch in enumerate(batches, 1):
        seen += len(batch.names)
        assert len(batch.names) <= 8192
        assert stream.sent < number * 8192 + 1100  # a decoder reads ahead by 8 KiB
    assert (seen, number) == (10 * 8192, 10)


def test_rows_after_a_faulty_one_are_only_looked_at_for_faults():
    text = "size,age,colour\n" + "1,2,red\n" * 8192 + "x,2,red\n" * 3 + "1,2,red\n" * 8192 + "y,2,red\n"
    batches, seen = open_table(piped(text), TAKES).batches, 0
    with pytest.raises(DataError) as caught:
        for batch in batches:
            seen += len(batch.names)
    assert seen == 8192
    assert [fault.split(",")[0] for fault in caught.value.faults] == [
        "row 8192",
        "row 8193",
        "row 8194",
        "row 16387",
    ]
