"""`distillery params`: told on the command line, and the committed reference is what it prints."""

import json

import pytest
from typer.testing import CliRunner

from flows import cli


@pytest.fixture
def run(root):
    return lambda *arguments: CliRunner().invoke(cli.app, ["params", *arguments, "--project", str(root)])


@pytest.mark.parametrize(
    ("option", "file"), [("--markdown", "docs/params.md"), ("--schema", "docs/params.schema.json")]
)
def test_the_committed_reference_is_what_the_command_prints(run, root, option, file):
    assert (root / file).read_text() == run(option).stdout, "make reference"


def test_editors_find_the_schema_by_the_first_line(root):
    first = (root / "params.yaml").read_text().partition("\n")[0]
    assert first == "# yaml-language-server: $schema=docs/params.schema.json"
    assert (root / "docs/params.schema.json").is_file()


def test_a_parameter_is_told_with_value_range_and_meaning(run):
    told = run("distill.temperature").stdout
    assert "distill.temperature = 4.0" in told
    assert "> 0" in told
    assert "logits" in told


def test_a_block_is_told_whole_and_alone(run):
    found = json.loads(run("data", "--json").stdout)
    assert {one["path"].partition(".")[0] for one in found} == {"data"}
    assert {"path": "data.test", "value": 0.2}.items() <= found[3].items()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("temperature", "did you mean distill.temperature?"),
        ("distill.temperatur", "did you mean distill.temperature?"),
        ("budgt", "did you mean budget?"),
    ],
)
def test_a_mistyped_parameter_is_answered_with_what_is_near(run, asked, said):
    done = run(asked)
    assert done.exit_code == 2
    assert said in done.stderr


def test_the_reference_is_whole_or_not_at_all(run):
    assert run("data", "--schema").exit_code == 2
