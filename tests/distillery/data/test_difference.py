from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.canonical import read_canonical
from distillery.data.chunks import Encoded
from distillery.data.difference import compare
from distillery.data.importing import materialise
from distillery.data.sources import MemoryReader

ROWS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=10)
ALWAYS = [(9, "a"), (8, "b")]  # one class alone is no data set


def written(folder, pairs):
    names = tuple(dict.fromkeys(name for _, name in pairs))
    features = np.array([value for value, _ in pairs], np.uint8).reshape(-1, 1, 1, 1)
    codes = np.array([names.index(name) for _, name in pairs], np.int32)
    materialise(
        MemoryReader("npz", features, Encoded(codes, names)), {"source": "imported", "path": None}, folder
    )
    return read_canonical(folder)


@pytest.fixture(scope="module")
def differ(tmp_path_factory):
    def differ(before, after):
        one, two = (written(tmp_path_factory.mktemp("data"), pairs) for pairs in (before, after))
        return compare(one, two, one.folder)

    return differ


def test_rows_are_added_removed_and_relabelled(differ):
    found = differ(
        [(1, "a"), (2, "a"), (3, "b"), (3, "b")], [(1, "a"), (2, "b"), (3, "b"), (4, "z"), (5, "a")]
    )
    assert (found.added, found.removed, found.relabelled, found.unchanged) == (2, 1, 1, 2)
    assert found.rows == (4, 5)
    assert found.classes == {"a": (2, 2), "b": (2, 2), "z": (0, 1)}


@given(ROWS, ROWS)
def test_the_counts_are_those_of_multisets(differ, before, after):
    before, after = before + ALWAYS, after + ALWAYS
    found = differ(before, after)
    same = sum((Counter(before) & Counter(after)).values())
    in_both = sum((Counter(v for v, _ in before) & Counter(v for v, _ in after)).values())
    assert found.unchanged == same
    assert found.relabelled == in_both - same
    assert found.added == len(after) - in_both
    assert found.removed == len(before) - in_both
    assert {name: counts for name, counts in found.classes.items() if any(counts)} == {
        name: (Counter(n for _, n in before)[name], Counter(n for _, n in after)[name])
        for name in {n for _, n in before + after}
    }
