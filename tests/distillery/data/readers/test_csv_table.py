from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.chunks import ColumnNames
from distillery.data.form import Column, Table
from distillery.data.readers import csv_table, csv_text, tables
from distillery.data.readers.recognise import open_source
from distillery.errors import DataError

GOOD = "size,colour,label\n1,red,yes\n2.5,,no\n,blue,yes\n"


@pytest.fixture
def write(tmp_path):
    """Write text or bytes as a file; gives its path."""

    def written(content, name="rows.csv"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / name

    return written


SAME = {
    "as it is": GOOD,
    "with Windows' line ends": GOOD.replace("\n", "\r\n"),
    "with old line ends": GOOD.replace("\n", "\r"),
    "with a byte order mark": "\ufeff" + GOOD,
    "with white space": GOOD.replace(",", " , "),
    "with quotes": GOOD.replace("red", '"red"').replace("2.5", '"2.5"'),
    "with words for nothing": GOOD.replace("\n,", "\nNA,").replace(",,", ",null,"),
    "with blank lines": GOOD.replace("\n2", "\n\n2") + "\n\n",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_numbers_and_categories_are_told_apart_however_the_file_is_written(write, read, text):
    source = read(write(text))
    assert source.reader.form == ColumnNames(("size", "colour"), (True, False))
    np.testing.assert_array_equal(source.column("size"), [1, 2.5, np.nan])
    assert source.column("colour") == ["red", None, "blue"]
    assert source.labels == ["yes", "no", "yes"]
    assert source.findings == []
    assert source.reader.format == "csv"


def test_a_row_stands_in_a_line_as_long_as_every_row_does(write, read):
    assert read(write(GOOD)).places == ["rows.csv line 2", "rows.csv line 3", "rows.csv line 4"]
    spread = read(write('a,label\n"1\n",x\n2,y\n'))
    assert spread.places == ["rows.csv row 0", "rows.csv row 1"]
    assert spread.column("a") == [1, 2]


def test_a_cell_may_hold_commas_quotes_and_line_ends(write, read):
    source = read(write('a,label\n"x, ""y""\nz",1\n\'q\',2\n'))
    assert source.column("a") == ['x, "y"\nz', "'q'"]


@pytest.mark.parametrize("name", ["label", "Target", "CLASS", "y"])
def test_a_label_is_found_by_its_name(write, read, name):
    assert read(write(f"a,{name}\n1,x\n")).labels == ["x"]


def test_a_named_label_wins_and_the_others_are_features(write, read):
    source = read(write("label,kind,y\n1,x,3\n2,z,4\n"), label="kind")
    assert source.labels == ["x", "z"]
    assert source.reader.form.names == ("label", "y")


@pytest.mark.parametrize(
    ("header", "label", "words"),
    [
        ("a,b,c", None, "no column of labels"),
        ("label,y,c", None, "more than one column of labels (label, y)"),
        ("a,b,c", "z", "no column z: --label takes one of a, b, c"),
    ],
)
def test_a_label_that_cannot_be_found_lists_the_columns(write, refused, header, label, words):
    said = refused(write(f"{header}\n1,2,3\n"), label=label)
    assert words in said
    assert "rows.csv" in said
    assert "a, b, c" in said or "label, y, c" in said


def test_a_row_without_a_label_has_none(write, read):
    assert read(write("a,label\n1,\n2,NA\n3,x\n")).labels == [None, None, "x"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,label\n1,x\n2", "line 3: 1 cells where the header has 2: the last line is torn"),
        ("a,label\n1,x\n2\n3,y\n", "line 3: 1 cells where the header has 2"),
        ("a,label\n1,x\n2,y,z\n", "line 3: 3 cells where the header has 2"),
        ('a,label\n1,x\n2,"y\n', "line 3: a quote is opened here and never closed"),
        ('a,label\n\n1,"x"z\n2,y\n', "line 3: a quote is closed in the middle of a cell"),
        ('a,label\n1,x\n2,"y', "line 3: a quote is opened here and never closed"),
    ],
)
def test_a_line_that_is_no_row_is_named(write, refused, text, words):
    said = refused(write(text))
    assert "rows.csv is not a whole CSV file" in said
    assert words in said


def test_all_lines_that_are_no_rows_are_named_up_to_a_few(write, refused):
    said = refused(write("a,label\n" + "1\n" * 30)).splitlines()
    assert len(said) == csv_text.MOST_FAULTS + 2
    assert "and 10 more such lines" in said[-1]


def test_a_last_line_without_an_end_is_a_warning_because_a_cell_may_be_torn(write, read):
    source = read(write("a,label\n1,x\n2,ye"))
    assert source.codes == [("warning", "torn")]
    assert "rows.csv line 3: no line end follows" in source.findings[0].message
    assert source.labels == ["x", "ye"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,label\n1,café\n".encode() + "2,café\n".encode("latin-1"), "line 3 is not UTF-8 (byte 0xe9)"),
        (b"a,label\r1,x\r2,\xff\r", "line 3 is not UTF-8 (byte 0xff)"),
        ("a,label\n1,é".encode()[:-1], "line 2 is not UTF-8"),
        (GOOD.encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (b"a,label\n1,x\n2,\0\n", "line 3 holds a NUL byte"),
        (b"", "is empty: it has 0 bytes"),
        (b"\xef\xbb\xbf", "it has 0 column(s)"),
        (b"a,label", "has no rows below its header"),
        (b"a,label\n\n\n", "has no rows below its header"),
    ],
)
def test_what_is_no_text_is_refused_with_its_line(write, refused, content, words):
    said = refused(write(content))
    assert "rows.csv" in said
    assert words in said


def test_other_encodings_are_found_wherever_they_stand(write, refused, monkeypatch):
    monkeypatch.setattr(csv_text, "BLOCK", 16)
    text = "a,label\n" + "1,é\n" * 50
    assert "line 52 is not UTF-8" in refused(write(text.encode() + b"2,\xe9\n"))


def test_a_line_without_end_is_refused_before_it_fills_the_memory(write, refused, monkeypatch):
    monkeypatch.setattr(csv_text, "LONGEST", 100)
    assert "line 2 is longer than" in refused(write("a,label\n1," + "x" * 200 + "\n"))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("1,2,3", "it holds numbers: put a line of column names above it"),
        ("a,b,a,label", "more than one column is called 'a'"),
        (",a,label", "column 1 has no name (pandas writes its index so"),
        ("a;b;label", "separated by semicolons, save it with commas"),
        ("a\tlabel", "separated by tabs"),
        ("label", "a table needs a label and a feature"),
        ('"a,label', "the column names must stand in one line"),
    ],
)
def test_a_header_that_names_no_columns_is_refused(write, refused, header, words):
    said = refused(write(f"{header}\n" + ",".join("1" * (header.count(",") + 1)) + "\n"))
    assert "rows.csv line 1" in said
    assert words in said


def test_a_number_that_no_float_holds_is_an_error_with_its_line(write, read):
    source = read(write("a,label\n1,x\ninf,y\n1e300,x\n"))
    assert source.codes == [("error", "nan_or_inf")] * 2
    assert "rows.csv line 3: column a is infinite" in source.findings[0].message
    assert "rows.csv line 4" in source.findings[1].message


def test_one_word_among_numbers_makes_categories_of_them_and_is_told(write, read):
    source = read(write("a,b,label\n1,u,x\n2,v,y\n?,3,x\n"))
    assert source.reader.form.numeric == (False, False)
    (finding,) = source.findings
    assert (finding.severity, finding.code) == ("warning", "mixed_column")
    assert "column a is mostly numbers, but '?' is none" in finding.message
    assert "NA, NaN" in finding.message


def test_too_many_names_in_a_column_are_an_error_and_fill_no_memory(write, read, monkeypatch):
    monkeypatch.setattr(tables, "MOST_CATEGORIES", 3)
    source = read(write("id,label\n" + "".join(f"n{i},x\n" for i in range(9))))
    assert source.codes == [("error", "categories")]
    assert "column id has more than 3 different names ('n0', 'n1', 'n2'...)" in source.findings[0].message


def test_a_label_with_too_many_names_is_refused(write, refused, monkeypatch):
    monkeypatch.setattr(tables, "MOST_CLASSES", 3)
    said = refused(write("a,label\n" + "".join(f"1,{i}\n" for i in range(9))))
    assert "rows.csv line 10: column label has more than 3 different labels" in said


def test_shards_are_one_table_and_those_called_test_are_its_test_rows(write, read):
    write("size,colour,label\n3,red,yes\n", "b.csv")
    write("size,colour,label\n9,red,no\n", "test-0.csv")
    folder = write("label,colour,size\nno,green,4\n", "a.csv").parent
    source = read(folder)
    assert source.labels == ["no", "yes", "no"]
    assert source.tested == [False, False, True]
    assert source.column("size") == [4, 3, 9]
    assert source.places == ["a.csv line 2", "b.csv line 2", "test-0.csv line 2"]


def test_a_column_holds_numbers_only_if_it_does_in_every_shard(write, read):
    write("a,label\n1,x\n", "a.csv")
    folder = write("a,label\none,x\n", "b.csv").parent
    assert read(folder).column("a") == ["1", "one"]


def test_shards_with_other_columns_are_refused_with_all_that_differs(write, refused):
    write("a,b,label\n1,2,x\n", "a.csv")
    folder = write("a,c,label\n1,2,x\n", "b.csv").parent
    said = refused(folder)
    assert "b.csv lacks column b, unlike a.csv" in said
    assert "b.csv has a column c, unlike a.csv" in said


KNOWN = Table(
    columns=(
        Column(name="colour", categories=("red",), missing=False),
        Column(name="size", categories=None, missing=False),
    )
)


def test_what_is_added_takes_its_kinds_from_the_data_set(write, read):
    source = read(write("size,colour,label\n1,2,x\n"), known=KNOWN)
    assert source.reader.form == ColumnNames(("colour", "size"), (False, True))
    assert (source.column("colour"), source.column("size")) == (["2"], [1])


def test_a_word_that_is_added_to_numbers_is_an_error_with_its_line(write, read):
    source = read(write("size,colour,label\n1,red,x\ntwo,red,x\n"), known=KNOWN)
    assert source.codes == [("error", "not_a_number")]
    assert "rows.csv line 3: column size holds numbers, and 'two' is none" in source.findings[0].message


def test_what_is_added_needs_the_columns_of_the_data_set(write, refused):
    said = refused(write("size,shade,label\n1,red,x\n"), known=KNOWN)
    assert "column colour is missing" in said
    assert "column shade is not in the data set" in said


def test_rows_come_in_pieces_that_join_up(write, read, monkeypatch):
    text = "a,b,label\n" + "".join(f"{i},n{i % 3},{i % 2}\n" for i in range(400))
    whole = read(write(text))
    monkeypatch.setattr(csv_table, "BLOCK", 256)
    pieces = read(write(text))
    assert len(pieces.chunks) > 5
    assert (pieces.labels, pieces.places) == (whole.labels, whole.places)
    assert pieces.column("a") == whole.column("a") == list(range(400))
    assert pieces.column("b") == whole.column("b")


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6))
def test_any_cell_that_is_quoted_is_read_as_it_was_written(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("cells") / "rows.csv"
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows]
    file.write_text("a,label\nword,x\n" + "".join(",".join(row) + "\n" for row in quoted), encoding="utf-8")
    labels = []
    for chunk in open_source(file).chunks():
        labels += [None if c < 0 else chunk.labels.names[c] for c in chunk.labels.codes.tolist()]
    expected = [None if (text := label.strip()) in csv_table.MISSING else text for _, label in rows]
    assert labels == ["x", *expected]


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_data_error(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("bytes") / "rows.csv"
    file.write_bytes(b"a,label\n" + content)
    try:
        list(open_source(file).chunks())
    except DataError as error:
        assert "rows.csv" in str(error)
