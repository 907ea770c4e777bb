"""The command line's surface: help and version."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import cli

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run():
    runner = CliRunner()
    return lambda *arguments: runner.invoke(cli.app, list(arguments))


def test_help_names_every_command(run):
    done = run("--help")
    assert done.exit_code == 0
    for command in ("run", "plan", "models", "predict", "trend", "reproduce", "lineage", "doctor"):
        assert f"\n  {command}" in done.stdout


@pytest.mark.parametrize("command", ["run", "plan", "models", "predict", "reproduce", "lineage", "doctor"])
def test_every_command_takes_a_project_and_json(run, command):
    done = run(command, "--help")
    assert "--project" in done.stdout
    assert "--json" in done.stdout


def test_the_version_is_told(run):
    assert run("--version").stdout.startswith("distillery ")


def test_doctor_json_is_one_value(run, tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    done = run("doctor", "--json", "--project", str(tmp_path))
    findings = json.loads(done.stdout)
    assert findings["prefect_server"] == "embedded"
    assert findings["leftovers"] == []
