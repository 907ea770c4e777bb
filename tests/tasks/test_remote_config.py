import subprocess
import sys

import pytest

from distillery.errors import ProjectError
from tasks.remote_config import choose_remote, configured_remotes, without_secrets
from tasks.repository import ensure_repository

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")  # DVC's


@pytest.fixture
def repository(project, tmp_path, monkeypatch):
    """A DVC repository with empty global and system configs of its own."""
    for level in ("GLOBAL", "SYSTEM"):
        (tmp_path / level).mkdir()
        monkeypatch.setenv(f"DVC_{level}_CONFIG_DIR", str(tmp_path / level))
    ensure_repository(project)
    return project


def dvc(folder, *arguments):
    command = [sys.executable, "-m", "dvc", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_the_remotes_are_those_that_dvc_knows(repository, tmp_path):
    dvc(repository, "remote", "add", "zoo", str(tmp_path / "zoo"))
    dvc(repository, "remote", "add", "-d", "Store", str(tmp_path / "a, b # c"))
    dvc(repository, "remote", "add", "--local", "mine", "s3://bucket/path")
    dvc(repository, "remote", "add", "--global", "ours", "ssh://host/srv")
    (repository / "sub").mkdir()
    dvc(repository / "sub", "remote", "add", "near", "../../near")
    from dvc.repo import Repo

    with Repo(str(repository)) as repo:
        known = {name: str(config["url"]) for name, config in repo.config["remote"].items()}
        default = repo.config["core"]["remote"]
    found = configured_remotes(repository)
    assert {remote.name: remote.place for remote in found} == known
    assert [remote.name for remote in found] == [default, "mine", "near", "ours", "zoo"]
    assert [remote.name for remote in found if remote.default] == [default]
    assert [remote.name for remote in found if remote.relative] == ["near"]
    assert str(found[0]) == f"remote store ({tmp_path}/a, b # c)"


def test_a_local_config_overrides_the_committed_one_and_changes_the_identity(repository, tmp_path):
    dvc(repository, "remote", "add", "-d", "store", "s3://bucket/path")
    (first,) = configured_remotes(repository)
    dvc(repository, "remote", "modify", "--local", "store", "endpointurl", "https://elsewhere.example.org")
    (second,) = configured_remotes(repository)
    dvc(repository, "remote", "modify", "--local", "store", "secret_access_key", "hush")
    (third,) = configured_remotes(repository)
    assert (first.place, second.place) == ("s3://bucket/path",) * 2
    assert len({first.identity, second.identity, third.identity}) == 2
    assert second.identity == third.identity
    assert third.secrets == ("hush",)


def test_without_a_remote_it_is_said_how_to_add_one(repository, tmp_path):
    assert configured_remotes(repository) == ()
    with pytest.raises(ProjectError, match=r"no remote is configured.*`dvc remote add -d NAME /absolute"):
        choose_remote(repository, None)
    dvc(repository, "remote", "add", "store", str(tmp_path / "store"))
    with pytest.raises(ProjectError, match=r"no remote is the default \(there are store\).*--remote"):
        choose_remote(repository, None)
    with pytest.raises(ProjectError, match=r"no remote is called 'stroe' \(there are store\)"):
        choose_remote(repository, "stroe")
    assert choose_remote(repository, "STORE").name == "store"


def test_a_config_that_cannot_be_read_is_named(repository):
    (repository / ".dvc/config").write_text("[core\n")
    with pytest.raises(ProjectError, match=r"\.dvc/config cannot be read as DVC's config"):
        configured_remotes(repository)


SECRETS = {
    "password": "pass-word",
    "passphrase": "phrase",
    "access_key_id": "AKIA",
    "secret_access_key": "s3cr3t",
    "session_token": "sess",
    "connection_string": "Endpoint=x;Key=y",
    "account_key": "acc",
    "sas_token": "sas",
    "client_secret": "cli",
    "custom_auth_header": "X-Auth: 1",
    "oss_key_secret": "oss",
}
OPEN = {
    "keyfile": "/keys/id",
    "credentialpath": "/keys/gs.json",
    "ask_password": "true",
    "user": "me",
    "port": "22",
}


def test_credentials_are_secrets_and_the_rest_may_be_shown(repository):
    lines = [f"    {key} = {value!r}" for key, value in (SECRETS | OPEN).items()]
    config = ["['remote \"x\"']", "    url = ssh://me:p%40ss@host:22/srv?sig=zzz", *lines]
    (repository / ".dvc/config").write_text("\n".join(config) + "\n")
    (remote,) = configured_remotes(repository)
    assert remote.place == "ssh://host:22/srv"
    assert set(SECRETS.values()) | {"p%40ss", "p@ss", "zzz", "sig=zzz"} == set(remote.secrets)
    assert not any(secret in repr(str(remote)) for secret in remote.secrets)
    said = f"ssh://me:p%40ss@host/srv with {' '.join(SECRETS.values())} p@ss, {OPEN['keyfile']}"
    shown = without_secrets(said, remote.secrets)
    assert not any(secret in shown for secret in remote.secrets)
    assert "/keys/id" in shown
