"""The promise of the gates, held to known truths: few losses of the margin pass, and equal challengers do."""

from __future__ import annotations

import importlib.util
import sys

import pytest


@pytest.fixture(scope="module")
def simulation(root):
    """benchmarks/gates.py, which is no package."""
    spec = importlib.util.spec_from_file_location("simulated_gates", root / "benchmarks" / "gates.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_a_true_loss_of_the_margin_passes_in_five_percent_or_fewer(simulation):
    """Margin 1, 20,000 pairs each; the seed is fixed, and the exact rates below need none."""
    grid = list(simulation.settings(margins=(0.01,)))
    assert len(grid) == 18
    for setting in grid:
        rate = simulation.tango_rate(setting, -setting.margin, pairs=20_000)
        assert rate.keeps_level, f"{setting}: {rate}"


def test_the_exact_rate_of_that_is_five_percent_too(simulation):
    for setting in simulation.settings():
        assert simulation.exact_rate(setting, -setting.margin) < 0.0525, setting
    hardest = simulation.Setting(360, 0.02, 0.005)
    assert simulation.exact_rate(hardest, -0.005) < 0.0555


def test_an_equal_challenger_passes_margin_1_on_10_000_rows(simulation):
    for disagreement in (0.01, 0.02, 0.03, 0.05):
        setting = simulation.Setting(10_000, disagreement, 0.01)
        rate = simulation.tango_rate(setting, 0.0, pairs=2000)
        assert rate.interval[0] >= 0.95, f"{setting}: {rate}"


def test_a_true_loss_of_twice_the_margin_all_but_never_passes(simulation):
    rate = simulation.tango_rate(simulation.Setting(10_000, 0.05, 0.01), -0.02, pairs=2000)
    assert rate.passed <= 2


def test_the_plain_bootstrap_passes_more_than_it_should(simulation):
    """Why the accuracy gate has another interval."""
    setting = simulation.Setting(360, 0.02, 0.01)
    rate = simulation.bootstrap_rate(setting, -0.01, pairs=1000)
    assert not rate.keeps_level


@pytest.mark.slow
def test_the_whole_grid_keeps_its_level_beside_the_plain_bootstrap(simulation):
    plain_keeps = []
    for setting in simulation.settings():
        loss = -setting.margin
        exact, simulated = simulation.exact_rate(setting, loss), simulation.tango_rate(setting, loss, 20_000)
        assert exact < 0.0525, setting
        assert simulated.passed / simulated.pairs == pytest.approx(exact, abs=0.006)
        plain_keeps.append(simulation.bootstrap_rate(setting, loss, 4000).keeps_level)
    assert sum(plain_keeps) < len(plain_keeps) / 2


@pytest.mark.slow
def test_macro_f1_passes_a_loss_of_the_margin_little_more_often_than_it_should(simulation):
    """A percentile bootstrap: its level is 5 % on many rows, and up to 8 % on a few hundred."""
    few = simulation.macro_f1_rate(simulation.Setting(360, 0.05, 0.03), -0.03, pairs=500)
    many = simulation.macro_f1_rate(simulation.Setting(1000, 0.05, 0.01), -0.01, pairs=500)
    assert few.interval[0] <= 0.08
    assert many.keeps_level
