"""Our own embedded Prefect server, which never outlives us.

Prefect's own survives the death of its parent. This one is started on a listening socket that it inherits, so
the address is known at once and a first request waits in the queue instead of being refused; it asks the
kernel for a signal when its parent dies; and it has a session of its own, so that Ctrl-C ends our flow first.
Importing this file costs nothing: Prefect is imported in the child alone, while the parent does other things.
"""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from distillery.artifacts import read_json, write_json
from distillery.errors import DistilleryError
from tasks.environment import has_own_server

PID_FILE = Path(".distillery/server.json")
LOG = Path(".distillery/logs/prefect-server.log")
MODULE = "tasks.server"
START_SECONDS = 120.0
ANSWER_SECONDS = 10.0
STOP_SECONDS = 5.0
PR_SET_PDEATHSIG = 1
SETTINGS = {
    "PREFECT_API_URL": "",
    "PREFECT_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",  # no block is used; 2 s of a first start
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",  # to the log file
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",  # fewer writers: SQLite's "locked" costs
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",  # a client 2 s, and at the worst a minute
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}


@dataclass
class Server:
    """A Prefect server: its address, and the process if it is ours."""

    url: str
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    def wait_until_healthy(self) -> None:
        """Return when it answers; DistilleryError naming its log where it does not."""
        deadline = time.monotonic() + (START_SECONDS if self.process else ANSWER_SECONDS)
        while (left := deadline - time.monotonic()) > 0:
            if self.process is not None and self.process.poll() is not None:
                code = self.process.returncode
                raise DistilleryError(f"The embedded Prefect server ended with code {code}: see {self.log}")
            if _answers(f"{self.url}/health", left):
                return
            time.sleep(0.05)
        where = (
            f"see {self.log}" if self.log else "start it, or unset PREFECT_API_URL to use the embedded one"
        )
        raise DistilleryError(f"The Prefect server at {self.url} does not answer: {where}")


@contextmanager
def prefect_server(project: Path) -> Iterator[Server]:
    """The server that PREFECT_API_URL names, or one of our own for as long as the block lasts.

    Enter it before prefect is imported, import what else is needed, then call `wait_until_healthy`. Enter it
    in the main thread: the kernel counts the death of the thread that started a child as its parent's.
    """
    if has_own_server():
        yield Server(os.environ["PREFECT_API_URL"].rstrip("/"))
        return
    server = _start(project)
    os.environ["PREFECT_API_URL"] = server.url
    try:
        yield server
    finally:
        os.environ["PREFECT_API_URL"] = ""
        _stop(server)
        (project / PID_FILE).unlink(missing_ok=True)


def leftover_server(project: Path) -> int | None:
    """The process id of a server of this project that lost its parent, if there is one."""
    try:
        told = read_json(project / PID_FILE)
        pid, parent = int(told["pid"]), int(told["parent"])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if MODULE.encode() in command and int(status[1]) != parent else None


def end_leftover(project: Path) -> int | None:
    """Kill a server that lost its parent; its process id if there was one."""
    pid = leftover_server(project)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        (project / PID_FILE).unlink(missing_ok=True)
    return pid


def _start(project: Path) -> Server:
    log = project / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket() as listening, log.open("ab") as output:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(listening.fileno()), str(os.getpid())],
            env={**os.environ, **SETTINGS},
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
    write_json(project / PID_FILE, {"pid": process.pid, "parent": os.getpid(), "url": url})
    return Server(url, log, process)


def _stop(server: Server) -> None:
    """It may ignore SIGTERM after a burst of events."""
    if server.process is None:
        return
    server.process.terminate()
    try:
        server.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


def _answers(url: str, seconds: float) -> bool:
    """Whether a server is there; one that wants credentials is Prefect's client's to talk to."""
    try:
        with urllib.request.urlopen(url, timeout=seconds):  # noqa: S310 - the address is ours or the user's
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _die_with(parent: int) -> None:
    """Ask for SIGKILL at the parent's death. It may have died before we asked."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def serve(descriptor: int, parent: int) -> None:
    """The child: Prefect's API on an inherited listening socket, until a signal or the parent's death."""
    _die_with(parent)
    import uvicorn

    config = uvicorn.Config("prefect.server.api.server:create_app", factory=True, log_level="warning")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
