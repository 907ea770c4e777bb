"""prefect.yaml on a real server with a real worker: what the operations guide walks through."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest
import yaml

NAMES = ("compress", "retrain", "reproduce", "promote")


def test_every_deployment_names_a_flow_with_typed_and_described_parameters(root):
    from flows import deployments

    told = yaml.safe_load((root / "prefect.yaml").read_text())["deployments"]
    assert [deployment["name"] for deployment in told] == list(NAMES)
    for deployment in told:
        flow = getattr(deployments, deployment["entrypoint"].partition(":")[2])
        assert flow.name == deployment["name"]
        assert deployment["concurrency_limit"]["limit"] == 1
        properties = flow.parameters.properties
        assert set(deployment["parameters"]) <= set(properties)
        assert all(parameter.get("description") for parameter in properties.values())
        assert flow.timeout_seconds > 0


@pytest.fixture
def server(project, root):
    """A Prefect server, its pool, the deployments and a worker, all on the loopback and in the project."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = project.folder / ".distillery/real"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_UI_STATIC_DIRECTORY": str(home / "ui"),
        "DO_NOT_TRACK": "true",
    }
    started = []

    def prefect(*arguments, wait=True):
        command = [sys.executable, "-m", "prefect", *arguments]
        with (home / f"{arguments[0]}.log").open("w") as log:
            process = subprocess.Popen(
                command, env=environment, cwd=root, stdout=log, stderr=log, start_new_session=True
            )
        if wait:
            assert process.wait(180) == 0, (home / f"{arguments[0]}.log").read_text()[-3000:]
        else:
            started.append(process)

    home.mkdir(parents=True)
    prefect("server", "start", "--host", "127.0.0.1", "--port", str(port), wait=False)
    url = environment["PREFECT_API_URL"]
    deadline = time.monotonic() + 120
    while not answers(url):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    try:
        yield url, prefect
    finally:
        for process in reversed(started):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(url):
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def posted(url, path, **body):
    return httpx.post(f"{url}/{path}", json=body, timeout=30).raise_for_status().json()


@pytest.mark.slow
def test_the_deployments_run_on_a_server_with_a_worker_and_their_tables_are_on_their_pages(
    project, server, root
):
    url, prefect = server
    prefect("--no-prompt", "work-pool", "create", "local", "--type", "process")
    prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(root / "prefect.yaml"))
    deployed = {one["name"]: one for one in posted(url, "deployments/filter")}
    assert set(deployed) == set(NAMES)
    assert all(one["concurrency_options"]["collision_strategy"] == "ENQUEUE" for one in deployed.values())
    prefect("worker", "start", "--pool", "local", "--type", "process", wait=False)

    def run(name, **parameters):
        parameters["project"] = str(project.folder)
        started = posted(url, f"deployments/{deployed[name]['id']}/create_flow_run", parameters=parameters)
        return ended(started["id"], "COMPLETED", "FAILED", "CRASHED")

    def ended(identifier, *states):
        deadline = time.monotonic() + 240
        while True:
            found = httpx.get(f"{url}/flow_runs/{identifier}", timeout=30).json()
            if found["state_type"] in states:
                return found
            assert time.monotonic() < deadline, found["state"]
            time.sleep(1)

    compressed = run("compress")
    assert (compressed["state_type"], compressed["state_name"]) == ("COMPLETED", "Chosen")
    assert run("retrain")["state_name"] == "Skipped"
    (version,) = [
        row["version"] for row in project("models", "--json").json if row["name"] == "student-int8-qat"
    ]
    loose = [f"promotion.{gate}.margin=100" for gate in ("accuracy", "macro_f1")]
    loose += ["promotion.per_class.max_class_drop=100", "promotion.footprint.max_bytes_ratio=null"]
    loose += ["promotion.footprint.max_peak_ratio=null", "promotion.approval=manual"]
    loose += ["promotion.latency.max_p50_ratio=null", "promotion.latency.max_p95_ratio=null"]
    asked = {"version": version, "settings": loose, "project": str(project.folder)}
    started = posted(url, f"deployments/{deployed['promote']['id']}/create_flow_run", parameters=asked)
    ended(started["id"], "PAUSED", "COMPLETED", "FAILED", "CRASHED")
    assert project("history", "--json").json["champion"] != version
    posted(url, f"flow_runs/{started['id']}/resume", run_input={"reason": "looked at on its page"})
    judged = ended(started["id"], "COMPLETED", "FAILED", "CRASHED")
    assert judged["state_name"] == "Promoted", judged["state"]
    newest = project("history", "--json").json
    assert newest["champion"] == version
    assert newest["events"][-1]["reason"] == "looked at on its page"
    keys = {
        artifact["key"]: artifact
        for artifact in posted(url, "artifacts/filter")
        if artifact["flow_run_id"] in (compressed["id"], judged["id"])
    }
    assert {"digits-variants", "digits-report", "digits-gates"} <= set(keys)
    variants = json.loads(keys["digits-variants"]["data"])
    assert variants[0]["name"] == "teacher-fp32"
