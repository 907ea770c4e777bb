from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.statistics.wilson import Z95, wilson_interval

counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def roots(successes, trials, z):
    """The shares p with (successes/trials - p)^2 = z^2 p (1 - p) / trials: a quadratic in p."""
    share, spread = Fraction(successes, trials), Fraction(z) ** 2 / trials
    a, b, c = 1 + spread, -(2 * share + spread), share**2
    root = math.sqrt(b * b - 4 * a * c)
    return (float(-b) - root) / (2 * float(a)), (float(-b) + root) / (2 * float(a))


@given(counts, st.floats(0.5, 4))
def test_the_interval_is_where_the_score_test_is_just_not_rejected(count, z):
    assert wilson_interval(*count, z) == pytest.approx(roots(*count, z), abs=1e-9)


def test_a_published_interval_comes_out():
    """81 of 263 (Newcombe 1998, table I): 0.2553 to 0.3662."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@given(counts)
def test_the_interval_holds_the_share_and_lies_in_0_to_1(count):
    low, high = wilson_interval(*count)
    assert 0 <= low <= count[0] / count[1] <= high <= 1
    assert low < high


@given(counts.filter(lambda c: c[0] < c[1]))
def test_one_more_success_moves_both_ends_up(count):
    low, high = wilson_interval(*count)
    next_low, next_high = wilson_interval(count[0] + 1, count[1])
    assert next_low > low
    assert next_high > high or next_high == high == 1.0


@given(counts, st.integers(2, 9))
def test_more_rows_of_the_same_share_narrow_it(count, times):
    low, high = wilson_interval(*count)
    narrow_low, narrow_high = wilson_interval(count[0] * times, count[1] * times)
    assert narrow_high - narrow_low < high - low


@pytest.mark.parametrize("trials", [1, 7, 1000])
def test_none_and_all_reach_the_very_ends(trials):
    edge = Z95**2 / (trials + Z95**2)
    assert wilson_interval(0, trials) == pytest.approx((0.0, edge))
    assert wilson_interval(trials, trials) == pytest.approx((1 - edge, 1.0))
    assert wilson_interval(0, trials)[0] == 0.0
    assert wilson_interval(trials, trials)[1] == 1.0


def test_no_rows_say_nothing():
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_z95_is_the_normal_quantile():
    assert math.erf(Z95 / math.sqrt(2)) == pytest.approx(0.95, abs=1e-15)
