"""Push and pull on the command line: to a folder, over SSH, through kills, and into a fresh clone."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.e2e.conftest import Project, make_project

SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))


def run(folder, *command):
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return run(folder, "git", *identity, *arguments)


def dvc(project, *arguments):
    run(project.folder, sys.executable, "-m", "dvc", *arguments)


def source(file, rows, seed):
    random = np.random.default_rng(seed)
    x = random.integers(0, 255, (rows, 6, 6)).astype(np.uint8)
    np.savez(file, x=x, y=np.arange(rows) % 2)
    return str(file)


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory):
    """A project with two committed versions of data; the first commit knows no remote."""
    folder = tmp_path_factory.mktemp("remotes")
    project = make_project(folder / "project")
    project("data", "import", source(folder / "first.npz", 100, 0))
    git(project.folder, "add", ".")
    git(project.folder, "commit", "--quiet", "-m", "first")
    project("data", "add", source(folder / "second.npz", 20, 1))
    git(project.folder, "commit", "--quiet", "-am", "second")
    return project


@pytest.fixture
def project(two_versions, tmp_path):
    shutil.copytree(two_versions.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture
def with_remote(project, tmp_path):
    dvc(project, "remote", "add", "-d", "store", str(tmp_path / "store"))
    git(project.folder, "commit", "--quiet", "-am", "remote")
    return project


def clone(project, to):
    git(to.parent, "clone", "--quiet", str(project.folder), str(to))
    return Project(to)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def stored(store):
    return [file for file in store.rglob("*") if file.is_file()]


def test_both_versions_are_pushed_verified_and_shown(with_remote, tmp_path):
    before = with_remote("data", "status", "--json").json
    assert before["stored"] == ["DVC's cache"]
    assert before["remotes"] == [
        {"name": "store", "place": str(tmp_path / "store"), "default": True, "verified": None}
    ]
    done = with_remote("data", "push")
    objects = len(stored(tmp_path / "store"))
    assert f"verified {objects} objects" in done.out
    assert "2 versions" in done.out
    again = with_remote("data", "push", "--json").json
    assert (again["objects"], again["versions"], again["sent"]) == (objects, 2, 0)
    status = with_remote("data", "status", "--json").json
    assert any(place.startswith("remote store (verified ") for place in status["stored"])
    assert "remote store (verified " in with_remote("data", "status").out


def test_a_fresh_clone_pulls_and_restores_both_versions(with_remote, tmp_path):
    with_remote("data", "push")
    other = clone(with_remote, tmp_path / "clone")
    assert not (other.folder / "data").exists()
    pulled = other("data", "pull", "--json").json
    assert [(line["folder"], line["pulled"]) for line in pulled] == [("data", True)]
    assert contents(other.folder / "data") == contents(with_remote.folder / "data")
    assert other("data", "status", "--json").json["state"] == "clean"
    assert git(other.folder, "status", "--porcelain") == ""
    other("data", "restore", "HEAD~2", "--to", str(tmp_path / "old"))
    assert len(np.load(tmp_path / "old/labels.npy")) == 100
    assert "data/ is what data.dvc pins" in other("data", "pull").out
    git(other.folder, "checkout", "--quiet", "HEAD~2")  # whose config has no remote
    assert "`dvc remote add --local" in other("data", "pull", code=2).err
    dvc(other, "remote", "add", "--local", "-d", "mine", str(tmp_path / "store"))
    assert "data/ was replaced" in other("data", "pull").err
    assert contents(other.folder / "data") == contents(tmp_path / "old")


def test_changed_data_are_not_pulled_over(with_remote):
    with_remote("data", "push")
    labels = np.load(with_remote.folder / "data/labels.npy")
    labels[0] = 1 - labels[0]
    np.save(with_remote.folder / "data/labels.npy", labels)
    before = contents(with_remote.folder / "data")
    refused = with_remote("data", "pull", code=2)
    assert "would overwrite changes" in refused.err
    assert contents(with_remote.folder / "data") == before


def test_without_a_remote_the_command_that_adds_one_is_told(project):
    refused = project("data", "push", code=2)
    assert "dvc remote add -d NAME /absolute/folder" in refused.err


def test_an_object_that_is_nowhere_is_named_with_exit_1(with_remote, tmp_path):
    with_remote("data", "push")
    gone = next(file for file in stored(tmp_path / "store") if not file.name.endswith(".dir"))
    gone.unlink()
    (with_remote.folder / ".dvc/cache/files/md5" / gone.parent.name / gone.name).unlink()
    refused = with_remote("data", "push", code=1)
    assert gone.parent.name + gone.name in refused.err
    assert "verified" not in with_remote("data", "status").out


@pytest.mark.slow
def test_pushes_killed_at_any_moment_are_completed_by_the_next(with_remote, tmp_path):
    for there in range(6):
        with subprocess.Popen(with_remote.command("data", "push"), stdout=subprocess.DEVNULL) as push:
            while push.poll() is None and len(stored(tmp_path / "store")) < there:
                time.sleep(0.001)
            push.send_signal(signal.SIGKILL)
        shutil.rmtree(tmp_path / "store", ignore_errors=True) if there < 3 else None
    with_remote("data", "push")
    shutil.rmtree(with_remote.folder / ".dvc/cache")
    assert with_remote("data", "push", "--json").json["sent"] == 0


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def ssh(tmp_path):
    """A real sshd of this user on the loopback, with keys that live as long as the test; returns its port."""
    pytest.importorskip("dvc_ssh", reason="needs the extra `ssh`: pip install 'distillery[ssh]'")
    if SSHD is None or shutil.which("ssh-keygen") is None:
        pytest.skip("needs sshd (the package openssh-server): none is installed")
    home, port = tmp_path / "ssh", free_port()
    home.mkdir(mode=0o700)
    for key in ("host", "user"):
        run(home, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / key))
    shutil.copy(home / "user.pub", home / "authorized_keys")
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": port,
        "HostKey": home / "host",
        "AuthorizedKeysFile": home / "authorized_keys",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "StrictModes": "no",  # the temporary folder is everybody's
        "PidFile": "none",
        "Subsystem": "sftp internal-sftp",
    }
    (home / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    command = [SSHD, "-D", "-e", "-f", str(home / "config")]
    with (home / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as server:
        wait_for(server, port, home / "log")
        yield port
        server.terminate()


def wait_for(server, port, log):
    """Until it answers; one that the system does not let start is no fault of ours."""
    for _ in range(100):
        if server.poll() is not None:
            pytest.skip(f"sshd does not start here: {log.read_text()[-300:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    server.kill()
    raise AssertionError(log.read_text())


@pytest.mark.slow
def test_over_ssh_both_versions_are_pushed_verified_damaged_mended_and_pulled(project, ssh, tmp_path):
    store, key = tmp_path / "far", str(tmp_path / "ssh/user")
    dvc(project, "remote", "add", "-d", "far", f"ssh://127.0.0.1:{ssh}{store}")
    dvc(project, "remote", "modify", "--local", "far", "keyfile", key)
    git(project.folder, "commit", "--quiet", "-am", "remote")
    pushed = project("data", "push", "--json").json
    assert pushed["objects"] == pushed["sent"] == len(stored(store))
    assert project("data", "push", "--json").json["sent"] == 0

    files = [file for file in stored(store) if not file.name.endswith(".dir")]
    listing = next(file for file in stored(store) if file.name.endswith(".dir"))
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:-1])
    listing.write_bytes(listing.read_bytes().replace(b"relpath", b"relp4th"))
    mended = project("data", "push", "--json").json
    assert (mended["sent"], len(mended["repaired"])) == (3, 2)

    other = clone(project, tmp_path / "clone")
    dvc(other, "remote", "modify", "--local", "far", "keyfile", key)
    (line,) = json.loads(other("data", "pull", "--json").out)
    assert f"remote far (ssh://127.0.0.1:{ssh}{store})" in line["places"]
    assert contents(other.folder / "data") == contents(project.folder / "data")

    cache = project.folder / ".dvc/cache"
    shutil.rmtree(cache)
    assert project("data", "push", "--json").json["objects"] == pushed["objects"]
    first = files[0].read_bytes()
    files[0].unlink()
    files[1].write_bytes(b"")
    refused = project("data", "push", code=1)
    assert files[0].parent.name + files[0].name in refused.err
    files[0].write_bytes(first)
    assert "were pinned" in project("data", "push", code=1).err


@pytest.mark.slow
def test_an_ssh_host_that_is_gone_or_lets_nobody_in_says_so(project, ssh, tmp_path):
    run(tmp_path, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "stranger"))
    dvc(project, "remote", "add", "-d", "far", f"ssh://127.0.0.1:{ssh}{tmp_path}/far")
    dvc(project, "remote", "modify", "--local", "far", "keyfile", str(tmp_path / "stranger"))
    refused = project("data", "push", code=1)
    assert "remote far" in refused.err
    assert "cannot be used" in refused.err
    dvc(project, "remote", "modify", "far", "url", f"ssh://127.0.0.1:{free_port()}{tmp_path}/far")
    assert "cannot be used" in project("data", "push", code=1).err
