from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from distillery.data.arrays import mapped
from distillery.data.canonical import read_canonical
from distillery.data.chunks import Chunk, ColumnNames, Encoded, Finding
from distillery.data.form import Column, Table
from distillery.data.importing import Import, Part, write_data
from distillery.data.sources import MemoryReader
from distillery.errors import DataError

ORIGIN = {"source": "imported", "path": None}


def images(values, names, tested=None):
    """One-pixel images with these values, of these classes."""
    distinct = tuple(dict.fromkeys(names))
    codes = np.array([distinct.index(name) for name in names], np.int32)
    features = np.array(values, np.uint8).reshape(-1, 1, 1, 1)
    return MemoryReader("npz", features, Encoded(codes, distinct), tested)


@dataclasses.dataclass
class Cells:
    """A reader of a table, from chunks of (size, colour, label)."""

    pieces: list
    form: ColumnNames = dataclasses.field(default=ColumnNames(("size", "colour"), (True, False)))
    files: tuple = ()
    format: str = "csv"

    def chunks(self):
        for number, rows in enumerate(self.pieces):
            sizes = np.array([np.nan if r[0] is None else r[0] for r in rows], np.float32)
            columns = (sizes, encoded([r[1] for r in rows]))
            labels = encoded([r[2] for r in rows])
            yield Chunk(columns, labels, False, lambda at, n=number: f"piece {n} line {at}")


def encoded(names):
    distinct = tuple(dict.fromkeys(name for name in names if name is not None))
    return Encoded(np.array([-1 if n is None else distinct.index(n) for n in names], np.int32), distinct)


def written(folder, *parts, before=None, previous=None):
    folder.mkdir()
    wanted = Import(tuple(Part(p) for p in parts), "toy", ORIGIN, before, previous)
    findings = write_data(wanted, folder)
    assert findings.lines("error") == ()
    return read_canonical(folder)


def names_of(data):
    return [data.schema.classes[code] for code in data.labels.tolist()]


def test_classes_are_sorted_whole_numbers_by_value_and_words_by_letter(tmp_path):
    numbers = written(tmp_path / "numbers", images([1, 2, 3], ["10", "9", "2"]))
    assert numbers.schema.classes == ("2", "9", "10")
    assert names_of(numbers) == ["10", "9", "2"]
    words = written(tmp_path / "words", images([1, 2, 3], ["dog", "10", "cat"]))
    assert words.schema.classes == ("10", "cat", "dog")


def test_what_is_added_is_appended_and_changes_nothing_that_was_there(tmp_path):
    before = written(tmp_path / "one", images([1, 2, 3], ["b", "c", "b"]))
    after = written(tmp_path / "two", images([4, 5, 6], ["c", "z", "a"]), before=before)
    assert after.schema.classes == ("b", "c", "a", "z")
    assert names_of(after) == ["b", "c", "b", "c", "z", "a"]
    assert np.concatenate(list(after.features())).ravel().tolist() == [1, 2, 3, 4, 5, 6]
    first = before.schema.shards[0].file
    assert (after.folder / first).read_bytes() == (before.folder / first).read_bytes()
    assert [v.rows for v in after.schema.versions] == [3, 3]
    assert after.schema.versions[0] == before.schema.versions[0]
    assert after.schema.versions[1].class_counts == {"c": 1, "a": 1, "z": 1}


def test_own_test_rows_are_marked_in_what_is_added_too(tmp_path):
    before = written(tmp_path / "one", images([1, 2], ["a", "b"]))
    assert before.tested is None
    tested = np.array([False, True])
    after = written(tmp_path / "two", images([3, 4], ["a", "b"], tested), before=before)
    assert after.tested.tolist() == [False, False, False, True]
    last = written(tmp_path / "three", images([5], ["a"]), before=after)
    assert last.tested.tolist() == [False, False, False, True, False]


def test_a_table_keeps_its_category_codes_and_knows_what_is_missing(tmp_path):
    first = Cells([[(1.0, "red", "yes")], [(2.0, "blue", "no"), (2.5, "red", "no")]])
    before = written(tmp_path / "one", first)
    assert before.schema.form == Table(
        columns=(
            Column(name="size", categories=None, missing=False),
            Column(name="colour", categories=("red", "blue"), missing=False),
        )
    )
    after = written(tmp_path / "two", Cells([[(None, "green", "yes"), (1.0, None, "no")]]), before=before)
    colour = after.schema.form.columns[1]
    assert (colour.categories, colour.missing) == (("red", "blue", "green"), True)
    expected = [[1, 0], [2, 1], [2.5, 0], [np.nan, 2], [1, -1]]
    np.testing.assert_array_equal(np.concatenate(list(after.features())), expected)
    statistics = before.schema.versions[0].statistics["size"]
    assert (statistics.count, statistics.missing, statistics.low, statistics.high) == (3, 0, 1.0, 2.5)
    assert statistics.mean == pytest.approx(np.mean([1, 2, 2.5]))
    assert statistics.std == pytest.approx(np.std([1, 2, 2.5]))


def test_every_row_without_a_label_is_an_error_with_its_place(tmp_path):
    wanted = Import((Part(Cells([[(1.0, "red", None), (2.0, "red", "no")]] * 4)),), "toy", ORIGIN)
    findings = write_data(wanted, tmp_path)
    assert findings.lines("error") == tuple(
        f"piece {n} line 0: has no label; give it one or take it out" for n in range(4)
    )
    with pytest.raises(DataError, match="piece 3 line 0"):
        findings.raise_errors("toy")


def test_many_findings_of_one_kind_are_a_few_lines(tmp_path):
    broken = images([1, 2], ["a", "b"])
    chunk = dataclasses.replace(
        next(broken.chunks()), findings=tuple(Finding("error", "unreadable", f"{i}.png") for i in range(70))
    )
    broken.chunks = lambda: iter([chunk])
    lines = write_data(Import((Part(broken),), "toy", ORIGIN), tmp_path).lines("error")
    assert lines == (*(f"{i}.png" for i in range(5)), "... and 65 more of unreadable")


def test_rows_of_another_kind_are_refused(tmp_path):
    before = written(tmp_path / "one", images([1, 2], ["a", "b"]))
    (tmp_path / "two").mkdir()
    with pytest.raises(DataError, match="not of one kind") as caught:
        write_data(Import((Part(Cells([])),), "toy", ORIGIN, before), tmp_path / "two")
    assert caught.value.faults == ("images of 1 x 1 x 1", "columns size (numbers), colour (categories)")


def test_nothing_to_learn_from_is_an_error(tmp_path):
    empty = write_data(Import((Part(images([], [])),), "toy", ORIGIN), tmp_path)
    assert empty.lines("error") == ("there are no rows",)
    (tmp_path / "one").mkdir()
    lonely = write_data(Import((Part(images([1, 2], ["a", "a"])),), "toy", ORIGIN), tmp_path / "one")
    assert lonely.lines("error") == ("every row is of class a: there is nothing to tell apart",)


def test_oddities_are_warnings_that_the_schema_keeps(tmp_path):
    values, names = [7, 7, 8, 8, 9, 7], ["a", "b", "b", "b", "a", "a"]
    tested = np.array([False] * 5 + [True])
    data = written(tmp_path / "one", images(values, names, tested))
    told = " ".join(data.schema.versions[0].warnings)
    assert "3 of 6 rows (50.00%) have the values of an earlier one" in told
    assert "1 rows have the same values under different labels; row 0 is one: a, b" in told
    assert "1 rows are both among the test rows and among the others" in told


def test_a_shifted_version_is_told_with_its_numbers(tmp_path):
    random = np.random.default_rng(0)
    names = ["a", "b"] * 200
    before = written(tmp_path / "one", images(random.integers(0, 100, 400), names))
    same = written(tmp_path / "same", images(random.integers(0, 100, 400), names), before=before)
    moved = written(tmp_path / "moved", images(random.integers(80, 255, 400), names), before=before)
    assert before.schema.versions[0].shift is None
    assert same.schema.versions[1].shift["brightness"] < 0.1
    assert moved.schema.versions[1].shift["brightness"] > 1
    assert any("moved from the version before" in line for line in moved.schema.versions[1].warnings)
    assert not any("moved" in line for line in same.schema.versions[1].warnings)


def test_a_new_data_set_is_compared_with_the_one_it_replaces(tmp_path):
    before = written(tmp_path / "one", images([1, 2, 3, 4], ["a", "b", "a", "b"]))
    after = written(tmp_path / "two", images([1, 2, 3, 4], ["a", "b", "a", "b"]), previous=before)
    assert after.schema.versions[0].shift == {"brightness": 0.0, "contrast": 0.0, "classes": 0.0}
    assert len(after) == 4


def test_no_scratch_file_is_left(tmp_path):
    data = written(tmp_path / "one", images([1, 2], ["a", "b"]))
    assert sorted(p.name for p in data.folder.iterdir()) == ["features-000.npy", "labels.npy", "schema.json"]
    assert mapped(data.folder / "labels.npy").dtype == np.int64
