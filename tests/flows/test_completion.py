"""What a shell is told when Tab is pressed."""

import os
import subprocess
import sys

import pytest

from flows.completion import complete_parameter, complete_setting, complete_step


@pytest.fixture(autouse=True)
def in_the_project(root, monkeypatch):
    monkeypatch.chdir(root)


def test_settings_are_parameters_that_want_a_value():
    assert complete_setting("distill.tem") == ["distill.temperature="]
    assert complete_setting("nothing") == []


def test_parameters_are_blocks_too():
    assert complete_parameter("budget") == [
        "budget",
        "budget.max_accuracy_drop",
        "budget.max_bytes",
        "budget.max_p50_ms",
    ]


def test_steps_are_those_of_the_pipeline():
    assert complete_step("train_") == ["train_control", "train_teacher"]


def test_outside_of_a_project_nothing_is_completed_and_nothing_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert complete_setting("distill") == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [("distillery ro", "rollback"), ("distillery run --no-w", "--no-wait"),
     ("distillery plan --set runtime.th", "runtime.threads=")],
)  # fmt: skip
def test_bash_is_told(words, told):
    asked = {
        "_DISTILLERY_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    start = "import sys; sys.argv = ['distillery']; from flows.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", start], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [told]
    assert done.stderr == ""
