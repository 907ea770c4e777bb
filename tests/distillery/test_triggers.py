from dataclasses import replace

import pytest

from distillery.triggers import Kind, State, find_changes, find_shift

STATE = State(data="d" * 32, params="p" * 64, gates="g" * 64, code="c" * 64, champion="v" * 64)


def kinds(triggers):
    return [trigger.kind for trigger in triggers]


def test_nothing_changed_triggers_nothing():
    assert find_changes(STATE, State.from_json(STATE.to_json())) == []


def test_without_a_state_the_first_judgement_is_the_reason():
    assert kinds(find_changes(None, STATE)) == [Kind.FIRST]


@pytest.mark.parametrize("name", ["data", "params", "gates", "code", "champion"])
def test_each_part_that_changed_is_named_with_its_digests(name):
    (trigger,) = find_changes(STATE, replace(STATE, **{name: "x" * 64}))
    assert trigger.kind == ("params" if name == "gates" else name)
    assert trigger.said.endswith(f": {getattr(STATE, name)[:12]} -> xxxxxxxxxxxx")


def test_a_champion_that_is_gone_is_said():
    (trigger,) = find_changes(STATE, replace(STATE, champion=None))
    assert trigger.said == "the champion is another: vvvvvvvvvvvv -> none"


@pytest.mark.parametrize(
    ("shift", "threshold"), [(None, 0.1), ({}, 0.1), ({"a": 0.1}, 0.1), ({"a": 9}, None)]
)
def test_no_shift_above_the_threshold_triggers_nothing(shift, threshold):
    assert find_shift(shift, threshold) == []


def test_shifted_columns_are_named_the_worst_first():
    shift = {f"column {at}": at / 10 for at in range(9)}
    (trigger,) = find_shift(shift, 0.15)
    assert trigger.to_json() == {
        "kind": "shift",
        "said": "shift above retrain.max_shift 0.15 (PSI): column 8 0.80, column 7 0.70, column 6 0.60, "
        "column 5 0.50, column 4 0.40 and 2 more",
    }
