"""The command line's surface: help and version."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import cli
from tasks.knowledge import keep

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


@pytest.mark.parametrize("command", ["run", "retrain", "serve"])
def test_what_is_told_meanwhile_can_be_chosen(run, command):
    told = run(command, "--help").stdout
    assert all(option in told for option in ("--quiet", "--verbose", "--log-json"))
    done = run(command, "--quiet", "--verbose", "--project", str(ROOT))
    assert done.exit_code == 2
    assert "name one of --quiet, --verbose and --log-json" in done.stderr


@pytest.mark.parametrize(
    ("words", "near"),
    [(["rnu"], "run"), (["data", "imprt"], "import"), (["run", "--refesh", "x"], "--refresh")],
)
def test_a_mistyped_command_or_option_is_answered_with_what_is_near(run, words, near):
    done = run(*words)
    assert done.exit_code == 2
    assert near in done.stderr.partition("Error")[2]


def test_help_imports_nothing_heavy():
    import subprocess
    import sys

    asked = "import sys; from flows.cli import app; app(['--help'], standalone_mode=False)"
    shown = (
        "print([name for name in ('rich', 'yaml', 'pydantic', 'torch', 'prefect') if name in sys.modules])"
    )
    code = f"{asked}; {shown}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_doctor_tells_and_removes_kept_models_that_no_one_names(run, tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    digest = keep(tmp_path, b"forgotten")
    command = ("doctor", "--json", "--project", str(tmp_path))
    told = [f".distillery/knowledge/{digest}"]
    assert json.loads(run(*command).stdout)["leftovers"] == told
    assert json.loads(run(*command, "--fix").stdout)["removed"] == told
    assert json.loads(run(*command).stdout)["leftovers"] == []
