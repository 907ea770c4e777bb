"""Kill it, race it, fill its disk: what is promised about faults."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def servers_of(project):
    """Processes of ours that mention the project or serve Prefect for it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(project.folder).encode() in environment:
                found.append(int(entry.name))
    return found


def start(project, *arguments):
    return subprocess.Popen(
        project.command("run", "--json", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def records(project, step):
    return list((project.folder / ".distillery/results").glob(f"{step}*"))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_repeats_only_the_step_that_was_cut(new_project, how):
    long = ("--set", "distill.training.epochs=400")
    process = start(new_project, *long)
    wait_for(lambda: records(new_project, "label_with_teacher"))
    time.sleep(1.0)
    process.send_signal(how)
    _out, err = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130, err
        assert "interrupted" in err
    assert "Traceback" not in err
    wait_for(lambda: not servers_of(new_project), 15)
    done = new_project("run", "--json", "--set", "distill.training.epochs=3")
    status = done.status()
    assert status["train_teacher", None] == status["label_with_teacher", None] == "cached"
    assert status["distill_student", None] == "ran"
    assert not list(new_project.folder.rglob(".writing-*"))


def test_a_second_run_is_refused_or_waits_naming_the_holder(project):
    code = f"""
import sys
from pathlib import Path
from tasks.locking import project_lock
with project_lock(Path({str(project.folder)!r}), True, print):
    print("held", flush=True)
    sys.stdin.readline()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        refused = project("run", "--no-wait", code=5)
        assert str(holder.pid) in refused.err
        command = project.command("run", "--json")
        with subprocess.Popen(command, cwd=project.folder, stderr=subprocess.PIPE, **pipes) as waiting:
            assert f"process {holder.pid}" in waiting.stderr.readline()
            holder.communicate("go\n")
            out, err = waiting.communicate(timeout=300)
    assert (holder.returncode, waiting.returncode) == (0, 0), err
    assert {step["status"] for step in json.loads(out)["steps"]} == {"cached"}


@pytest.mark.slow
def test_a_full_disk_is_said_and_leaves_nothing_half_written(project, tmp_path):
    """A file-size limit stands in for a full disk: the kernel refuses the write in the same place."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
        "from flows.cli import main; main()"
    )
    command = [
        sys.executable,
        "-c",
        code,
        "run",
        "--json",
        "--set",
        "augment.views=9",
        "--project",
        str(project.folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(project.folder.rglob(".writing-*"))
    assert os.path.exists(project.folder / "models/model.onnx")  # noqa: PTH110
    again = project("run", "--json", "--set", "augment.views=9")
    assert again.json["chosen"]


def test_a_project_that_is_no_repository_is_made_one_and_says_so(new_project):
    assert not (new_project.folder / ".git").exists()
    done = new_project("run", "--set", "data.validation=0.0001", code=2)
    assert "git repository" in done.err
    assert "DVC repository" in done.err
    assert (new_project.folder / ".dvc/config").is_file()
