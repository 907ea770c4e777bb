from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from distillery.statistics.tango import Z_ONE_SIDED, tango_interval, tango_score, variance_under
from distillery.statistics.wilson import Z95

tables = (
    st.integers(2, 5000)
    .flatmap(
        lambda n: st.integers(0, n).flatmap(
            lambda discordant: st.tuples(st.integers(0, discordant), st.just(discordant), st.just(n))
        )
    )
    .map(lambda drawn: (drawn[0], drawn[1] - drawn[0], drawn[2]))
)  # gained, lost, rows


def likeliest_loss(gained, lost, rows, difference):
    """The share that only the champion has right, by maximising the trinomial likelihood numerically."""

    def unlikelihood(q):
        cells = [(gained, q + difference), (lost, q), (rows - gained - lost, 1 - 2 * q - difference)]
        return -sum(count * math.log(max(share, 1e-300)) for count, share in cells if count)

    low, high = max(0.0, -difference), (1 - difference) / 2
    return minimize_scalar(unlikelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x


def score_from_its_definition(gained, lost, rows, difference):
    q = likeliest_loss(gained, lost, rows, difference)
    variance = 2 * q + difference - difference**2
    return (gained - lost - rows * difference) / math.sqrt(rows * variance)


@given(tables, st.floats(-0.9, 0.9))
def test_the_score_is_that_of_the_likeliest_shares(table, difference):
    assume(abs((table[0] - table[1]) / table[2] - difference) > 1e-3)
    expected = score_from_its_definition(*table, difference)
    assert float(tango_score(*table, difference)) == pytest.approx(expected, rel=1e-4)


@given(tables.filter(lambda t: t[1] < t[2]))
def test_the_lower_bound_is_the_root_of_the_score_test(table):
    gained, lost, rows = table
    root = brentq(
        lambda d: float(tango_score(*table, d)) - Z_ONE_SIDED, -1 + 1e-12, (gained - lost) / rows, xtol=1e-14
    )
    assert float(tango_interval(*table)[0]) == pytest.approx(root, abs=1e-10)


def test_a_published_interval_comes_out():
    """1 and 7 discordant of 21 (the airway data of Fagerland, Lydersen, Laake 2014): -0.517 to -0.026."""
    low, high = tango_interval(1, 7, 21, z=Z95)
    assert (float(low), float(high)) == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize("rows", [1, 36, 360, 10_000, 10_000_000])
def test_without_discordant_rows_the_bounds_have_a_closed_form(rows):
    edge = Z_ONE_SIDED**2 / (rows + Z_ONE_SIDED**2)
    low, high = tango_interval(0, 0, rows)
    assert (float(low), float(high)) == pytest.approx((-edge, edge), rel=1e-12)


@given(tables)
def test_the_interval_holds_what_was_seen_and_lies_between_minus_1_and_1(table):
    low, high = tango_interval(*table)
    assert -1 <= low <= (table[0] - table[1]) / table[2] <= high <= 1
    assert low < high


@given(tables)
def test_the_files_in_each_others_place_mirror_the_interval(table):
    gained, lost, rows = table
    low, high = tango_interval(gained, lost, rows)
    assert tango_interval(lost, gained, rows) == (-high, -low)
    assert variance_under(gained / rows, lost / rows, 0.25) == variance_under(
        lost / rows, gained / rows, -0.25
    )


@given(tables.filter(lambda t: t[1] > 0))
def test_one_harmful_flip_less_moves_the_lower_bound_up(table):
    gained, lost, rows = table
    assert tango_interval(gained, lost - 1, rows)[0] > tango_interval(gained, lost, rows)[0]


@given(tables, st.integers(2, 9))
def test_more_rows_of_the_same_shares_narrow_it(table, times):
    low, high = tango_interval(*table)
    narrow_low, narrow_high = tango_interval(*(count * times for count in table))
    assert narrow_high - narrow_low < high - low


@given(tables, st.floats(-0.99, 0.99))
def test_the_bound_and_the_test_decide_alike(table, difference):
    low = float(tango_interval(*table)[0])
    assume(abs(low - difference) > 1e-9)
    assert (float(tango_score(*table, difference)) >= Z_ONE_SIDED) == (low >= difference)


def test_a_wrong_row_everywhere_reaches_the_very_end():
    low, high = tango_interval(0, 12, 12)
    assert float(low) == pytest.approx(-1)
    assert -1 < float(high) < 0


def test_no_rows_say_nothing():
    assert tango_interval(0, 0, 0) == (-1, 1)


def test_many_tables_are_solved_at_once_as_one_by_one():
    gained, lost, rows = np.array([0, 3, 40]), np.array([0, 9, 20]), np.array([0, 36, 10_000])
    low, high = tango_interval(gained, lost, rows)
    one_by_one = [tango_interval(*table) for table in zip(gained, lost, rows, strict=True)]
    assert list(zip(low, high, strict=True)) == one_by_one


@pytest.mark.parametrize("table", [(-1, 0, 5), (0, -1, 5), (3, 3, 5)])
def test_counts_that_cannot_be_are_refused(table):
    with pytest.raises(ValueError, match="discordant"):
        tango_interval(*table)


def test_z_is_the_one_sided_normal_quantile():
    assert math.erf(Z_ONE_SIDED / math.sqrt(2)) == pytest.approx(0.9, abs=1e-15)
