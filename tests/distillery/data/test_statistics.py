from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.statistics import Gathered

NUMBERS = st.lists(st.one_of(st.floats(-1e6, 1e6, width=32), st.just(float("nan"))), max_size=40)


@given(st.lists(NUMBERS, max_size=5))
def test_chunk_by_chunk_is_what_numpy_says_of_all_at_once(chunks):
    gathered = Gathered()
    for chunk in chunks:
        gathered.add(np.array(chunk, np.float32))
    values = np.array([v for chunk in chunks for v in chunk], np.float64)
    there = values[~np.isnan(values)]
    found = gathered.result()
    assert (found.count, found.missing) == (len(there), len(values) - len(there))
    if len(there):
        assert found.mean == pytest.approx(there.mean(), rel=1e-6, abs=1e-6)
        assert found.std == pytest.approx(there.std(), rel=1e-6, abs=1e-4)
        assert (found.low, found.high) == (there.min(), there.max())
    else:
        assert (found.mean, found.low) == (None, None)


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_bytes_are_counted_as_numbers(chunks):
    counted, added = Gathered(), Gathered()
    for chunk in chunks:
        counted.add_bytes(np.frombuffer(chunk, np.uint8))
        added.add(np.frombuffer(chunk, np.uint8))
    one, two = counted.result().model_dump(), added.result().model_dump()
    assert {k: pytest.approx(v, abs=1e-6) for k, v in one.items() if v is not None} == {
        k: v for k, v in two.items() if v is not None
    }


@pytest.mark.parametrize(
    ("values", "constant"), [([3, 3], True), ([3, 4], False), ([np.nan] * 2, True), ([3, np.nan], False)]
)
def test_a_column_is_constant_when_it_tells_nothing(values, constant):
    gathered = Gathered()
    gathered.add(np.array(values))
    assert gathered.result().constant is constant
