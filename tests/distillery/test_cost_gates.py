from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from distillery import cost_gates
from distillery.evidence import PairedTimes, paired
from distillery.verdict import Outcome

PASSED, REFUSED, UNDECIDED = Outcome


@pytest.fixture
def taking(evidence):
    """Evidence whose challenger takes something else than the champion's 10,000 bytes, 0.9 and 30 MB."""

    def make(**footprint):
        whole = evidence()
        changed = replace(whole.challenger.footprint, **footprint)
        return replace(whole, challenger=replace(whole.challenger, footprint=changed))

    return make


def asked(gate, evidence):
    return {found.gate: found for found in cost_gates.footprint(gate, evidence)}


@pytest.mark.parametrize(
    ("most", "ratio", "size", "outcome"),
    [
        (None, 1.5, 15_000, PASSED),
        (None, 1.5, 15_001, REFUSED),
        (12_000, 1.5, 12_001, REFUSED),
        (12_000, 1.5, 12_000, PASSED),
        (20_000, 1.5, 15_001, REFUSED),
        (20_000, None, 20_000, PASSED),
    ],
)
def test_bytes_are_held_to_both_bounds(taking, promotion, most, ratio, size, outcome):
    gate = promotion(footprint__max_bytes=most, footprint__max_bytes_ratio=ratio).footprint
    found = asked(gate, taking(file_bytes=size))["size"]
    assert found.outcome is outcome
    assert f"{size:,} bytes" in found.said


def test_null_bounds_are_not_asked(taking, promotion):
    gate = promotion(footprint__max_bytes_ratio=None, footprint__max_peak_ratio=None).footprint
    assert asked(gate, taking()) == {}


@pytest.mark.parametrize(
    ("peaks", "outcome"),
    [
        ((30_000_000,), PASSED),
        ((36_000_000,), PASSED),
        ((36_000_001,), REFUSED),
        ((30_000_000, 40_000_000), UNDECIDED),
        ((), UNDECIDED),
    ],
)
def test_memory_is_undecided_where_measurements_do_not_agree(taking, promotion, peaks, outcome):
    assert asked(promotion().footprint, taking(peak_rss_bytes=peaks))["memory"].outcome is outcome


@pytest.mark.parametrize(("share", "outcome"), [(0.95, PASSED), (0.949, REFUSED)])
def test_the_integer_share_has_a_floor(taking, promotion, share, outcome):
    gate = promotion(footprint__min_integer_share=0.95).footprint
    assert asked(gate, taking(integer_op_share=share))["integer share"].outcome is outcome


def latencies(evidence, gate, champion, challenger):
    timed = evidence(times=PairedTimes(champion, challenger))
    return {found.gate: found for found in cost_gates.latency(gate, paired(timed))}


@pytest.mark.parametrize(
    ("factor", "p50", "p95"), [(1.0, PASSED, PASSED), (1.7, REFUSED, PASSED), (3.0, REFUSED, REFUSED)]
)
def test_latency_is_held_to_the_ratio_of_both_quantiles(evidence, promotion, factor, p50, p95):
    times = np.random.default_rng(0).gamma(50, 2e-6, 600)
    found = latencies(evidence, promotion().latency, times, times * factor)
    assert (found["latency p50"].outcome, found["latency p95"].outcome) == (p50, p95)
    assert found["latency p50"].numbers["ratio"] == pytest.approx(factor)


def test_noise_that_hides_the_bound_is_undecided_and_says_how_many_rounds_would_tell(evidence, promotion):
    random = np.random.default_rng(1)
    champion, challenger = random.lognormal(0, 1, 300), random.lognormal(0, 1, 300) * 1.4
    found = latencies(evidence, promotion().latency, champion, challenger)["latency p50"]
    assert (found.outcome, found.blocks) == (UNDECIDED, True)
    assert found.numbers["low"] < 1.5 < found.numbers["high"]
    assert "too noisy in 300 rounds; about" in found.said


def test_few_rounds_do_not_pass_but_may_refuse(evidence, promotion):
    gate, times = promotion().latency, np.full(199, 1e-4)
    assert latencies(evidence, gate, times, times)["latency p50"].outcome is UNDECIDED
    assert latencies(evidence, gate, times, times * 3)["latency p50"].outcome is REFUSED


def test_only_the_quantiles_with_a_bound_are_asked(evidence, promotion):
    gate, times = promotion(latency__max_p95_ratio=None).latency, np.full(300, 1e-4)
    assert list(latencies(evidence, gate, times, times)) == ["latency p50"]


def test_smoke_passes_only_when_it_was_looked_at_and_nothing_was_wrong(evidence):
    assert cost_gates.smoke(evidence(smoke=())).outcome is PASSED
    faulty = cost_gates.smoke(evidence(smoke=("its SHA-256 is another",)))
    assert (faulty.outcome, faulty.blocks) == (REFUSED, True)
    assert "its SHA-256 is another" in faulty.said
    unseen = cost_gates.smoke(evidence(smoke=None))
    assert (unseen.outcome, unseen.blocks) == (UNDECIDED, True)
