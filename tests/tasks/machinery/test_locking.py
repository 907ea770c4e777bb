import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest

from distillery.errors import Busy
from tasks.locking import LOCK, holder, is_held, project_lock

HOLD = """
    import sys, time
    from pathlib import Path
    from tasks.locking import project_lock

    with project_lock(Path(sys.argv[1]), wait=True, tell=lambda told: print(told, flush=True)):
        print("held", flush=True)
        time.sleep(float(sys.argv[2]))
"""


def test_the_second_is_refused_and_told_who_holds(tmp_path, script):
    other = script(HOLD, str(tmp_path), "60")
    assert other.stdout.readline() == "held\n"
    try:
        assert is_held(tmp_path)
        said = rf"held by process {other.pid} \(script\.py .*\) since \d{{4}}-"
        with pytest.raises(Busy, match=said), project_lock(tmp_path, wait=False, tell=print):
            pass
    finally:
        other.kill()
        other.communicate()
    assert Busy.exit_code == 5


def test_a_killed_holder_holds_no_more(tmp_path, script):
    other = script(HOLD, str(tmp_path), "60")
    assert other.stdout.readline() == "held\n"
    other.send_signal(signal.SIGKILL)
    other.communicate()
    assert not is_held(tmp_path)
    with project_lock(tmp_path, wait=False, tell=print):
        assert f"process {os.getpid()} " in holder(tmp_path)


def test_the_second_waits_and_says_for_whom(tmp_path, script):
    told, inside = [], threading.Event()
    with project_lock(tmp_path, wait=True, tell=told.append):
        other = script(HOLD, str(tmp_path), "0")
        assert other.stdout.readline().startswith(f"{tmp_path} is held by process {os.getpid()} ")
        inside.set()
    out, err = other.communicate(timeout=60)
    assert (out, err) == ("held\n", "")
    assert told == []
    assert inside.is_set()


def test_of_many_at_once_one_holds_at_a_time(tmp_path, script):
    count = """
        import sys
        from pathlib import Path
        from tasks.locking import project_lock

        for _ in range(20):
            with project_lock(Path(sys.argv[1]), wait=True, tell=lambda told: None):
                file = Path(sys.argv[1]) / "count"
                file.write_text(str(int(file.read_text()) + 1))
    """
    (tmp_path / "count").write_text("0")
    racers = [script(count, str(tmp_path)) for _ in range(4)]
    assert [racer.communicate(timeout=120)[1] for racer in racers] == [""] * 4
    assert (tmp_path / "count").read_text() == "80"


def test_a_child_does_not_inherit_the_lock(tmp_path):
    with project_lock(tmp_path, wait=True, tell=print):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        with project_lock(tmp_path, wait=False, tell=print):
            pass
    finally:
        child.communicate(b"\n")


def test_the_lock_goes_with_an_error_too(tmp_path):
    with pytest.raises(ValueError, match="cut"), project_lock(tmp_path, wait=True, tell=print):
        raise ValueError("cut")
    assert not is_held(tmp_path)
    assert holder(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"pid": 1}'])
def test_a_lock_file_that_says_nothing(tmp_path, content):
    (tmp_path / LOCK).parent.mkdir()
    (tmp_path / LOCK).write_text(content)
    assert holder(tmp_path) is None
    with (tmp_path / LOCK).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="held by another run"), project_lock(tmp_path, wait=False, tell=print):
            pass


def test_nobody_holds_what_was_never_run(tmp_path):
    assert not is_held(tmp_path)
    assert holder(tmp_path) is None
