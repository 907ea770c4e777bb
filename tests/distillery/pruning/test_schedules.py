import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.pruning.schedules import cosine, cubic


@pytest.mark.parametrize(
    ("step", "share"),
    [(0, 0.0), (10, 0.0), (35, 0.8 * (1 - 0.75**3)), (60, 0.8 * 0.875), (110, 0.8), (500, 0.8)],
)
def test_the_cubic_rises_from_zero_to_its_share_as_in_equation_1(step, share):
    assert cubic(step, first=10, last=110, initial=0.0, final=0.8) == pytest.approx(share)


@given(st.integers(0, 200), st.integers(0, 100), st.integers(1, 100), st.floats(0, 0.5), st.floats(0.5, 1))
def test_the_cubic_never_falls_and_stays_between_its_ends(step, first, length, initial, final):
    ends = {"first": first, "last": first + length, "initial": initial, "final": final}
    here, later = cubic(step, **ends), cubic(step + 1, **ends)
    assert initial - 1e-12 <= here <= later + 1e-12 <= final + 2e-12


def test_a_cubic_without_length_is_a_step():
    assert [cubic(t, first=5, last=5, initial=0.1, final=0.9) for t in (4, 5)] == pytest.approx([0.1, 0.9])


def test_the_exchanged_share_falls_like_half_a_cosine_and_ends_at_none():
    assert cosine(0, last=100, initial=0.3) == pytest.approx(0.3)
    assert cosine(25, last=100, initial=0.3) == pytest.approx(0.15 * (1 + math.sqrt(0.5)))
    assert cosine(50, last=100, initial=0.3) == pytest.approx(0.15)
    assert [cosine(step, last=100, initial=0.3) for step in (100, 101)] == [0.0, 0.0]
