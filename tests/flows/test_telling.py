"""Steps for machines: one JSON object a line."""

import json

import pytest

from distillery.training import Epoch
from flows.telling import JsonLines, Pace

EPOCH = Epoch(done=4, total=10, loss=0.5, accuracy=0.875, learning_rate=0.1, best=True)


@pytest.fixture
def lines(capsys):
    """What is told, without the times."""

    def read():
        captured = capsys.readouterr()
        assert captured.out == ""
        told = [json.loads(line) for line in captured.err.splitlines()]
        assert all(one.pop("at").endswith("+00:00") for one in told)
        return told

    return read


def test_each_event_is_one_object_a_line(lines):
    teller = JsonLines(clock=iter([10.0, 12.0]).__next__)
    teller.say("two\nlines")
    teller.started("quantize_student.student-int8-qat")
    teller.progressed(EPOCH)
    teller.finished("quantize_student.student-int8-qat", "ran", 3.14159)
    teller.finished("prepare_data", "cached", 0.0)
    teller.close()
    step = {"step": "quantize_student", "variant": "student-int8-qat"}
    assert lines() == [
        {"event": "message", "message": "two\nlines"},
        {"event": "started", **step},
        {
            "event": "progress",
            **step,
            "done": 4,
            "total": 10,
            "note": EPOCH.note,
            "rate": 2.0,
            "seconds_left": 3.0,
        },
        {"event": "finished", **step, "status": "ran", "seconds": 3.142},
        {"event": "finished", "step": "prepare_data", "status": "cached", "seconds": 0.0},
    ]


def test_before_anything_is_done_there_is_no_rate():
    nothing = Epoch(done=0, total=10, loss=0.5, accuracy=0.875, learning_rate=0.1, best=True)
    assert Pace.of(nothing, 2.0) == Pace(None, None)
    assert Pace.of(EPOCH, 0.0) == Pace(None, None)
    assert str(Pace(None, None)) == ""


def test_a_slow_step_is_told_in_seconds_an_item():
    assert str(Pace.of(EPOCH, 8.0)) == "2.0 s each, 12 s left"
