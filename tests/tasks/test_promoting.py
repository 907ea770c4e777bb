"""What becomes of a verdict: the challenger is champion, or nothing moved. The gates are stood in for."""

import pytest

from distillery.errors import Busy, DataError, ProjectError, Refused, UserMistake
from distillery.history import Kind
from distillery.verdict import GateResult, Outcome, Verdict
from tasks import promoting
from tasks.champion import settle
from tasks.promoting import Asked, compare, promote
from tasks.reading_history import remember
from tasks.rolling_back import roll_back
from tasks.tracking import Registry, open_registry


def silent(_sentence):
    pass


@pytest.fixture
def gates(monkeypatch):
    """Every verdict has this outcome; `meanwhile` happens while it is found."""
    said = {"outcome": Outcome.PASSED, "meanwhile": lambda: None, "asked": []}

    def stand_in(_project, _params, _registry, champion, challenger):
        said["asked"].append((champion.number if champion else None, challenger.number))
        said["meanwhile"]()
        if isinstance(said["outcome"], Exception):
            raise said["outcome"]
        gate = GateResult("accuracy", said["outcome"], blocks=True, said="so", numbers={"rows": 360})
        return Verdict(champion.number if champion else None, challenger.number, 360, (gate,))

    monkeypatch.setattr(promoting, "judge_versions", stand_in)
    return said


def ask(project, params, version=None, reason="", say=silent, **options):
    return promote(project, params, Asked(version, reason, **options), say)


def champion(project, params):
    with open_registry(project, params.registry) as registry:
        return registry.aliases()["champion"]


def test_a_passing_challenger_of_the_last_run_becomes_champion_with_its_verdict(champions, params, gates):
    done = ask(champions, params, reason="smaller")
    assert (done.version, done.champion, champion(champions, params)) == ("6", "3", "6")
    event = done.link.event
    assert (event.kind, event.reason, event.outcome) == (Kind.PROMOTED, "smaller", Outcome.PASSED)
    assert event.verdict_digest == done.verdict.digest
    assert gates["asked"] == [("3", "6")]
    told = done.to_json()
    assert (told["promoted"], told["forced"], told["event"]) == (True, False, 2)


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNDECIDED])
def test_one_that_did_not_pass_moves_nothing_unless_it_is_forced_which_stays_marked(
    champions, params, gates, outcome
):
    gates["outcome"] = outcome
    done = ask(champions, params)
    assert done.link is None
    assert done.to_json()["promoted"] is False
    assert champion(champions, params) == "3"
    forced = ask(champions, params, force=True, reason="the old one leaks")
    assert champion(champions, params) == "6"
    assert (forced.link.event.forced, forced.link.event.outcome) == (True, outcome)
    assert [row["forced"] for row in remember(champions, params.registry).to_json()["events"]] == [
        False,
        True,
    ]


def test_force_needs_a_reason_and_is_no_mark_where_the_gates_pass(champions, params, gates):
    with pytest.raises(UserMistake, match="say why with --reason"):
        ask(champions, params, force=True, reason="  ")
    assert ask(champions, params, force=True, reason="sure").link.event.kind is Kind.PROMOTED


def test_what_cannot_be_judged_can_be_forced_without_a_verdict(champions, params, gates):
    gates["outcome"] = DataError("no rows here")
    with pytest.raises(DataError):
        ask(champions, params)
    said = []
    event = ask(champions, params, force=True, reason="now", say=said.append).link.event
    assert (event.kind, event.outcome, event.verdict_digest) == (Kind.FORCED, None, None)
    assert said == ["version 6 could not be judged: no rows here"]


def test_a_harmed_file_cannot_be_forced(champions, params, gates, monkeypatch):
    gates["outcome"] = Outcome.REFUSED
    monkeypatch.setattr(Registry, "read_file", lambda *_: b"harmed")
    with pytest.raises(Refused, match="cannot be forced"):
        ask(champions, params, force=True, reason="now")
    assert champion(champions, params) == "3"


def test_a_dry_run_only_judges(champions, params, gates):
    done = ask(champions, params, dry_run=True, force=True, reason="to see")
    assert done.verdict.outcome is Outcome.PASSED
    assert done.link is None
    assert champion(champions, params) == "3"


def test_the_champion_that_was_judged_against_must_still_be_it(champions, params, gates):
    def meanwhile():
        gates["meanwhile"] = lambda: None
        ask(champions, params, "4")

    gates["meanwhile"] = meanwhile
    with pytest.raises(Busy, match="the champion changed meanwhile; version 6 was not promoted"):
        ask(champions, params)
    assert champion(champions, params) == "4"
    assert ask(champions, params).champion == "4"


def test_what_was_rolled_back_is_not_promoted_again_unless_it_is_named(champions, params, gates):
    ask(champions, params)
    with pytest.raises(ProjectError, match="has no challenger"):
        ask(champions, params)
    roll_back(champions, params.registry, None, "it was wrong", silent)
    with pytest.raises(
        ProjectError, match="version 6, the challenger, was made champion by event 2 and replaced"
    ):
        ask(champions, params)
    assert ask(champions, params, "6").link is not None


def test_what_is_champion_or_not_there_is_said(champions, params, gates, project):
    with pytest.raises(ProjectError, match="version 3 is the champion already"):
        ask(champions, params, "champion")
    with pytest.raises(ProjectError, match="no version or alias '99'"):
        ask(champions, params, "99")


@pytest.fixture
def manual(params):
    return params.model_copy(update={"promotion": params.promotion.model_copy(update={"approval": "manual"})})


def test_with_manual_approval_what_passed_waits_and_is_judged_anew_when_it_is_approved(
    champions, manual, gates
):
    with pytest.raises(ProjectError, match="no version or alias 'candidate'"):
        ask(champions, manual, approve=True)
    done = ask(champions, manual)
    assert (done.waits, done.link, champion(champions, manual)) == (True, None, "3")
    gates["outcome"] = Outcome.REFUSED
    assert ask(champions, manual, approve=True).link is None
    gates["outcome"] = Outcome.PASSED
    approved = ask(champions, manual, approve=True, reason="seen by two")
    assert (approved.waits, approved.link.event.kind) == (False, Kind.PROMOTED)
    assert champion(champions, manual) == "6"
    assert gates["asked"] == [("3", "6")] * 3


def test_what_did_not_pass_does_not_wait_and_what_is_forced_neither(champions, manual, gates):
    gates["outcome"] = Outcome.UNDECIDED
    assert ask(champions, manual).waits is False
    assert ask(champions, manual, force=True, reason="now").link.event.forced


def test_a_candidate_that_does_not_read_back_is_said(champions, manual, gates, monkeypatch):
    monkeypatch.setattr(Registry, "set_alias", lambda *_: None)
    with pytest.raises(Busy, match="version 6 was made candidate, but version None reads back"):
        ask(champions, manual)


def test_without_a_registry_it_says_what_makes_one(project, params, gates):
    with pytest.raises(ProjectError, match="holds no version yet"):
        ask(project, params)


def test_without_a_champion_a_passing_version_becomes_it(champions, params, gates):
    with open_registry(champions, params.registry) as registry:
        registry._client.delete_model_version("digits", "3")
        assert settle(registry, silent).champion is None
    assert ask(champions, params, "5").link.event.previous is None
    assert champion(champions, params) == "5"
    assert gates["asked"] == [(None, "5")]


def test_any_two_versions_are_compared_and_nothing_is_written(champions, params, gates):
    verdict = compare(champions, params, "champion", "2")
    assert (verdict.champion, verdict.challenger) == ("3", "2")
    assert len(remember(champions, params.registry).links) == 1
