"""Several processes, kills, a server that goes away: one champion at any time, on SQLite and over HTTP."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distillery.errors import Busy, DistilleryError, Refused
from distillery.history import Kind
from distillery.verdict import Verdict
from tasks import promoting
from tasks.anchor_file import read_champion
from tasks.champion import Move, crown, settle
from tasks.promoting import Asked, promote
from tasks.reading_history import remember
from tasks.registering import find_version, list_models
from tasks.rolling_back import roll_back
from tasks.tracking import Registry, open_registry

pytestmark = pytest.mark.slow
SCRIPT = str(Path(__file__).with_name("cut_promotion.py"))


def silent(_sentence):
    pass


def start(*arguments):
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def race(project, meeting, versions):
    """Exit codes of processes that all judged against the same champion, then promoted at once."""
    meeting.mkdir()
    running = [start(project, "nowhere", version, meeting) for version in versions]
    deadline = time.monotonic() + 240
    while len(list(meeting.glob("judged-*"))) < len(running) and time.monotonic() < deadline:
        time.sleep(0.05)
    (meeting / "go").touch()
    said = [process.communicate(timeout=240) for process in running]
    codes = [process.returncode for process in running]
    assert all("changed meanwhile" in err for code, (_, err) in zip(codes, said, strict=True) if code), said
    return codes


def the_winner_is_champion(project, params, versions, codes):
    assert sorted(codes) == [0, *[5] * (len(versions) - 1)]
    found = remember(project, params.registry)
    assert (found.faults, found.notes) == ((), ())
    assert found.champion == versions[codes.index(0)] == read_champion(project).version
    assert [link.void for link in found.links] == [False, False, *[True] * (len(versions) - 1)]


def test_of_promotions_at_once_in_several_processes_one_wins(champions, params, tmp_path):
    versions = ["6", "5", "4"]
    codes = race(champions, tmp_path / "meeting", versions)
    the_winner_is_champion(champions, params, versions, codes)


def test_the_same_over_http(project, server, params, tmp_path, monkeypatch, request):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    champions = request.getfixturevalue("champions")
    versions = ["6", "5"]
    the_winner_is_champion(champions, params, versions, race(champions, tmp_path / "meeting", versions))


KILLED_AT = {  # and who is champion then
    "tasks.ledger:Ledger.append": "3",
    "mlflow:MlflowClient.create_model_version": "3",
    "tasks.tracking:Registry.set_alias": "6",
    "tasks.tracking:Registry.tag": "6",
    "tasks.anchor_file:write_json": "6",
}


@pytest.mark.parametrize("cut", KILLED_AT)
def test_killed_at_a_write_the_next_command_finds_one_champion(champions, params, cut):
    process = start(champions, cut, "6")
    process.communicate(timeout=240)
    assert process.returncode == -signal.SIGKILL
    assert remember(champions, params.registry).faults == ()
    with open_registry(champions, params.registry) as registry:
        assert settle(registry, silent).champion == registry.aliases()["champion"] == KILLED_AT[cut]
    found = remember(champions, params.registry)
    assert (found.champion, found.faults, found.notes) == (KILLED_AT[cut], (), ())
    assert read_champion(champions).version == KILLED_AT[cut]


def test_a_server_keeps_one_history_for_all_and_going_away_it_moves_nothing(
    project, mlflow_server, params, monkeypatch, request
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server.uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    champions = request.getfixturevalue("champions")
    monkeypatch.setattr(
        promoting, "judge_versions", lambda _1, _2, _3, old, new: Verdict(old.number, new.number, 360, ())
    )
    assert promote(champions, params, Asked(None, "smaller"), silent).link.head.number == 2
    with open_registry(champions, params.registry) as registry:
        seen = settle(registry, silent)
        crown(registry, seen, Move(Kind.FORCED, find_version(registry, "4"), "now"))
        with pytest.raises(Busy):
            crown(registry, seen, Move(Kind.PROMOTED, find_version(registry, "5"), ""))
    assert roll_back(champions, params.registry, None, "slow", silent).rows == 4
    found = remember(champions, params.registry)
    assert [(row["kind"], row["to"], row["void"]) for row in found.to_json()["events"]] == [
        ("first", "3", False),
        ("promoted", "6", False),
        ("forced", "4", False),
        ("promoted", "5", True),
        ("rolled back", "6", False),
    ]
    assert (found.faults, found.champion) == ((), "6")
    assert read_champion(champions).registry == mlflow_server.uri
    a_server_that_goes_away_in_the_middle(champions, mlflow_server, params, monkeypatch)
    a_changed_event_and_a_harmed_file_are_found(champions, mlflow_server, params)


def a_server_that_goes_away_in_the_middle(champions, mlflow_server, params, monkeypatch):
    real, anchor = Registry.set_alias, read_champion(champions)

    def away(self, alias, number):
        mlflow_server.stop()
        real(self, alias, number)

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "set_alias", away)
        with pytest.raises(DistilleryError, match="correct that and run again"):
            promote(champions, params, Asked("5", "smaller"), silent)
    for command in (
        lambda: promote(champions, params, Asked("5", ""), silent),
        lambda: roll_back(champions, params.registry, None, "", silent),
        lambda: remember(champions, params.registry),
    ):
        with pytest.raises(DistilleryError, match="does not answer"):
            command()
    assert read_champion(champions) == anchor
    mlflow_server.start()
    said = []
    with open_registry(champions, params.registry) as registry:
        assert registry.aliases()["champion"] == "6"
        assert settle(registry, said.append).champion == "5"
    assert "event 6 made version 5 champion, and that is finished now" in said[0]


def a_changed_event_and_a_harmed_file_are_found(champions, mlflow_server, params):
    with open_registry(champions, params.registry) as registry:
        version = registry._client.get_model_version("digits-history", "2")
        text = version.tags["event"].replace("smaller", "kinder!")
        registry._client.set_model_version_tag("digits-history", "2", "event", text)
        digest = find_version(registry, "6").tags["onnx_digest"]
    assert "event 2 was edited" in remember(champions, params.registry).faults[0]
    for file in mlflow_server.folder.rglob("model.onnx"):
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(Refused, match=digest):
        roll_back(champions, params.registry, "6", "", silent)
    held = {
        alias: row["version"] for row in list_models(champions, params.registry) for alias in row["aliases"]
    }
    assert held["champion"] == "5"
