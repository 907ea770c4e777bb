"""How failures are told."""

import errno
import json

import pytest

from distillery.errors import Busy, DataError, DistilleryError
from flows.options import told


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("rows are broken", ["row 3"]), 2, "- row 3"),
        (Busy("held"), 5, "held"),
        (DistilleryError("ours"), 1, "ours"),
        (KeyboardInterrupt(), 130, "run it again"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), 1, "/x/y: No space left"),
        (ZeroDivisionError("surprise"), 1, "the traceback is in"),
    ],
)
def test_failures_are_told_in_words_with_their_exit_code(capsys, error, code, said):
    def command():
        raise error

    with pytest.raises(SystemExit) as exit_:
        told(command)()
    captured = capsys.readouterr()
    assert exit_.value.code == code
    assert said in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("error", "code", "faults"),
    [(DataError("rows are broken", ["row 3"]), 2, ["row 3"]), (KeyboardInterrupt(), 130, [])],
)
def test_with_log_json_a_failure_is_a_json_object_too(capsys, error, code, faults):
    def command(log_json):
        raise error

    with pytest.raises(SystemExit) as exit_:
        told(command)(log_json=True)
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert exit_.value.code == said["exit_code"] == code
    assert said["event"] == "failed"
    assert said["faults"] == faults
    assert "\n" not in said["message"]
