"""Servers for the length of a test: a port that is free, and `distillery serve` until it says where it is."""

import socket
import subprocess
import time
from contextlib import contextmanager


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def served(project, *arguments):
    """`distillery serve`, the address of its page, and what it says."""
    log = project.folder / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            project.command("serve", *arguments), cwd=project.folder, stderr=output, stdout=output
        )
    try:
        deadline = time.monotonic() + 90
        while "shows it at" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield process, log.read_text().partition("shows it at ")[2].partition(";")[0], log
    finally:
        process.kill()
        process.wait()
