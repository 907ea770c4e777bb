"""The append decides, the alias follows: kills between any two writes, races, moves by other means."""

import json

import pytest

from distillery.errors import Busy
from distillery.history import Kind, verify
from distillery.verdict import GateResult, Outcome, Verdict
from tasks import champion as champions
from tasks.anchor_file import FILE, read_champion
from tasks.champion import Move, anchors, crown, settle
from tasks.ledger import ANCHOR
from tasks.registering import find_version
from tasks.registry_store import store_identity
from tasks.tracking import Registry, open_registry


@pytest.fixture
def registry(champions, params):
    with open_registry(champions, params.registry) as opened:
        yield opened


def silent(_sentence):
    pass


def move(registry, number, kind=Kind.PROMOTED, reason="", verdict=None):
    return Move(kind, find_version(registry, number), reason, verdict)


def promote(registry, number, **changes):
    return crown(registry, settle(registry, silent), move(registry, number, **changes))


def faults(registry):
    found = anchors(registry)
    file = read_champion(registry.project)
    return verify(registry.history.chain(), [*found, *([file.anchor] if file else [])])


def moves(registry):
    chain = registry.history.chain()
    return [(link.event.previous, link.event.version) for link in chain.links if not link.void]


def test_the_first_champion_is_an_event_and_is_anchored_twice(registry, params):
    (link,) = registry.history.chain().links
    assert (link.event.kind, link.event.previous, link.event.version) == (Kind.FIRST, None, "3")
    assert link.event.onnx_digest == find_version(registry, "3").tags["onnx_digest"]
    file = read_champion(registry.project)
    assert (file.version, file.event, file.digest) == ("3", 1, link.head.digest)
    assert file.registry == store_identity(registry.project, params.registry)
    assert [anchor.head for anchor in anchors(registry)] == [link.head]
    assert faults(registry) == []


def test_a_promotion_moves_the_alias_and_says_who_when_why_and_from_where(registry):
    gate = GateResult("accuracy", Outcome.PASSED, blocks=True, said="fine", numbers={"lower": -0.001})
    verdict = Verdict("3", "6", 360, (gate,))
    link = promote(registry, "6", reason="smaller", verdict=verdict)
    assert registry.aliases()["champion"] == "6"
    event = registry.history.chain().last.event
    assert link.event == event
    assert (event.previous, event.version, event.reason, event.forced) == ("3", "6", "smaller", False)
    assert (event.outcome, event.verdict_digest) == (Outcome.PASSED, verdict.digest)
    assert "@" in event.who
    assert event.when.endswith("+00:00")
    assert read_champion(registry.project).version == "6"
    assert faults(registry) == []


def test_of_two_that_saw_the_same_champion_the_first_to_append_wins(registry):
    seen = settle(registry, silent)
    crown(registry, seen, move(registry, "6"))
    with pytest.raises(Busy, match="version 4 was not promoted, and must be judged anew"):
        crown(registry, seen, move(registry, "4"))
    assert registry.aliases()["champion"] == "6"
    assert [link.void for link in registry.history.chain().links] == [False, False, True]
    promote(registry, "4")
    assert moves(registry) == [(None, "3"), ("3", "6"), ("6", "4")]
    assert faults(registry) == []


WRITES = (
    ("tasks.ledger.Ledger.append", "3"),
    ("tasks.tracking.Registry.set_alias", "6"),
    ("tasks.tracking.Registry.tag", "6"),
    ("tasks.champion.write_champion", "6"),
)


@pytest.mark.parametrize(("cut", "champion"), WRITES)
def test_killed_between_any_two_writes_the_next_command_finishes_it_and_says_so(
    registry, monkeypatch, cut, champion
):
    def kill(*_, **__):
        raise KeyboardInterrupt

    seen = settle(registry, silent)
    with monkeypatch.context() as patch:
        patch.setattr(cut, kill)
        with pytest.raises(KeyboardInterrupt):
            crown(registry, seen, move(registry, "6"))

    said = []
    standing = settle(registry, said.append)
    assert standing.champion == registry.aliases()["champion"] == champion
    assert bool(said) == (cut == "tasks.tracking.Registry.set_alias")
    assert read_champion(registry.project).version == champion
    assert find_version(registry, champion).tags[ANCHOR].startswith(f"{len(moves(registry))} ")
    assert faults(registry) == []
    again = []
    settle(registry, again.append)
    assert again == []


def test_the_alias_is_read_back_and_set_again_where_a_slower_process_overwrote_it(registry, monkeypatch):
    real, calls = Registry.set_alias, []

    def overwritten(self, alias, number):
        real(self, alias, number)
        calls.append(number)
        if len(calls) == 1:
            real(self, alias, "3")  # the slow one's

    monkeypatch.setattr(Registry, "set_alias", overwritten)
    promote(registry, "6")
    assert calls == ["6", "6"]
    assert registry.aliases()["champion"] == "6"


def test_an_alias_that_never_reads_back_is_said(registry, monkeypatch):
    monkeypatch.setattr(Registry, "set_alias", lambda *_: None)
    with pytest.raises(Busy, match="version 6 was made champion, but version 3 reads back"):
        promote(registry, "6")


def test_a_slow_winner_does_not_undo_what_a_faster_process_did_meanwhile(registry, monkeypatch):
    real, slow = Registry.set_alias, []

    def paused(self, alias, number):
        if not slow:
            slow.append(number)
            monkeypatch.setattr(Registry, "set_alias", real)
            settle(registry, silent)  # finishes ours
            promote(registry, "4")
        real(self, alias, number)

    monkeypatch.setattr(Registry, "set_alias", paused)
    promote(registry, "6")
    assert moves(registry)[-1] == ("6", "4")
    assert registry.aliases()["champion"] == read_champion(registry.project).version == "4"
    assert faults(registry) == []


def test_an_alias_that_was_moved_by_other_means_becomes_an_event(registry):
    registry.set_alias("champion", "5")
    said = []
    assert settle(registry, said.append).champion == "5"
    assert said == ["alias champion had been moved to version 5 by other means: the history says so now"]
    assert registry.history.chain().last.event.kind is Kind.FOUND
    assert moves(registry)[-1] == ("3", "5")
    assert faults(registry) == []


def test_a_champion_from_before_there_was_a_history_becomes_an_event(registry):
    registry._client.delete_registered_model("digits-history")
    registry._client.delete_model_version_tag("digits", "3", ANCHOR)
    (registry.project / FILE).unlink()
    assert settle(registry, silent).champion == "3"
    assert moves(registry) == [(None, "3")]
    assert faults(registry) == []


def test_an_alias_that_is_gone_is_set_again(registry):
    registry._client.delete_registered_model_alias("digits", "champion")
    said = []
    assert settle(registry, said.append).champion == "3"
    assert registry.aliases()["champion"] == "3"
    assert "alias champion was gone: event 1 made version 3 champion" in said[0]


def test_a_champion_whose_version_was_deleted_leaves_none(registry):
    registry._client.delete_model_version("digits", "3")
    assert settle(registry, silent).champion is None
    promote(registry, "6")
    assert registry.aliases()["champion"] == "6"


def edit(registry, number, tag, change):
    version = registry._client.get_model_version("digits-history", number)
    registry._client.set_model_version_tag("digits-history", number, tag, change(version.tags[tag]))


def with_reason(text):
    return json.dumps({**json.loads(text), "reason": "kinder"}, sort_keys=True, separators=(",", ":"))


def test_tampering_is_found_and_said_by_the_next_command(registry):
    verdict = Verdict("3", "6", 360, ())
    promote(registry, "6", verdict=verdict)
    promote(registry, "4")
    edit(registry, 2, "event", with_reason)
    edit(registry, 2, "verdict", lambda text: text.replace("360", "361"))
    assert [fault.partition(":")[0] for fault in faults(registry)] == [
        "event 2 was edited",
        "event 2, or one before it, is not what event 3 came after",
        "event 2",
        "the tag history_anchor of version 6 names event 2 with another digest than the history has there",
    ]
    said = []
    settle(registry, said.append)
    assert said[0].startswith("the history of digits at sqlite:")
    registry._client.delete_model_version("digits-history", 3)
    assert any("later events were removed" in fault for fault in faults(registry))


def test_a_history_whose_newest_event_was_removed_can_go_on_and_stays_marked(registry):
    promote(registry, "6")
    registry._client.delete_model_version("digits-history", 2)
    promote(registry, "4")
    assert registry.aliases()["champion"] == "4"
    assert "event 2 was removed" in faults(registry)


def test_an_account_without_a_name_is_its_number(registry, monkeypatch):
    def nameless():
        raise KeyError

    monkeypatch.setattr(champions.getpass, "getuser", nameless)
    promote(registry, "6")
    assert registry.history.chain().last.event.who.partition("@")[0].isdecimal()
