"""One finished project on the digits with small budgets, made once; every test works on a copy of it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = """
teacher:
  model: {family: resnet, stem_stride: 1, width: 8, stages: 2, blocks: 1, dropout: 0.0}
  training: {epochs: 4, batch_size: 32}
student:
  model: {family: resnet, stem_stride: 1, width: 4, stages: 2, blocks: 1, dropout: 0.0}
augment: {views: 2}
distill: {training: {epochs: 8, batch_size: 32}}
quantize: {qat: {observe_epochs: 1, training: {epochs: 2}}}
budget: {max_accuracy_drop: 100, max_bytes: 100000, max_p50_ms: 1000}
runtime: {threads: 1}   # test processes side by side, each with threads that spin, wait for one another
"""


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    def status(self, key="status"):
        """Status by step and variant."""
        return {(step["name"], step["variant"]): step[key] for step in self.json["steps"]}


@dataclass(frozen=True)
class Project:
    """A project folder, and the command line on it."""

    folder: Path

    def command(self, *arguments):
        return [sys.executable, "-m", "flows.cli", *arguments, "--project", str(self.folder)]

    def __call__(self, *arguments, code=0, source=None):
        environment = os.environ | ({"PYTHONPATH": str(source)} if source else {})
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, env=environment,
            cwd=self.folder, timeout=500, check=False,
        )  # fmt: skip
        assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-4000:])
        assert "Traceback" not in done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def artifact(self, label):
        """The folder of a step's newest artifact."""
        folders = (self.folder / ".distillery/artifacts" / label).iterdir()
        return max(folders, key=lambda folder: folder.stat().st_mtime)


def make_project(folder):
    """A project with the shipped params.yaml under small budgets."""
    import yaml

    from distillery.params.project import overlaid, read_tree

    folder.mkdir(parents=True, exist_ok=True)
    tree = overlaid(read_tree(ROOT / "params.yaml"), yaml.safe_load(SMALL))
    (folder / "params.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    return Project(folder)


@pytest.fixture(scope="session")
def first(tmp_path_factory):
    """A project and what its first run printed."""
    project = make_project(tmp_path_factory.mktemp("first") / "project")
    return project, project("run", "--json")


@pytest.fixture
def project(first, tmp_path):
    """A copy of the finished project, elsewhere."""
    copy = tmp_path / "project"
    shutil.copytree(first[0].folder, copy, symlinks=True)
    return Project(copy)


@pytest.fixture
def new_project(tmp_path):
    """A project in which nothing ran."""
    return make_project(tmp_path / "new")


@pytest.fixture(scope="session")
def root():
    """The repository."""
    return ROOT


@pytest.fixture
def source(tmp_path):
    """A copy of the code, to be changed and run in place of ours."""
    for package in ("distillery", "tasks", "flows"):
        shutil.copytree(
            ROOT / package, tmp_path / "source" / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path / "source"
