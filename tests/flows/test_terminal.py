"""What a person sees while a flow runs: on standard error, as much as was asked for."""

import io

import pytest
from rich.console import Console

from distillery.training import Epoch
from flows.logs import Log
from flows.telling import JsonLines
from flows.terminal import RateColumn, Terminal, teller


@pytest.fixture
def epoch():
    return Epoch(done=3, total=9, loss=0.5, accuracy=0.875, learning_rate=0.1, best=True)


@pytest.fixture
def tell(capsys, epoch):
    """What is told of a message and two steps; the clock moves on by a second each time it is read."""

    def make(log, **options):
        terminal = Terminal(log, clock=iter(range(9)).__next__, **options)
        terminal.say("data/ was made")
        terminal.started("train_teacher")
        terminal.progressed(epoch)
        terminal.finished("train_teacher", "ran", 1.25)
        terminal.finished("prepare_data", "cached", 0.0)
        terminal.close()
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    return make


def test_steps_are_told_on_standard_error_without_a_bar_where_there_is_no_terminal(tell):
    told = tell(Log.NORMAL).splitlines()
    assert [line.split()[:2] for line in told[1:]] == [["ran", "train_teacher"], ["cached", "prepare_data"]]
    assert told[1].endswith("1.2 s")


def test_quiet_tells_nothing(tell):
    assert tell(Log.QUIET) == ""


def test_beside_json_messages_alone_are_told(tell):
    assert tell(Log.NORMAL, steps=False) == "data/ was made\n"


def test_verbose_tells_each_epoch_with_metric_rate_and_remaining_time(tell):
    line = tell(Log.VERBOSE).splitlines()[2]
    assert line.split()[:2] == ["train_teacher", "3/9"]
    assert "validation 87.50%" in line
    assert line.endswith("3.0/s, 2 s left")


def on_a_terminal(terminal, epoch):
    shown = io.StringIO()
    terminal.console = Console(file=shown, force_terminal=True, width=120, highlight=False)
    terminal.started("train_teacher")
    terminal.progressed(epoch)
    terminal.progressed(epoch)
    terminal.finished("train_teacher", "ran", 1.0)
    return shown.getvalue()


def test_on_a_terminal_a_bar_shows_how_far_a_step_is(epoch, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    shown = on_a_terminal(Terminal(), epoch)
    assert "3/9" in shown
    assert epoch.note in shown


def test_no_color_takes_colours_away(epoch, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[32m" in on_a_terminal(Terminal(), epoch)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in on_a_terminal(Terminal(), epoch)


def test_a_terminal_that_cannot_move_its_cursor_has_no_bar(epoch, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert "3/9" not in on_a_terminal(Terminal(), epoch)


@pytest.mark.parametrize(("speed", "told"), [(None, ""), (3.25, "3.2/s"), (0.25, "4.0 s each")])
def test_rates_are_told_a_second_or_in_seconds(speed, told):
    class Task:
        pass

    task = Task()
    task.speed = speed
    assert str(RateColumn().render(task)) == told


def test_json_lines_are_for_those_who_asked():
    assert isinstance(teller(Log.JSON), JsonLines)
    assert isinstance(teller(Log.VERBOSE), Terminal)


def test_the_bar_carries_the_metric(epoch):
    assert epoch.note == "loss 0.500  validation 87.50%"
