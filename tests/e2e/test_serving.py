"""The champion served by MLflow's own server, as docs/serving.md says: its answers are those of `predict`."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.docs.documented import typed_on
from tests.e2e.servers import free_port

ROWS = 20


@contextmanager
def served(project, log):
    """The address of a server of the champion; it goes with all its processes."""
    port, binaries = free_port(), str(Path(sys.executable).parent)
    ((exported,),) = typed_on("docs/serving.md", "export")
    name, _, address = exported.partition("=")
    environment = os.environ | {
        name: address.replace("$PWD", str(project.folder)),
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    (words,) = typed_on("docs/serving.md", "mlflow")
    command = [sys.executable, "-m", "mlflow", *(str(port) if word == "5000" else word for word in words)]
    with log.open("wb") as told:
        server = subprocess.Popen(
            command, cwd=project.folder, env=environment, stdout=told, stderr=told, start_new_session=True
        )
    try:
        address = f"http://127.0.0.1:{port}"
        until_up(server, address, log)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def until_up(server, address, log):
    deadline = time.monotonic() + 240
    while True:
        try:
            urllib.request.urlopen(f"{address}/ping", timeout=5).close()  # noqa: S310
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        else:
            return


def ask(address, rows):
    body = json.dumps({"inputs": {"input": rows}}).encode()
    asked = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(asked, timeout=60) as answered:  # noqa: S310
        return np.array(json.load(answered)["predictions"]["logits"])


@pytest.mark.slow
def test_mlflow_serves_the_champion_with_the_answers_of_predict(project, tmp_path):
    rows = np.load(project.folder / "data/features-000.npy")[:ROWS]
    np.save(tmp_path / "rows.npy", rows)
    predicted = project("predict", str(tmp_path / "rows.npy"), "--json", "--probabilities").json
    with served(project, tmp_path / "server.log") as address:
        # a row a request: a dynamically quantized file takes its ranges from all rows of one
        logits = np.concatenate([ask(address, [row]) for row in rows.tolist()])
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask(address, [[1, 2, 3]])
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    assert [row["row"] for row in predicted] == [str(at) for at in range(ROWS)]
    np.testing.assert_allclose([list(row["probabilities"].values()) for row in predicted], shares, rtol=1e-4)
    classes = list(predicted[0]["probabilities"])
    assert [row["label"] for row in predicted] == [classes[code] for code in shares.argmax(1)]
