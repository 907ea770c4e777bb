from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from distillery.evidence import PairedTimes
from distillery.gates import judge
from distillery.verdict import Outcome

TIMES = PairedTimes(np.full(300, 1e-4), np.full(300, 1e-4))


@pytest.fixture
def equal(evidence):
    """A challenger that says what the champion says and takes what it takes."""
    return evidence(times=TIMES)


def by_name(verdict):
    return {gate.gate: gate for gate in verdict.gates}


def test_an_equal_challenger_passes_the_shipped_gates_on_360_rows(equal, promotion):
    verdict = judge(equal, promotion())
    assert verdict.outcome is Outcome.PASSED
    assert (verdict.champion, verdict.challenger, verdict.rows) == ("1", "2", 360)
    assert [gate.gate for gate in verdict.gates] == [
        "smoke",
        "accuracy",
        "macro F1",
        "classes",
        "size",
        "memory",
        "latency p50",
        "latency p95",
        "flips",
    ]


def test_three_percent_of_flips_either_way_still_pass_on_360_rows(evidence, promotion):
    verdict = judge(evidence(gained=5, lost=6, times=TIMES), promotion())
    assert verdict.outcome is Outcome.PASSED
    classes = by_name(verdict)["classes"]
    assert (classes.outcome, classes.blocks) == (Outcome.UNDECIDED, False)


def test_a_challenger_that_lost_a_tenth_of_the_rows_is_refused(evidence, promotion):
    verdict = judge(evidence(lost=36, times=TIMES), promotion())
    assert verdict.outcome is Outcome.REFUSED
    assert {gate.gate for gate in verdict.gates if gate.outcome is Outcome.REFUSED} == {
        "accuracy",
        "macro F1",
        "flips",
    }


def test_without_a_champion_only_gates_that_compare_with_none_are_asked(equal, promotion):
    first = replace(equal, champion=None, teacher=equal.labels, must_pass=("0001-0",))
    every = promotion(
        footprint__max_bytes=20_000, footprint__min_integer_share=0.5, teacher__min_agreement=0.9
    )
    verdict = judge(first, every)
    assert verdict.champion is None
    assert list(by_name(verdict)) == ["smoke", "must-pass rows", "teacher agreement", "size", "integer share"]
    assert verdict.outcome is Outcome.PASSED
    assert [gate.gate for gate in judge(replace(equal, champion=None), promotion()).gates] == ["smoke"]


def test_nothing_that_was_not_looked_at_passes(equal, promotion):
    blind = replace(equal, times=None, smoke=None)
    verdict = judge(
        blind,
        promotion(
            **{"must_pass__file": "rows.txt"},
            teacher__min_agreement=0.5,
            per_class__slices=("colour",),
        ),
    )
    undecided = {gate.gate for gate in verdict.gates if gate.outcome is Outcome.UNDECIDED}
    assert undecided == {
        "smoke",
        "must-pass rows",
        "teacher agreement",
        "slice colour",
        "latency p50",
        "latency p95",
    }
    assert verdict.outcome is Outcome.UNDECIDED


def test_undecided_blocks_or_warns_as_the_gate_wants_and_refused_always_blocks(evidence, promotion):
    unclear, broken = evidence(lost=6, times=TIMES), evidence(lost=60, times=TIMES)
    for undecided, outcome in (("block", Outcome.UNDECIDED), ("warn", Outcome.PASSED)):
        gates = promotion(accuracy__margin=2.0, accuracy__undecided=undecided, macro_f1__undecided="warn")
        found = by_name(judge(unclear, gates))["accuracy"]
        assert (found.outcome, found.blocks) == (Outcome.UNDECIDED, undecided == "block")
        assert judge(unclear, gates).outcome is outcome
        assert judge(broken, gates).outcome is Outcome.REFUSED


def test_every_gate_at_once_gives_plain_json_and_the_same_digest_twice(evidence, promotion):
    whole = evidence(gained=9, lost=7, times=PairedTimes(np.linspace(1, 2, 300), np.linspace(2, 1, 300)))
    whole = replace(
        whole,
        teacher=whole.labels,
        must_pass=("0300-0",),
        slices={"half": np.repeat(["a", "b"], 180)},
        versions=np.repeat([1, 2], 180),
    )
    every = promotion(
        calibration__margin=1.0,
        teacher__min_agreement=0.9,
        per_class__slices=("half",),
        footprint__max_bytes=20_000,
        footprint__min_integer_share=0.5,
    )
    verdict = judge(whole, every)
    assert len(verdict.gates) == 15
    plain = verdict.to_json()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert judge(whole, every).digest == verdict.digest
    assert judge(whole, promotion()).digest != verdict.digest
