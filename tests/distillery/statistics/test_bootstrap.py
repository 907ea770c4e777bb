from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from distillery.statistics import bootstrap
from distillery.statistics.bootstrap import (
    Says,
    calibration_difference,
    macro_f1_difference,
    quantile_ratio,
)

codes = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
        *[st.lists(st.integers(-1, 4), min_size=n, max_size=n)] * 2,
    )
)


@pytest.fixture(scope="module")
def said():
    """Labels of 400 rows in 4 classes, and two files that err on about 10 % of them."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 4, 400)
    files = [np.where(random.random(400) < 0.1, random.integers(0, 4, 400), labels) for _ in range(2)]
    return labels, *files


def f1(labels, predicted):
    return f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0.0)


@given(codes)
def test_the_difference_seen_is_that_of_an_independent_macro_f1(triple):
    labels, first, second = (np.array(values) for values in triple)
    found = macro_f1_difference(labels, first, second, seed=0)
    assert found.seen == pytest.approx(f1(labels, second) - f1(labels, first), abs=1e-12)
    assert -1 <= found.low <= found.high <= 1


def test_drawing_cells_is_drawing_rows(said):
    """Against a bootstrap that draws row numbers and asks an independent macro F1."""
    labels, first, second = said
    random = np.random.default_rng(9)
    drawn = []
    for _ in range(600):
        rows = random.integers(0, 400, 400)
        drawn.append(f1(labels[rows], second[rows]) - f1(labels[rows], first[rows]))
    found = macro_f1_difference(labels, first, second, seed=0)
    assert found.error == pytest.approx(np.std(drawn), rel=0.1)
    assert (found.low, found.high) == pytest.approx(
        np.quantile(drawn, [0.05, 0.95]), abs=0.15 * found.error * 2
    )


def test_the_same_seed_gives_the_same_bounds_and_another_others(said):
    assert macro_f1_difference(*said, seed=1) == macro_f1_difference(*said, seed=1)
    assert macro_f1_difference(*said, seed=1).low != macro_f1_difference(*said, seed=2).low


def test_it_does_not_matter_how_many_resamples_are_in_memory_together(said, monkeypatch):
    whole = macro_f1_difference(*said, seed=1)
    monkeypatch.setattr(bootstrap, "DRAWN_AT_ONCE", 700)
    assert macro_f1_difference(*said, seed=1) == whole


def test_a_file_against_itself_differs_by_nothing(said):
    labels, first, _ = said
    found = macro_f1_difference(labels, first, first, seed=0)
    assert (found.seen, found.low, found.high, found.error) == (0, 0, 0, 0)


def calibration_error(says):
    """By hand, bin by bin."""
    total = 0.0
    for lowest in range(15):
        inside = [at for at, sure in enumerate(says.confidence) if lowest == min(int(sure * 15), 14)]
        if inside:
            gap = np.mean(says.right[inside]) - np.mean(says.confidence[inside])
            total += len(inside) / len(says.right) * abs(gap)
    return total


said_of_a_row = st.tuples(st.floats(0, 1), st.booleans())


@given(st.lists(st.tuples(said_of_a_row, said_of_a_row), min_size=1, max_size=60))
def test_the_calibration_error_is_that_of_the_definition(rows):
    first, second = (
        Says(np.array([sure for sure, _ in file]), np.array([right for _, right in file]))
        for file in zip(*rows, strict=True)
    )
    expected = calibration_error(second) - calibration_error(first)
    assert calibration_difference(first, second, seed=0).seen == pytest.approx(expected, abs=1e-12)


def test_an_overconfident_file_is_worse_calibrated_beyond_doubt():
    random = np.random.default_rng(5)
    right = random.random(800) < 0.8
    found = calibration_difference(Says(np.full(800, 0.8), right), Says(np.full(800, 0.99), right), seed=0)
    assert 0.1 < found.low < found.seen < found.high < 0.25


def test_equally_calibrated_files_are_not_told_apart():
    random = np.random.default_rng(6)
    sure = random.random((2, 800))
    files = [Says(row, random.random(800) < row) for row in sure]
    found = calibration_difference(*files, seed=0)
    assert found.low < 0 < found.high


def test_the_ratio_seen_is_that_of_the_quantiles():
    champion, challenger = np.arange(1.0, 101), np.arange(1.0, 101) * 3
    for share in (0.5, 0.95):
        found = quantile_ratio(champion, challenger, share, seed=0)
        assert found.seen == 3
        assert found.low == found.high == 3  # the rounds are drawn together
    shuffled = np.random.default_rng(0).permutation(challenger)
    found = quantile_ratio(champion, shuffled, 0.5, seed=0)
    assert found.low < found.seen < found.high


def test_a_slow_spell_widens_the_interval():
    random = np.random.default_rng(1)
    noise = random.normal(1, 0.05, (2, 1000))
    spells = np.repeat(random.normal(0, 0.05, 100), 10)
    calm = quantile_ratio(noise[0], random.permutation(noise[1] + spells), 0.5, seed=0)
    troubled = quantile_ratio(noise[0], noise[1] + spells, 0.5, seed=0)
    assert troubled.error > 1.3 * calm.error


@pytest.mark.parametrize("rounds", [1, 2, 3, 7, 50])
def test_few_rounds_can_be_resampled(rounds):
    times = np.linspace(1, 2, rounds)
    found = quantile_ratio(times, times * 2, 0.95, seed=0)
    assert found.low == pytest.approx(found.high) == pytest.approx(2)


def test_no_rows_cannot_be_drawn_again():
    nothing, none = np.array([], np.int64), np.array([], np.float64)
    with pytest.raises(ValueError, match="no rows"):
        macro_f1_difference(nothing, nothing, nothing, seed=0)
    with pytest.raises(ValueError, match="no rows"):
        quantile_ratio(none, none, 0.5, seed=0)
    with pytest.raises(ValueError, match="no rows"):
        calibration_difference(Says(none, none > 0), Says(none, none > 0), seed=0)
