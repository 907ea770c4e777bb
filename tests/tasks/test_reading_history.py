"""A history as it is read: events in order, and all that does not agree with them."""

import pytest

from distillery.artifacts import read_json, write_json
from distillery.history import Kind
from tasks.anchor_file import FILE
from tasks.champion import Move, crown, settle
from tasks.reading_history import remember
from tasks.registering import find_version
from tasks.tracking import Registry, open_registry


def silent(_sentence):
    pass


def promote(project, params, number):
    with open_registry(project, params.registry) as registry:
        move = Move(Kind.FORCED, find_version(registry, number), "in a hurry")
        crown(registry, settle(registry, silent), move)


@pytest.fixture
def client(champions, params):
    with open_registry(champions, params.registry) as registry:
        yield registry._client


def test_every_event_says_when_who_from_to_and_why(champions, params):
    promote(champions, params, "6")
    found = remember(champions, params.registry)
    assert (found.faults, found.notes) == ((), ())
    told = found.to_json()
    assert (told["model"], told["champion"]) == ("digits", "6")
    first, second = told["events"]
    assert (first["kind"], first["from"], first["to"], first["forced"]) == ("first", None, "3", False)
    assert (second["kind"], second["from"], second["to"], second["forced"]) == ("forced", "3", "6", True)
    assert (second["reason"], second["verdict"], second["void"]) == ("in a hurry", None, False)
    assert (second["after"], second["after_digest"]) == (1, first["digest"])


def test_a_registry_that_is_not_there_has_no_history_and_is_not_made(project, params):
    found = remember(project, params.registry)
    assert (found.links, found.faults, found.notes) == ((), (), ())
    assert not (project / ".distillery/mlflow").exists()


def test_an_alias_that_was_moved_by_other_means_is_a_fault(champions, params, client):
    client.set_registered_model_alias("digits", "champion", "5")
    found = remember(champions, params.registry)
    assert found.faults == ("alias champion names version 5, but event 1 made version 3 champion",)
    client.delete_registered_model_alias("digits", "champion")
    assert "alias champion is gone" in remember(champions, params.registry).faults[0]


def test_what_was_only_cut_off_is_a_note(champions, params, monkeypatch):
    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "set_alias", kill)
        with pytest.raises(KeyboardInterrupt):
            promote(champions, params, "6")
    found = remember(champions, params.registry)
    assert found.faults == ()
    assert "event 2 made version 6 champion and was cut off" in found.notes[0]


def test_a_removed_history_a_champion_without_one_and_a_gone_champion_are_faults(champions, params, client):
    client.delete_registered_model("digits-history")
    assert [fault.partition(",")[0] for fault in remember(champions, params.registry).faults] == [
        "the tag history_anchor of version 3 names event 1",
        "champion.json names event 1",
        "version 3 is champion",
    ]


def test_a_champion_that_is_gone_or_has_another_file_is_a_fault(champions, params, client):
    client.set_model_version_tag("digits", "3", "onnx_digest", "0" * 64)
    assert remember(champions, params.registry).faults == (
        "event 1: version 3 had another file than its record has now",
    )
    client.delete_model_version("digits", "3")
    assert "version 3, which event 1 made champion, is gone" in remember(champions, params.registry).faults[0]


def test_the_committed_file_anchors_and_says_when_it_cannot(champions, params):
    file = champions / FILE
    anchor = read_json(file)
    write_json(file, {**anchor, "digest": "0" * 64})
    assert "champion.json names event 1 with another digest" in remember(champions, params.registry).faults[0]
    write_json(file, {**anchor, "registry": "http://elsewhere"})
    found = remember(champions, params.registry)
    assert found.faults == ()
    assert "champion.json is of another registry, digits at http://elsewhere" in found.notes[0]
    file.write_text("<<<<<<< HEAD")
    assert "is damaged" in remember(champions, params.registry).faults[0]
    file.unlink()
    assert "champion.json is not there" in remember(champions, params.registry).notes[0]
    promote(champions, params, "6")
    assert read_json(file)["version"] == "6"
