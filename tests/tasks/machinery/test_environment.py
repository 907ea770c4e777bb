import os

import pytest

from tasks.environment import has_own_server, prepare_environment


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """An environment that says nothing of ours; what is set goes with the test."""
    kept = dict(os.environ)
    for name in list(os.environ):
        if (
            name.startswith(("PREFECT_", "MLFLOW_", "DVC_", "ORT_", "DO_NOT_TRACK"))
            or name.lower() == "no_proxy"
        ):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(kept)


def test_everything_stays_in_the_project_and_nothing_reports_home(tmp_path):
    prepare_environment(tmp_path)
    for name in ("PREFECT_HOME", "PREFECT_RESULTS_LOCAL_STORAGE_PATH", "DVC_SITE_CACHE_DIR", "MPLCONFIGDIR"):
        assert os.environ[name].startswith(str(tmp_path / ".distillery"))
    assert os.environ["DO_NOT_TRACK"] == "true"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert os.environ["DVC_NO_ANALYTICS"] == "1"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert list(tmp_path.iterdir()) == []


def test_embedded_unless_a_server_is_named(tmp_path):
    prepare_environment(tmp_path)
    assert os.environ["PREFECT_API_URL"] == ""
    assert os.environ["PREFECT_LOGGING_TO_API_ENABLED"] == "false"
    assert not has_own_server()


def test_a_named_server_stays_and_gets_the_logs(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://host:4200/api")
    prepare_environment(tmp_path)
    assert os.environ["PREFECT_API_URL"] == "http://host:4200/api"
    assert "PREFECT_LOGGING_TO_API_ENABLED" not in os.environ
    assert has_own_server()


def test_a_relative_project_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare_environment(tmp_path.relative_to(tmp_path))
    assert os.environ["PREFECT_HOME"] == str(tmp_path / ".distillery/prefect")


@pytest.mark.parametrize("spelling", ["no_proxy", "NO_PROXY"])
def test_a_proxy_is_not_asked_for_our_own_server(tmp_path, monkeypatch, spelling):
    monkeypatch.setenv(spelling, "inner.example")
    prepare_environment(tmp_path)
    prepare_environment(tmp_path)
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "inner.example,127.0.0.1"
