"""Every command that README.md and docs/ show is one that there is: options, parameters, files, targets."""

import re
import tomllib

import click
import pytest
import typer

from distillery.params.project import load_params
from flows import cli
from tests.docs.documented import ROOT, commands, words_of

COMMANDS = commands()
OURS = [command for command in COMMANDS if command.program == "distillery"]
APP = typer.main.get_command(cli.app)


def parse(command):
    """The subcommand and its parsed values, by the real command line."""
    at, words = APP, list(command.words[1:])
    context = click.Context(APP, info_name="distillery")
    while hasattr(at, "commands") and words and not words[0].startswith("-"):
        name = words.pop(0)
        assert name in at.commands, f"{command}: no such command"
        at = at.commands[name]
        context = click.Context(at, info_name=name, parent=context)
    return context, at.make_parser(context).parse_args(args=words)[0]


def test_there_are_commands_to_look_at():
    assert len([command for command in OURS if command.whole]) > 30


@pytest.mark.parametrize("command", OURS, ids=str)
def test_the_command_and_its_options_exist(command):
    context, given = parse(command)
    if command.whole and not hasattr(context.command, "commands"):
        needed = [one.name for one in context.command.params if one.required]
        assert [name for name in needed if name not in given] == []


@pytest.mark.parametrize("command", [one for one in OURS if {"--set", "--params"} & {*one.words}], ids=str)
def test_its_parameters_are_legal(command):
    _, given = parse(command)
    overlays = given.get("params") or ()
    if "FILE" in map(str, overlays) or "a.b=c" in (given.get("settings") or ()):
        return  # the form, not a command
    if any("block.name" in setting for setting in given.get("settings") or ()):
        return
    load_params(ROOT / "params.yaml", [ROOT / overlay for overlay in overlays], given.get("settings") or ())


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.program == "make"], ids=str)
def test_the_target_of_make_exists(command):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(command.words[1:]) <= set(targets)


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.program in ("python", "pip")], ids=str)
def test_scripts_and_extras_exist(command):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in command.words[1:]:
        if found := re.fullmatch(r"(?:distillery|\.)\[(\w+)\]", word):
            assert found[1] in extras
        if word.startswith("benchmarks/"):
            assert (ROOT / word).is_file()


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.program == "dvc"], ids=str)
def test_commands_of_dvc_are_parsed_by_dvc(command):
    from dvc.cli.parser import get_main_parser

    if "NAME" not in command.words:
        get_main_parser().parse_args(list(command.words[1:]))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("$ distillery run   # again", ("distillery", "run")),
        ("distillery promote [VERSION] [--to T]", ("distillery", "promote", "VERSION", "--to", "T")),
        ("A=1 mlflow server", ("mlflow", "server")),
        ("distillery run --set a='{b: [1, 2]}'", ("distillery", "run", "--set", "a={b: [1, 2]}")),
        ("loss = alpha", ()),
    ],
)  # fmt: skip
def test_words_are_those_that_would_be_typed(line, words):
    assert words_of(line) == words
