"""A toy pipeline of three steps, each body a real module in a package of its own, and one Prefect server."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import ClassVar

import pytest

from distillery.params.base import Block
from tasks.caching import Records
from tasks.planning import Plan
from tasks.reads import machine
from tasks.steps import Step, interpreted_by

BODIES = {
    "sow": """
        from {package}.soil import DEPTH

        def sow(seeds, *, work):
            (work.into / "field").write_text(f"{{seeds.number}} at {{DEPTH}}")
    """,
    "press": """
        def press(field, oil, *, work):
            (work.into / "oil").write_text(f"{{(field / 'field').read_text()}} pressed {{oil.times}}")
    """,
    "weigh": """
        def weigh(oils, *, work):
            (work.into / "scales").mkdir()
            for name, oil in oils.items():
                (work.into / "scales" / name).write_text(str(len((oil / "oil").read_text())))
    """,
    "soil": "DEPTH = 3",
}


class Seeds(Block):
    place: ClassVar[str] = "seeds"
    number: int


class Oil(Block):
    place: ClassVar[str] = "oil"
    times: float
    kinds: tuple[str, ...] = ()


class Toy:
    """A project, its steps, and the flow over them."""

    def __init__(self, project: Path, code: Path) -> None:
        self.project = project
        self.code = code
        self.number = 5
        self.times = 1.0
        self.sow = Step("sow", ("pydantic",), reads=machine, package=code.name)
        self.press = Step("press", (), package=code.name)
        self.weigh = Step("weigh", (), package=code.name)

    def write_body(self, name: str, source: str) -> None:
        (self.code / f"{name}.py").write_text(textwrap.dedent(source).format(package=self.code.name))
        sys.modules.pop(f"{self.code.name}.{name}", None)

    def flow(self):
        field = self.sow(Seeds(number=self.number))
        oils = {kind: self.press(field, Oil(times=self.times), variant=kind) for kind in ("cold", "hot")}
        return {"field": field, "oils": oils, "weight": self.weigh(oils)}

    def plan(self, refresh=()) -> Plan:
        plan = Plan(Records(self.project), refresh)
        with interpreted_by(plan):
            plan.flow = self.flow()
        return plan

    def because(self) -> dict[str, list[str]]:
        return {
            s.name if s.variant is None else f"{s.name}.{s.variant}": list(s.because)
            for s in self.plan().steps
            if s.status == "miss"
        }

    def run(self, refresh=(), listener=None):
        from tasks.running import Run, run_flow

        records = Records(self.project)
        run = Run(records, listener or Silent(), refresh)
        run_flow("toy", self.flow, run, records)
        return {f"{s.name}.{s.variant}" if s.variant else s.name: s.status for s in run.steps}


class Silent:
    def started(self, label): ...
    def progressed(self, progress): ...
    def finished(self, label, status, seconds): ...


@pytest.fixture
def toy(tmp_path, monkeypatch, request):
    """A toy pipeline; its package has another name in every test, so that no module is imported twice."""
    code = tmp_path / f"toy_{abs(hash(request.node.nodeid))}"
    code.mkdir()
    (code / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Toy(tmp_path / "project", code)
    made.project.mkdir()
    for name, source in BODIES.items():
        made.write_body(name, source)
    monkeypatch.setattr("tasks.planning.STEPS", (made.sow, made.press, made.weigh))
    return made


@pytest.fixture(scope="session")
def one_server(tmp_path_factory):
    """One embedded server for all the tests that need one, and the environment that it wants."""
    from tasks.environment import prepare_environment
    from tasks.server import prefect_server

    project, before = tmp_path_factory.mktemp("served"), dict(os.environ)
    prepare_environment(project)
    os.environ["PREFECT_API_URL"] = ""
    wanted = dict(os.environ)
    try:
        with prefect_server(project) as running:
            running.wait_until_healthy()
            os.environ.clear()
            os.environ.update(before)
            yield running, wanted
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def server(one_server, monkeypatch):
    """The embedded server, with its environment for this test alone: others share the process."""
    running, wanted = one_server
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    from prefect.settings import PREFECT_API_URL, temporary_settings  # which read the environment

    with temporary_settings({PREFECT_API_URL: running.url}):
        yield running


@pytest.fixture
def ran(toy, server):
    """A toy pipeline that was run once."""
    assert set(toy.run().values()) == {"ran"}
    return toy


@pytest.fixture
def script(tmp_path):
    """Runs a Python script in a process of its own, which ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(source: str, *arguments: str, **changes: str) -> subprocess.Popen[str]:
        file = tmp_path / "script.py"
        file.write_text(textwrap.dedent(source))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        path = [str(tmp_path), *filter(None, [environment.get("PYTHONPATH")])]
        environment |= {"PYTHONPATH": os.pathsep.join(path), **changes}
        process = subprocess.Popen(
            [sys.executable, str(file), *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:  # closes its pipes, and buries it
            process.kill()


@pytest.fixture
def gone():
    """Whether a process ends within some seconds; one that nobody has buried yet has ended."""

    def ended(pid: int, seconds: float = 5.0) -> bool:
        deadline = time.monotonic() + seconds
        while _is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        return not _is_alive(pid)

    return ended


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
