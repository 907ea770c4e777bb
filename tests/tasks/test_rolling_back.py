"""Back in one command: only to a file that is what it was, and only from the champion that was seen."""

import shutil

import pytest

from distillery.errors import Busy, ProjectError, Refused
from distillery.history import Kind
from tasks.champion import Move, crown, settle
from tasks.registering import fetch_model, find_version, list_models
from tasks.rolling_back import roll_back
from tasks.tracking import Registry, open_registry


@pytest.fixture
def promoted(champions, params):
    """Version 6 took the place of 3."""
    promote(champions, params, "6")
    return champions


def silent(_sentence):
    pass


def promote(project, params, number):
    with open_registry(project, params.registry) as registry:
        crown(registry, settle(registry, silent), Move(Kind.PROMOTED, find_version(registry, number), ""))


def back(project, params, to=None, reason="it was slow", say=silent):
    return roll_back(project, params.registry, to, reason, say)


def champion(project, params):
    return fetch_model(project, params.registry, "champion").version


def test_it_goes_back_to_the_champion_before_and_says_why(promoted, params):
    done = back(promoted, params)
    assert champion(promoted, params) == "3"
    event = done.link.event
    assert (event.kind, event.previous, event.version) == (Kind.ROLLED_BACK, "6", "3")
    assert (event.reason, event.outcome, done.rows) == ("it was slow", None, 4)
    assert done.to_json()["event"] == 3


def test_a_second_rollback_does_not_go_forward_again(promoted, params):
    promote(promoted, params, "4")
    back(promoted, params)
    assert champion(promoted, params) == "6"
    back(promoted, params)
    assert champion(promoted, params) == "3"
    with pytest.raises(ProjectError, match="version 3 has no champion before it"):
        back(promoted, params)


def test_any_version_that_was_champion_can_be_named_and_no_other(promoted, params):
    promote(promoted, params, "4")
    with pytest.raises(ProjectError, match=r"5 never was champion of .* \(3, 6 was\).*promote 5"):
        back(promoted, params, to="5")
    with pytest.raises(ProjectError, match="version 4 is the champion"):
        back(promoted, params, to="champion")
    back(promoted, params, to="3")
    assert champion(promoted, params) == "3"


def test_without_a_registry_or_a_champion_it_says_what_makes_one(project, params, stored):
    with pytest.raises(ProjectError, match="has no champion"):
        back(stored, params)
    shutil.rmtree(stored / ".distillery/mlflow")
    with pytest.raises(ProjectError, match="holds no version yet"):
        back(stored, params)
    assert list_models(stored, params.registry) == []


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def files_of(project, number, params):
    with open_registry(project, params.registry) as registry:
        version = find_version(registry, number)
        digest, content = version.tags["bundle"], registry.read_file(version)
    artifacts = project / ".distillery/mlflow/artifacts"
    model = next(path for path in artifacts.rglob("model.onnx") if path.read_bytes() == content)
    (smoke,) = artifacts.rglob(f"{digest}/smoke.npz")
    return {"model": model, "smoke": smoke}


@pytest.mark.parametrize(
    ("what", "harm", "said"),
    [
        ("model", flip, "the file's SHA-256 is "),
        ("model", lambda file: file.unlink(), "its ONNX file is gone"),
        ("smoke", flip, "its recorded rows, smoke.npz in .* were altered"),
        ("smoke", lambda file: file.unlink(), "its recorded rows, smoke.npz, are gone from"),
    ],
)
def test_a_harmed_file_is_refused_and_nothing_moves(promoted, params, what, harm, said):
    harm(files_of(promoted, "3", params)[what])
    with pytest.raises(Refused, match=said):
        back(promoted, params)
    assert champion(promoted, params) == "6"


def test_a_record_that_was_altered_to_fit_is_refused(promoted, params):
    with open_registry(promoted, params.registry) as registry:
        registry._client.set_model_version_tag("digits", "3", "onnx_digest", "0" * 64)
    with pytest.raises(Refused, match="onnx_digest is '0000"):
        back(promoted, params)


def test_a_version_without_recorded_rows_is_only_checked_and_loaded_and_that_is_said(
    stored, params, record, bundle
):
    from tasks.registering import register

    for seed in range(2):
        register(stored, params.registry, record(seed=seed), bundle)
    promote(stored, params, "6")
    said = []
    assert back(stored, params, say=said.append).rows == 0
    assert said == ["version 3 has no recorded rows: its file was only checked and loaded"]


def test_what_was_changed_meanwhile_is_not_rolled_back(promoted, params, monkeypatch):
    real = Registry.read_file

    def meanwhile(self, version):
        monkeypatch.setattr(Registry, "read_file", real)
        promote(promoted, params, "4")
        return real(self, version)

    monkeypatch.setattr(Registry, "read_file", meanwhile)
    with pytest.raises(Busy, match="the champion changed meanwhile"):
        back(promoted, params)
    assert champion(promoted, params) == "4"
