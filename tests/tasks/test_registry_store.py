import pytest
from pydantic import ValidationError

from distillery.errors import ProjectError
from distillery.params.budget import RegistryParams
from tasks.registry_store import (
    ensure_store,
    local_uri,
    store_folder,
    store_id,
    store_identity,
    tracking_uri,
    without_credentials,
)


def registry(uri=None):
    return RegistryParams(name="digits", uri=uri)


def test_the_environment_wins_then_params_then_sqlite_inside_the_project(project, monkeypatch):
    assert (
        tracking_uri(project, registry())
        == local_uri(project)
        == f"sqlite:///{project}/.distillery/mlflow/mlflow.db"
    )
    assert tracking_uri(project, registry("http://a:1")) == "http://a:1"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://b:2")
    assert tracking_uri(project, registry("http://a:1")) == "http://b:2"


def test_a_relative_database_is_in_the_project_wherever_the_command_runs(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tracking_uri(project, registry("sqlite:///own.db")) == f"sqlite:///{project}/own.db"
    assert tracking_uri(project, registry("sqlite:////abs/own.db")) == "sqlite:////abs/own.db"


@pytest.mark.parametrize("uri", ["mlruns", "/some/folder", "file:///some/folder"])
def test_a_folder_is_refused_with_what_to_name_instead(project, uri):
    with pytest.raises(ProjectError, match="name a server"):
        tracking_uri(project, registry(uri))


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:secret@host:5000/path?token=secret#secret", "http://host:5000/path"),
        ("postgresql://user:secret@[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("https://host", "https://host"),
    ],
)
def test_a_shown_uri_has_no_credentials(uri, shown):
    assert without_credentials(uri) == shown


def test_asking_for_the_identity_writes_nothing(project):
    assert store_identity(project, registry()) == "none yet"
    assert store_id(project) is None
    assert not store_folder(project).exists()


def test_the_identity_of_a_server_is_its_address_without_secrets(project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://u:p@host")
    assert store_identity(project, registry()) == "http://host"


@pytest.mark.parametrize("uri", ["http://u:p@host", "sqlite:///r.db?password=x"])
def test_params_that_hold_a_secret_are_refused(uri):
    with pytest.raises(ValidationError, match="MLFLOW_TRACKING_URI"):
        registry(uri)


@pytest.mark.parametrize("uri", ["http://host:abc", "http://[bad"])
def test_an_address_that_is_none_is_a_mistake_of_the_user(project, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(ProjectError, match="no address"):
        store_identity(project, registry())


def test_an_id_stays_until_its_database_is_gone(project):
    first = ensure_store(project)
    assert ensure_store(project) == first == store_identity(project, registry())
