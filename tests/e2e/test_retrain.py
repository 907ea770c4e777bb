"""Retraining as a user sees it: nothing new, new rows, and a schedule that a kill does not survive."""

import hashlib
import hmac
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import numpy as np
import pytest
import yaml
from sklearn.datasets import load_digits

from tests.e2e.servers import free_port, served

SECRET = "word"  # noqa: S105
LOOSE = (
    "promotion.accuracy.margin=100", "promotion.macro_f1.margin=100", "promotion.forgetting.max_drop=100",
    "promotion.per_class.max_class_drop=100", "promotion.latency.max_p50_ratio=null",
    "promotion.latency.max_p95_ratio=null",
)  # fmt: skip
EASY = [word for setting in LOOSE for word in ("--set", setting)]


@contextmanager
def receiver():
    """A webhook's address, and the notices that came, their signatures checked."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            signed = f"{self.headers['X-Distillery-Timestamp']}.".encode() + body
            expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
            assert self.headers["X-Distillery-Signature"] == f"sha256={expected}"
            got.append(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", got
    finally:
        server.shutdown()
        server.server_close()


def incoming(project, name="night.npz"):
    """Digits that lie a little lower, as a file that came some time ago."""
    digits = load_digits()
    folder = project.folder / "incoming"
    folder.mkdir(exist_ok=True)
    images = np.roll(digits.images[:400].astype(np.uint8), 1, axis=1)
    np.savez(folder / name, images=images, labels=digits.target[:400].astype(str))
    os.utime(folder / name, (time.time() - 60,) * 2)


def champion(project):
    return json.loads((project.folder / "champion.json").read_text())["version"]


def test_new_rows_become_a_version_that_is_learned_with_what_the_champion_knows(project, monkeypatch):
    first = champion(project)
    assert project("retrain", "--json").json == {
        "event": "skipped", "triggers": [], "version": None, "champion": first, "verdict": None,
        "said": "nothing to do: same data, params, code and champion as when they were judged last",
    }  # fmt: skip

    incoming(project)
    monkeypatch.setenv("DISTILLERY_WEBHOOK_SECRET", SECRET)
    with receiver() as (url, notices):
        watch = ("--set", "retrain.watch=incoming", "--set", f"retrain.webhook={url}")
        done = project("retrain", "--json", *watch, *EASY, "--set", "retrain.start=warm")
    told = done.json
    assert told["event"] == "promoted", done.err
    assert {"watched", "data", "params"} <= {trigger["kind"] for trigger in told["triggers"]}
    assert "learns from version" in done.err
    assert f"the student begins from the network of version {first}" in done.err
    assert (champion(project), told["champion"]) == (told["version"], told["version"])
    assert project("data", "status", "--json").json["version"] == 2
    gates = {gate["gate"]: gate for gate in told["verdict"]["gates"]}
    assert [group["name"] for group in gates["forgetting"]["numbers"]["worst"]] == ["version 1"]
    (verdict,) = (project.folder / "reports").glob("*/verdict.json")
    page = (verdict.parent / "index.html").read_text()
    assert f"Version {told['version']} against champion {first}" in page
    (notice,) = notices
    assert (notice["event"], notice["details"]["version"]) == ("promoted", told["version"])

    folder = project.artifact("remember_champion")
    assert (folder / "targets.npy").exists()
    (bundle,) = {
        file.parent
        for file in (project.folder / ".distillery/mlflow/artifacts").rglob("bundle-*/params.yaml")
        if yaml.safe_load(file.read_text())["retrain"]["remember"]["model"]
    }
    recorded = yaml.safe_load((bundle / "params.yaml").read_text())["retrain"]
    for digest in (recorded["remember"]["model"], recorded["begin"]["network"]):
        assert hashlib.sha256((bundle / f"knowledge-{digest}").read_bytes()).hexdigest() == digest
    assert recorded["remember"]["versions"] == 1


@pytest.mark.slow
def test_what_learned_from_a_champion_is_made_again_from_its_record(project):
    warm = ("--set", "retrain.start=warm")
    version = project("retrain", "--force", "--json", *EASY, *warm).json["version"]
    shutil.rmtree(project.folder / ".distillery/knowledge")
    told = project("reproduce", version, "--json").json
    assert told["verdict"] == "identical", told


def test_a_second_retraining_is_refused_while_one_runs(project):
    lock = subprocess.Popen(
        ["flock", "--exclusive", str(project.folder / ".distillery/retrain-lock"), "sleep", "60"],
        start_new_session=True,
    )
    try:
        time.sleep(1)
        assert "is held by" in project("retrain", "--no-wait", code=5).err
    finally:
        os.killpg(lock.pid, signal.SIGKILL)
        lock.wait()


def test_a_cron_line_and_a_time_that_are_none_are_refused(project):
    assert "write it as 90s, 30m, 1h or 1d" in project("serve", "--interval", "soon", code=2).err
    assert "is no cron line" in project("serve", "--cron", "every night", code=2).err


def asked(url, path, **filters):
    answer = httpx.post(f"{url}/api/{path}", json=filters, timeout=10)
    return answer.raise_for_status().json()


def finished(url):
    done = {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}
    runs = asked(url, "flow_runs/filter", flow_runs={"state": done})
    return [run for run in runs if run["deployment_id"]]


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return found


def is_gone(url):
    try:
        asked(url, "flow_runs/count")
    except httpx.TransportError:
        return True
    return False


@pytest.mark.slow
def test_a_schedule_fires_its_page_answers_and_ctrl_c_ends_all_of_it(project):
    port = str(free_port())
    with served(project, "--cron", "* * * * *", "--port", port, "--log-json") as (process, url, log):
        assert url.endswith(f":{port}")
        assert "<html" in httpx.get(url, timeout=10).text
        run = wait_for(lambda: finished(url), 150)[0]
        assert (run["state_name"], run["auto_scheduled"]) == ("Skipped", True)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        wait_for(lambda: is_gone(url), 10)
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert set(events) == {"message"}
    assert not (project.folder / ".distillery/schedule.json").exists()
    assert project("doctor", "--json").json["leftovers"] == []


@pytest.mark.slow
def test_kill_9_in_the_middle_of_a_run_leaves_nothing_that_holds_the_next(project):
    setting = ["teacher.training.epochs=400"]
    with served(project) as (process, url, _):
        (deployment,) = wait_for(lambda: asked(url, "deployments/filter"), 60)
        start = {"parameters": {"project": str(project.folder), "settings": setting}}
        asked(url, f"deployments/{deployment['id']}/create_flow_run", **start)
        lock = project.folder / ".distillery/lock"
        told = wait_for(lambda: lock.exists() and lock.read_text(), 90)
        worker = json.loads(told)["pid"]
        assert worker != process.pid
        process.kill()
        process.wait()
        wait_for(lambda: is_gone(url), 10)
        wait_for(lambda: not os.path.exists(f"/proc/{worker}"), 20)  # noqa: PTH110
    with served(project) as (_, url, log):
        assert "was cut off, and counts as crashed" in log.read_text()
        assert [run["state_name"] for run in finished(url)] == ["Crashed"]
    assert project("doctor", "--fix", "--json").json["held_by"] is None
    assert project("retrain", "--json", "--no-wait").json["event"] == "skipped"
