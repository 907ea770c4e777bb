"""What a person sees while a flow runs: on standard error, and nothing when quiet."""

import pytest

from distillery.training import Epoch
from flows.terminal import Terminal


@pytest.fixture
def epoch():
    return Epoch(done=3, total=9, loss=0.5, accuracy=0.875, learning_rate=0.1, best=True)


def test_steps_are_told_on_standard_error(capsys, epoch):
    terminal = Terminal()
    terminal.started("train_teacher")
    terminal.progressed(epoch)
    terminal.finished("train_teacher", "ran", 1.25)
    terminal.finished("prepare_data", "cached", 0.0)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "train_teacher" in captured.err
    assert "1.2 s" in captured.err
    assert "cached prepare_data" in captured.err


def test_quiet_tells_no_steps_but_still_messages(capsys):
    terminal = Terminal(quiet=True)
    terminal.finished("train_teacher", "ran", 1.0)
    terminal.say("data/ was made")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "data/ was made\n"


def test_the_bar_carries_the_metric(epoch):
    assert epoch.note == "loss 0.500  validation 87.50%"
