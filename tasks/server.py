"""Our own Prefect servers, which never outlive us: an embedded one for a run, and one that keeps a schedule.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from distillery.artifacts import read_json, write_json
from distillery.errors import DistilleryError, UserMistake
from tasks.environment import has_own_server

STATE = Path(".distillery")
MODULE = "tasks.server"
START_SECONDS = 120.0
ANSWER_SECONDS = 10.0
STOP_SECONDS = 5.0
PR_SET_PDEATHSIG = 1
EMBEDDED_SETTINGS = {
    "PREFECT_API_URL": "",
    "PREFECT_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",  # no block is used; 2 s of a first start
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",  # to the log file
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",  # fewer writers: SQLite's "locked" costs
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",  # a client 2 s, and at the worst a minute
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}


@dataclass(frozen=True)
class ServerKind:
    """What a server of ours is for: a name, its settings in a project, and its port (0: any that is free)."""

    name: str
    settings: Callable[[Path], dict[str, str]]
    port: int = 0

    @property
    def pid_file(self) -> Path:
        """Says which process it is, and whose."""
        return STATE / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """What it says."""
        return STATE / "logs" / f"prefect-{self.name}.log"


EMBEDDED = ServerKind("server", lambda _project: EMBEDDED_SETTINGS)


def scheduler(port: int) -> ServerKind:
    """The whole of Prefect's server, with schedules and its page, on a database of its own.

    An embedded server may run beside it: two servers on one SQLite file would wait for each other.
    """

    def settings(project: Path) -> dict[str, str]:
        state = project.resolve() / STATE / "prefect"
        return {
            "PREFECT_API_URL": "",
            "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{state / 'schedule.db'}",
            "PREFECT_UI_ENABLED": "true",
            "PREFECT_UI_STATIC_DIRECTORY": str(state / "ui"),  # else it writes among the packages
            "PREFECT__SERVER_FINAL": "1",
        }

    return ServerKind("schedule", settings, port)


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
                raise DistilleryError(f"The Prefect server ended with code {code}: see {self.log}")
            if _answers(f"{self.url}/health", left):
                return
            time.sleep(0.05)
        where = (
            f"see {self.log}" if self.log else "start it, or unset PREFECT_API_URL to use the embedded one"
        )
        raise DistilleryError(f"The Prefect server at {self.url} does not answer: {where}")


@contextmanager
def prefect_server(project: Path, kind: ServerKind = EMBEDDED) -> Iterator[Server]:
    """The server that PREFECT_API_URL names, or one of our own for as long as the block lasts.

    Enter it before prefect is imported, import what else is needed, then call `wait_until_healthy`. Enter it
    in the main thread: the kernel counts the death of the thread that started a child as its parent's.
    """
    if has_own_server():
        yield Server(os.environ["PREFECT_API_URL"].rstrip("/"))
        return
    server = _start(project, kind)
    os.environ["PREFECT_API_URL"] = server.url
    try:
        yield server
    finally:
        os.environ["PREFECT_API_URL"] = ""
        _stop(server)
        (project / kind.pid_file).unlink(missing_ok=True)


def leftover_servers(project: Path) -> dict[Path, int]:
    """The process ids of the servers of this project that lost their parents, by the file that says so."""
    files = [project / kind.pid_file for kind in (EMBEDDED, scheduler(0))]
    return {file: pid for file in files if (pid := _orphan(file)) is not None}


def _orphan(pid_file: Path) -> int | None:
    try:
        told = read_json(pid_file)
        pid, parent = int(told["pid"]), int(told["parent"])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if MODULE.encode() in command and int(status[1]) != parent else None


def end_leftovers(project: Path) -> None:
    """Kill the servers that lost their parents."""
    for file, pid in leftover_servers(project).items():
        os.kill(pid, signal.SIGKILL)
        file.unlink(missing_ok=True)


def _start(project: Path, kind: ServerKind) -> Server:
    log = project / kind.log
    log.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket() as listening, log.open("ab") as output:
        address = _bind(listening, kind.port)
        listening.listen(128)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(listening.fileno()), str(os.getpid())],
            env={**os.environ, **kind.settings(project), "PREFECT_UI_API_URL": f"{address}/api"},
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    url = f"{address}/api"
    write_json(project / kind.pid_file, {"pid": process.pid, "parent": os.getpid(), "url": url})
    return Server(url, log, process)


def _bind(listening: socket.socket, port: int) -> str:
    """Bind to the loopback; the address in the form of an URL. UserMistake where the port is taken."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        raise UserMistake(
            f"port {port} cannot be used ({error.strerror}): name another with --port"
        ) from None
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


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
