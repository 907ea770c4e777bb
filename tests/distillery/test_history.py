"""A chain of events: who won, and every way to change what is written."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.history import (
    BEGINNING,
    Anchor,
    Entry,
    Event,
    Head,
    Kind,
    line_of_champions,
    read_chain,
    verify,
)
from distillery.verdict import Outcome


def event(head=BEGINNING, version="1", kind=Kind.PROMOTED, mark="m", **changes):
    plain = {
        "kind": kind, "when": "2024-01-01T00:00:00+00:00", "who": "ada@here", "previous": None,
        "version": version, "onnx_digest": "o" * 64, "outcome": Outcome.PASSED, "verdict_digest": "v" * 64,
        "reason": "", "after": head.number, "after_digest": head.digest, "mark": mark,
    }  # fmt: skip
    return Event(**plain | changes)


def entry(number, written):
    return Entry(number, written, written.digest)


def written(lags=(), versions="123", kinds=()):
    """A history: each event came after the one `lag` before the newest."""
    entries, heads = [], [BEGINNING]
    for at in range(max(len(lags), len(kinds))):
        lag = lags[at] if at < len(lags) else 0
        seen = heads[max(0, len(heads) - 1 - lag)]
        kind = kinds[at] if at < len(kinds) else Kind.PROMOTED
        entries.append(entry(at + 1, event(seen, versions[at % len(versions)], kind, mark=str(at))))
        heads = [BEGINNING, *read_chain(entries).heads]
    return entries


histories = st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=1, max_size=8).map(written)


def faults(entries, *anchors):
    return verify(read_chain(entries), anchors)


def anchor(entries):
    return Anchor("champion.json", read_chain(entries).head)


@given(histories)
def test_what_only_appends_wrote_is_sound_and_each_of_its_heads_can_anchor_it(entries):
    chain = read_chain(entries)
    assert [link.event for link in chain.links] == [one.event for one in entries]
    assert verify(chain, [Anchor("there", head) for head in chain.heads]) == []
    assert not chain.links[0].void


def test_of_two_that_came_after_the_same_event_the_first_is_valid():
    entries = written([0, 0, 1, 0])
    chain = read_chain(entries)
    assert [link.void for link in chain.links] == [False, False, True, False]
    assert chain.last.head.number == 4
    assert read_chain(entries[:3]).last.head.number == 2
    assert not read_chain(entries[:2]).find(entries[1].event).void
    assert chain.find(event(mark="another")) is None


def test_an_append_that_a_retry_repeated_is_found_where_it_won():
    entries = written([0, 0])
    chain = read_chain([*entries, replace(entries[1], number=3)])
    assert [link.void for link in chain.links] == [False, False, True]
    assert (chain.find(entries[1].event).head.number, chain.faults) == (2, ())


OTHER = {
    "kind": Kind.FORCED, "when": "2025-01-01T00:00:00+00:00", "who": "eve@there", "previous": "9",
    "version": "8", "onnx_digest": "x" * 64, "outcome": Outcome.REFUSED, "verdict_digest": None,
    "reason": "because", "after": 77, "after_digest": "f" * 64, "mark": "x",
}  # fmt: skip


@given(histories, st.data())
def test_any_edited_field_is_found_also_where_its_own_digest_was_made_to_fit(entries, data):
    at = data.draw(st.integers(0, len(entries) - 1))
    field = data.draw(st.sampled_from(sorted(OTHER)))
    edited = entries[at].event.model_copy(update={field: OTHER[field]})
    tampered = [*entries[:at], entry(at + 1, edited), *entries[at + 1 :]]
    assert faults(tampered, anchor(entries))
    assert faults([*entries[:at], replace(entries[at], event=edited), *entries[at + 1 :]])


@given(histories, st.data())
def test_any_removed_event_is_found(entries, data):
    at = data.draw(st.integers(0, len(entries) - 1))
    rest = [*entries[:at], *entries[at + 1 :]]
    assert faults(rest, anchor(entries))
    closed = [replace(one, number=number) for number, one in enumerate(rest, 1)]  # the gap is closed
    assert faults(closed, anchor(entries))


@given(histories.filter(lambda entries: len(entries) > 1), st.data())
def test_any_other_order_is_found(entries, data):
    shuffled = data.draw(st.permutations(entries).filter(lambda order: order != entries))
    moved = [replace(one, number=number) for number, one in enumerate(shuffled, 1)]
    assert faults(moved, anchor(entries))


@given(histories, st.data())
def test_a_history_that_was_wholly_written_anew_is_found_by_any_anchor(entries, data):
    at = data.draw(st.integers(0, len(entries) - 1))
    heads = [BEGINNING]
    anew = []
    for number, one in enumerate(entries, 1):
        changes = {"reason": "kinder"} if number == at + 1 else {}
        fitted = one.event.model_copy(update={**changes, "after_digest": heads[one.event.after].digest})
        anew.append(entry(number, fitted))
        heads = [BEGINNING, *read_chain(anew).heads]
    assert faults(anew) == []
    assert faults(anew, anchor(entries))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda e: e[:1] + e[2:], ["event 2 was removed"]),
        (lambda e: e[2:], ["events 1 to 2 were removed"]),
        (lambda e: e[:3], ["champion.json names event 4, but the history ends with event 3: later events"]),
        (lambda e: [], ["champion.json names event 4, but there is no history"]),
        (lambda e: [*e[:1], Entry(2, None, e[1].digest), *e[2:]], ["event 2 cannot be read"]),
        (lambda e: [*e[:1], replace(e[1], digest="0"), *e[2:]], ["event 2 was edited"]),
    ],
)
def test_a_fault_is_said_once_and_in_its_place(harm, said):
    entries = written([0, 0, 0, 0])
    found = faults(harm(entries), anchor(entries))
    assert len(found) == len(said)
    assert all(words in fault for words, fault in zip(said, found, strict=True))


def test_what_is_appended_after_a_removal_stands_and_the_removal_stays_found():
    entries = written([0, 0, 0])[:2]  # the registry goes on counting from the removed one
    after = entry(4, event(read_chain(entries).head, "7"))
    chain = read_chain([*entries, after])
    assert chain.last.event.version == "7"
    assert chain.faults == ("event 3 was removed",)


def test_an_anchor_of_another_history_does_not_lie_on_this_one():
    assert "another digest" in faults(written([0]), Anchor("here", Head(1, "a" * 64)))[0]


@pytest.mark.parametrize(
    ("versions", "kinds", "line"),
    [
        ("", [], []),
        ("12", [Kind.FIRST, Kind.PROMOTED], ["1", "2"]),
        ("121", [Kind.FIRST, Kind.PROMOTED, Kind.ROLLED_BACK], ["1"]),
        ("1232", [Kind.FIRST, Kind.PROMOTED, Kind.FORCED, Kind.ROLLED_BACK], ["1", "2"]),
        ("1231", [Kind.FIRST, Kind.PROMOTED, Kind.PROMOTED, Kind.ROLLED_BACK], ["1"]),
        ("121", [Kind.FIRST, Kind.PROMOTED, Kind.PROMOTED], ["2", "1"]),
    ],
)  # fmt: skip
def test_a_rollback_takes_the_champions_after_it_off_the_line(versions, kinds, line):
    assert line_of_champions(read_chain(written(kinds=kinds, versions=versions or "1"))) == line
