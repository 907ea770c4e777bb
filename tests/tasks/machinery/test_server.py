import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from distillery.errors import DistilleryError
from tasks.server import EMBEDDED, Server, end_leftovers, leftover_servers, prefect_server

PID_FILE = EMBEDDED.pid_file


def test_it_answers_on_the_loopback_alone(server):
    assert httpx.get(f"{server.url}/health").json() is True
    assert server.url.startswith("http://127.0.0.1:")
    assert server.process.poll() is None


def test_it_is_not_in_our_terminal_session(server):
    assert os.getsid(server.process.pid) != os.getsid(0)


def test_a_named_server_is_taken_and_none_is_started(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api/")
    monkeypatch.setattr("tasks.server.ANSWER_SECONDS", 0.3)
    with prefect_server(tmp_path) as named:
        assert (named.url, named.process) == ("http://127.0.0.1:9/api", None)
        with pytest.raises(DistilleryError, match="does not answer: start it, or unset PREFECT_API_URL"):
            named.wait_until_healthy()
    assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:9/api/"
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_ends_at_once_is_said_with_its_log(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    process.wait()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = Server(f"http://127.0.0.1:{unused.getsockname()[1]}/api", tmp_path / "log", process)
    with pytest.raises(DistilleryError, match=r"ended with code 7: see .*log"):
        dead.wait_until_healthy()


@pytest.mark.parametrize("content", ["", "[]", '{"pid": "x"}', '{"pid": 1, "parent": 2}'])
def test_a_pid_file_that_names_no_server_of_ours(tmp_path, content):
    (tmp_path / PID_FILE).parent.mkdir()
    (tmp_path / PID_FILE).write_text(content)
    assert leftover_servers(tmp_path) == {}
    end_leftovers(tmp_path)
    assert (tmp_path / PID_FILE).read_text() == content


def test_a_living_run_has_no_leftover(server):
    project = server.log.parents[2]
    assert json.loads((project / PID_FILE).read_text())["pid"] == server.process.pid
    assert leftover_servers(project) == {}


def test_an_orphan_is_found_and_ended(tmp_path):
    """As on a system whose kernel did not send the signal."""
    code = "print('up', flush=True); input()"
    command = [sys.executable, "-c", code, "tasks.server"]
    orphan = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert orphan.stdout.readline() == "up\n"
    (tmp_path / PID_FILE).parent.mkdir()
    (tmp_path / PID_FILE).write_text(json.dumps({"pid": orphan.pid, "parent": 2**22 + 1}))
    assert leftover_servers(tmp_path) == {tmp_path / PID_FILE: orphan.pid}
    end_leftovers(tmp_path)
    assert orphan.wait(5) == -signal.SIGKILL
    orphan.stdin.close()
    orphan.stdout.close()
    assert not (tmp_path / PID_FILE).exists()


SERVE = """
    import os, sys, time
    from pathlib import Path
    from tasks.environment import prepare_environment
    from tasks.server import prefect_server

    project = Path(sys.argv[1])
    prepare_environment(project)
    with prefect_server(project) as server:
        assert "prefect" not in sys.modules
        if sys.argv[2] == "healthy":
            server.wait_until_healthy()
        print(server.process.pid, flush=True)
        if sys.argv[3] == "stay":
            time.sleep(600)
    print("stopped", os.environ["PREFECT_API_URL"] == "", flush=True)
"""


def test_a_killed_parent_takes_it_along_even_while_it_starts(tmp_path, script, gone):
    parent = script(SERVE, str(tmp_path), "starting", "stay")
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.communicate()
    assert gone(pid)
    assert leftover_servers(tmp_path) == {}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_healthy_one_goes_with_its_parent_whatever_kills_it(tmp_path, script, gone, number):
    parent = script(SERVE, str(tmp_path), "healthy", "stay")
    pid = int(parent.stdout.readline())
    parent.send_signal(number)
    parent.communicate()
    assert gone(pid)


@pytest.mark.slow
def test_it_stops_at_the_end_of_the_block(tmp_path, script, gone):
    parent = script(SERVE, str(tmp_path), "healthy", "go")
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == "stopped True\n"
    assert gone(pid)
    assert not (tmp_path / PID_FILE).exists()
    parent.communicate()


def test_one_that_ignores_sigterm_is_killed(tmp_path, monkeypatch):
    from tasks.server import _stop

    monkeypatch.setattr("tasks.server.STOP_SECONDS", 0.2)
    source = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(flush=True)\ninput()"
    deaf = subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    deaf.stdout.readline()
    _stop(Server("", None, deaf))
    assert deaf.returncode == -signal.SIGKILL
    deaf.stdin.close()
    deaf.stdout.close()
