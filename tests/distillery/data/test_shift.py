from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.shift import stability_index

COUNTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=12)


def test_the_index_is_the_formula_worked_by_hand():
    """Shares 0.5, 0.5 against 0.2, 0.8: 0.3 ln(0.5 / 0.2) + 0.3 ln(0.8 / 0.5) = 0.4159."""
    big = 1e9
    index = stability_index(np.array([0.5, 0.5]) * big, np.array([0.2, 0.8]) * big)
    assert index == pytest.approx(0.3 * np.log(2.5) + 0.3 * np.log(1.6), abs=1e-6)


@given(COUNTS, st.randoms())
def test_the_index_is_zero_for_equal_shares_never_negative_and_symmetric(counts, random):
    here = np.array(counts, np.float64)
    there = here.copy()
    random.shuffle(there)
    assert stability_index(here, here) == 0
    assert stability_index(here, there) >= -1e-12
    assert stability_index(here, there) == pytest.approx(stability_index(there, here))
