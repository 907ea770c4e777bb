import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from distillery.statistics.mcnemar import mcnemar_exact

counts = st.integers(0, 3000)


@given(counts, counts)
def test_the_p_value_is_that_of_an_independent_binomial_test(gained, lost):
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar_exact(gained, lost) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1.0), (4, 4, 1.0), (0, 1, 1.0), (0, 5, 2 / 32), (1, 7, 18 / 256), (3, 2, 1.0)],
)
def test_small_counts_come_out_as_by_hand(gained, lost, p):
    assert mcnemar_exact(gained, lost) == pytest.approx(p, rel=1e-12)
    assert mcnemar_exact(lost, gained) == mcnemar_exact(gained, lost)


def test_a_million_flips_neither_overflow_nor_lose_the_digits():
    assert mcnemar_exact(499_000, 501_000) == pytest.approx(binomtest(499_000, 10**6).pvalue, rel=1e-7)
    assert mcnemar_exact(0, 10**6) == 0.0
