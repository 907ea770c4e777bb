"""prefect.yaml on a real server with a real worker: what the operations guide walks through."""

import json
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest
import yaml

from tests.docs.documented import typed_on
from tests.e2e.servers import free_port

PAGE = "docs/operations.md"
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
    """A Prefect server on the loopback, as the page starts it, and what the page types next."""
    port = str(free_port())
    ((exported,),) = typed_on(PAGE, "export")
    name, _, address = exported.partition("=")
    home = project.folder / ".distillery/real"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        name: address.replace("4200", port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_UI_STATIC_DIRECTORY": str(home / "ui"),
        "DO_NOT_TRACK": "true",
    }
    started = []

    def prefect(arguments):
        command = [sys.executable, "-m", "prefect", *arguments]
        with (home / f"{arguments[0]}.log").open("w") as log:
            process = subprocess.Popen(
                command, env=environment, cwd=root, stdout=log, stderr=log, start_new_session=True
            )
        if arguments[1] != "start":
            assert process.wait(180) == 0, (home / f"{arguments[0]}.log").read_text()[-3000:]
        else:
            started.append(process)

    home.mkdir(parents=True)
    first, *others = typed_on(PAGE, "prefect")
    prefect([port if word == "4200" else word for word in first])
    url = environment["PREFECT_API_URL"]
    deadline = time.monotonic() + 120
    while not answers(url):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    try:
        yield url, lambda: [prefect(words) for words in others]
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
    url, type_the_others = server
    type_the_others()
    deployed = {one["name"]: one for one in posted(url, "deployments/filter")}
    assert set(deployed) == set(NAMES)
    assert all(one["concurrency_options"]["collision_strategy"] == "ENQUEUE" for one in deployed.values())

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
