from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.statistics.power import rows_to_pass, sample_to_tell
from distillery.statistics.tango import Z_ONE_SIDED, tango_interval


def passes(disagreement, rows, margin, simulated=4000):
    """How often an equal challenger passes."""
    gained, lost, _ = (
        np.random.default_rng(0)
        .multinomial(rows, [disagreement / 2, disagreement / 2, 1 - disagreement], size=simulated)
        .T
    )
    return float((tango_interval(gained, lost, rows)[0] >= -margin).mean())


@pytest.mark.parametrize(("disagreement", "margin"), [(0.02, 0.01), (0.05, 0.01), (0.05, 0.03), (0.1, 0.02)])
def test_so_many_rows_let_an_equal_challenger_pass_nine_times_in_ten(disagreement, margin):
    assert passes(disagreement, rows_to_pass(disagreement, margin), margin) == pytest.approx(0.9, abs=0.025)


@pytest.mark.parametrize("margin", [0.001, 0.01, 0.05])
def test_without_disagreement_the_number_is_where_the_closed_bound_reaches_the_margin(margin):
    rows = rows_to_pass(0.0, margin)
    assert rows == math.ceil(Z_ONE_SIDED**2 * (1 - margin) / margin)
    assert tango_interval(0, 0, rows)[0] >= -margin > tango_interval(0, 0, rows - 1)[0]


@given(st.floats(0.01, 0.3), st.floats(0.001, 0.05))
def test_more_disagreement_finer_margins_and_a_loss_need_more_rows(disagreement, margin):
    rows = rows_to_pass(disagreement, margin)
    assert rows_to_pass(disagreement * 1.5, margin) > rows
    assert rows_to_pass(disagreement, margin / 2) > rows
    assert rows_to_pass(disagreement, margin, -margin / 2) > rows


def test_no_number_of_rows_shows_a_loss_of_the_margin_to_be_less():
    with pytest.raises(ValueError, match="any number of rows"):
        rows_to_pass(0.05, 0.01, -0.01)


def test_half_the_distance_needs_four_times_the_rows():
    assert sample_to_tell(0.01, 400, 0.01) == math.ceil(400 * (1.6448536 + 1.2815516) ** 2)
    assert sample_to_tell(0.01, 400, 0.005) == pytest.approx(4 * sample_to_tell(0.01, 400, 0.01), abs=4)
