from dataclasses import replace

import pytest

from distillery.verdict import GateResult, Outcome, Verdict

PASSED, REFUSED, UNDECIDED = Outcome


def verdict(*gates):
    results = (GateResult(f"gate {at}", *gate, "said", {"bytes": at}) for at, gate in enumerate(gates))
    return Verdict("1", "2", 360, tuple(results))


@pytest.mark.parametrize(
    ("gates", "outcome"),
    [
        ([], PASSED),
        ([(PASSED, True)], PASSED),
        ([(PASSED, True), (UNDECIDED, True)], UNDECIDED),
        ([(UNDECIDED, True), (REFUSED, True), (PASSED, True)], REFUSED),
        ([(PASSED, True), (REFUSED, False), (UNDECIDED, False)], PASSED),
    ],
)
def test_the_worst_gate_that_blocks_decides(gates, outcome):
    assert verdict(*gates).outcome == outcome


def test_the_digest_is_of_every_number():
    first = verdict((PASSED, True))
    (gate,) = first.gates
    other = replace(first, gates=(replace(gate, numbers={"bytes": 1}),))
    assert first.digest == verdict((PASSED, True)).digest != other.digest
    assert first.to_json()["gates"][0]["outcome"] == "passed"


def test_only_the_gates_that_stop_it_are_failing():
    told = verdict((PASSED, True), (REFUSED, True), (REFUSED, False), (UNDECIDED, True))
    assert told.failing == ["gate 1", "gate 3"]
