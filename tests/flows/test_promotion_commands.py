"""What the commands about the champion print and exit with; the registry is stood in for."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distillery.errors import Busy
from distillery.history import BEGINNING, Event, Kind, Link
from distillery.verdict import GateResult, Outcome, Verdict
from flows import cli
from tasks.promoting import Promotion
from tasks.reading_history import Remembered
from tasks.rolling_back import RolledBack

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("promote", "rollback", "history", "compare")


def link_of(kind=Kind.PROMOTED, number=2, version="6", void=False):
    event = Event(
        kind=kind, when="2024-01-01T00:00:00+00:00", who="ada@here", previous="3", version=version,
        onnx_digest="o", outcome=Outcome.PASSED, verdict_digest="v", reason="[b]smaller", after=1,
        after_digest="a", mark="m",
    )  # fmt: skip
    return Link(BEGINNING.then(number, event.digest), event, void)


def verdict_of(outcome):
    gates = (
        GateResult("accuracy", outcome, True, "-0.10 points", {"rows": 360}),
        GateResult("classes", Outcome.UNDECIDED, False, "36 rows [class 3]", {}),
    )
    return Verdict("3", "6", 360, gates)


@pytest.fixture
def run(tmp_path, monkeypatch):
    for name in ("DVC_SITE_CACHE_DIR", "PREFECT_HOME", "PREFECT_RESULTS_LOCAL_STORAGE_PATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # which a command sets for good
    project = tmp_path / "project"
    project.mkdir()
    (project / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    runner = CliRunner()
    return lambda *arguments: runner.invoke(cli.app, [*arguments, "--project", str(project)])


@pytest.fixture
def stands(monkeypatch):
    def stand(name, value):
        asked = []

        def answer(*arguments):
            asked.append(arguments)
            if isinstance(value, Exception):
                raise value
            return value

        monkeypatch.setattr(name, answer)
        return asked

    return stand


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_it_does_and_takes_a_project_and_json(run, command):
    done = CliRunner().invoke(cli.app, [command, "--help"])
    assert "--project" in done.stdout
    assert "--json" in done.stdout
    assert f"\n  {command}" in CliRunner().invoke(cli.app, ["--help"]).stdout


def test_a_promotion_is_told_with_every_gate(run, stands):
    done = Promotion("6", "3", verdict_of(Outcome.PASSED), link_of())
    asked = stands("tasks.promoting.promote", done)
    printed = run("promote", "6", "--reason", "smaller", "--dry-run")
    assert printed.exit_code == 0, printed.output
    assert "undecided, warns only" in printed.stdout
    assert "36 rows [class 3]" in printed.stdout
    assert "version 6 is champion, in place of 3: event 2 of the history" in printed.stdout
    ((_project, _params, wanted, _say),) = asked
    assert (wanted.version, wanted.reason, wanted.dry_run, wanted.force) == ("6", "smaller", True, False)
    assert json.loads(run("promote", "--json").stdout)["verdict"]["outcome"] == "passed"


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNDECIDED])
def test_what_did_not_pass_exits_3_with_the_table_and_the_gates_that_stopped_it(run, stands, outcome):
    stands("tasks.promoting.promote", Promotion("6", "3", verdict_of(outcome), None))
    done = run("promote")
    assert done.exit_code == 3
    assert f"version 6 in place of 3: {outcome}, on 360 rows" in done.stdout
    assert f"version 6 is {outcome}; the champion stays 3" in done.stderr
    assert f"accuracy, {outcome}: -0.10 points" in done.stderr
    assert "classes" not in done.stderr
    as_json = run("promote", "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["promoted"]) == (3, False)


def test_what_waits_for_approval_is_told_and_is_no_failure(run, stands):
    asked = stands(
        "tasks.promoting.promote", Promotion("6", "3", verdict_of(Outcome.PASSED), None, waits=True)
    )
    done = run("promote", "--approve")
    assert done.exit_code == 0
    assert "version 6 waits as candidate: `distillery promote --approve` makes it champion" in done.stdout
    assert asked[0][2].approve


def test_a_forced_promotion_is_told_so_and_one_that_lost_exits_5(run, stands):
    stands("tasks.promoting.promote", Promotion("6", "3", None, link_of(Kind.FORCED)))
    done = run("promote", "--force", "--reason", "now")
    assert (done.exit_code, done.stdout.strip()) == (
        0,
        "version 6 is champion, forced, in place of 3: event 2 of the history",
    )
    stands("tasks.promoting.promote", Busy("the champion changed meanwhile"))
    assert run("promote").exit_code == 5


def test_a_rollback_says_what_was_checked(run, stands):
    asked = stands("tasks.rolling_back.roll_back", RolledBack(link_of(Kind.ROLLED_BACK), 100))
    done = run("rollback", "--to", "6", "--reason", "slow")
    assert done.exit_code == 0, done.output
    assert "version 6 is champion again, in place of 3" in done.stdout
    assert "100 recorded rows" in done.stdout
    assert asked[0][2:4] == ("6", "slow")
    assert json.loads(run("rollback", "--json").stdout)["smoke_rows"] == 100
    stands("tasks.rolling_back.roll_back", RolledBack(link_of(Kind.ROLLED_BACK), 0))
    assert "recorded rows" not in run("rollback").stdout


def test_a_history_is_a_table_newest_first_and_its_faults_exit_1(run, stands):
    links = (link_of(), link_of(Kind.FORCED, 3, "7"), link_of(Kind.PROMOTED, 4, "8", void=True))
    stands("tasks.reading_history.remember", Remembered("digits", "7", links, (), ("a note",)))
    lines = run("history").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["4", "3", "2"]
    assert "promoted, void" in lines[1]
    assert "[b]smaller" in lines[3]
    assert "faults" not in json.loads(run("history", "--json").stdout)
    sound = run("history", "--verify")
    assert sound.exit_code == 0
    assert "note: a note" in sound.stdout
    assert "3 events, unbroken" in sound.stdout
    stands("tasks.reading_history.remember", Remembered("digits", "7", links, ("event 2 was edited",), ()))
    harmed = run("history", "--verify", "--json")
    assert (harmed.exit_code, json.loads(harmed.stdout)["faults"]) == (1, ["event 2 was edited"])
    assert "the history of digits is not as it was written" in harmed.stderr
    assert run("history").exit_code == 0


def test_no_history_yet_is_said(run, stands):
    stands("tasks.reading_history.remember", Remembered("digits", None, (), (), ()))
    assert run("history").stdout == "digits has no history yet.\n"


def test_two_versions_are_compared_and_nothing_stops_the_command(run, stands):
    asked = stands("tasks.promoting.compare", verdict_of(Outcome.REFUSED))
    done = run("compare", "3", "6")
    assert done.exit_code == 0
    assert "version 6 in place of 3: refused" in done.stdout
    assert asked[0][2:] == ("3", "6")
    assert json.loads(run("compare", "3", "6", "--json").stdout)["outcome"] == "refused"
