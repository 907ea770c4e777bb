"""A row counts as unseen only where it is proven that the model had it as a test row, or not at all."""

import dataclasses

import numpy as np
import pytest

from distillery.data.canonical import read_canonical
from distillery.data.chunks import Encoded
from distillery.data.importing import Import, Part, write_data
from distillery.data.preparation import prepare
from distillery.data.rows import Split, load_rows
from distillery.data.sources import MemoryReader
from distillery.data.unseen import MadeFrom, find_unseen

IMPORTED = {"source": "imported", "path": None}


def images(values, names, seed=0):
    codes = np.random.default_rng(seed).integers(0, len(names), len(values)).astype(np.int32)
    features = np.stack([values % 256, values // 256], axis=1).astype(np.uint8).reshape(-1, 1, 2, 1)
    return MemoryReader("npz", features, Encoded(codes, names))


def tables(columns, rows, colours, *, missing=False, seed=0):
    random = np.random.default_rng(seed)
    sizes = random.normal(size=rows).astype(np.float32)
    if missing:
        sizes[:5] = np.nan
    words = [colours[at % len(colours)] for at in range(rows)]
    labels = [("no", "yes")[at % 2] for at in random.permutation(rows)]
    return columns({"size": sizes, "colour": words}, labels)


@pytest.fixture
def data_of(tmp_path):
    """The data folder after each reader's rows were added; and a model that was made from it then."""

    def write(*readers):
        before, all_of_them = None, []
        for at, reader in enumerate(readers):
            folder = tmp_path / f"data-{len(list(tmp_path.iterdir()))}-{at}"
            folder.mkdir()
            write_data(Import((Part(reader),), "mine", IMPORTED, before), folder).raise_errors("rows")
            before = read_canonical(folder)
            all_of_them.append(before)
        return all_of_them

    return write


@pytest.fixture
def made(tmp_path, shipped):
    def make(data, **changes):
        params = shipped.data.model_copy(update={"source": "imported", "calibration": 8} | changes)
        folder = tmp_path / f"prepared-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        prepare(data, params, folder)
        rows = load_rows(folder)
        counts = {split.name.lower(): int((rows.splits == split).sum()) for split in Split}
        return MadeFrom("version 1", rows.data_digest, len(rows.classes), counts, params), rows

    return make


def values_of(rows, chosen):
    return {row.tobytes() for row in np.asarray(rows.features)[chosen]}


def test_a_models_own_test_rows_are_unseen_and_no_other(data_of, made, tmp_path):
    (data,) = data_of(images(np.arange(300), ("a", "b")))
    model, rows = made(data)
    found = find_unseen(data, model, tmp_path)
    assert found.because is None
    assert (np.flatnonzero(found.rows) == rows.where(Split.TEST)).all()


def test_after_rows_were_added_what_the_model_saw_stays_seen_also_where_it_came_again(
    data_of, made, tmp_path
):
    first = images(np.arange(300), ("a", "b"))
    second = images(np.arange(150, 450), ("a", "b", "0 new"), seed=1)  # half of them were there before
    old, new = data_of(first, second)
    model, before = made(old)
    _, after = made(new)
    found = find_unseen(new, model, tmp_path)
    assert found.because is None
    usable = found.rows & (after.splits == Split.TEST)
    seen = values_of(before, np.flatnonzero(before.splits != Split.TEST))
    assert not values_of(after, usable) & seen
    assert (np.flatnonzero(usable[:300]) == before.where(Split.TEST)).all()
    assert usable[300:].any()


def test_other_shares_or_another_seed_leave_what_the_models_own_say(data_of, made, tmp_path):
    (data,) = data_of(images(np.arange(300), ("a", "b")))
    model, own = made(data, split_seed=7)
    _, present = made(data)
    usable = find_unseen(data, model, tmp_path).rows & (present.splits == Split.TEST)
    assert 0 < usable.sum() < (present.splits == Split.TEST).sum()
    assert (own.splits[usable] == Split.TEST).all()


def test_a_table_whose_categories_and_missing_values_grew_is_known_again(data_of, made, tmp_path, columns):
    first = tables(columns, 200, ["red", "blue"])
    second = tables(columns, 100, ["green", "red", None], missing=True, seed=1)
    old, new = data_of(first, second)
    model, _ = made(old)
    found = find_unseen(new, model, tmp_path)
    assert found.because is None
    assert found.rows[:200].any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data_digest": "0" * 64}, "version 1 was made from other rows (data digest 000000000000), and the"),
        ({"counts": {"train": 1}}, "version 1 was made from these rows, but in other splits"),
        ({"classes": 1}, "version 1 was made from other rows"),
    ],
)
def test_what_cannot_be_proven_leaves_no_row_and_says_why(data_of, made, tmp_path, change, said):
    (data,) = data_of(images(np.arange(300), ("a", "b")))
    model, _ = made(data)
    found = find_unseen(data, dataclasses.replace(model, **change), tmp_path)
    assert not found.rows.any()
    assert found.because.startswith(said)


def test_shares_that_a_new_class_is_too_small_for_leave_no_row_and_say_so(data_of, made, tmp_path):
    old, new = data_of(images(np.arange(300), ("a", "b")), images(np.arange(300, 302), ("tiny", "small")))
    model, _ = made(old)
    found = find_unseen(new, model, tmp_path)
    assert not found.rows.any()
    assert "by version 1's own shares" in found.because
