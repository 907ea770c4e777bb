"""A run that is killed in the middle, and the one after it."""

import json
import os
import signal

import pytest

RUN = """
    import json, sys
    from pathlib import Path
    from typing import ClassVar

    from distillery.params.base import Block
    from tasks.caching import Records
    from tasks.environment import prepare_environment
    from tasks.locking import project_lock
    from tasks.server import prefect_server
    from tasks.steps import Step

    project, package = Path(sys.argv[1]), sys.argv[2]
    sow, press = Step("sow", (), package=package), Step("press", (), package=package)

    class Seeds(Block):
        place: ClassVar[str] = "seeds"
        number: int

    class Listener:
        def started(self, label): print(json.dumps({"started": label}), flush=True)
        def progressed(self, progress): ...
        def finished(self, label, status, seconds): print(json.dumps({label: status}), flush=True)

    def flow():
        field = sow(Seeds(number=3))
        return [press(field, Seeds(number=n), variant=str(n)) for n in (1, 2)]

    prepare_environment(project)
    with project_lock(project, wait=False, tell=print):
        with prefect_server(project) as server:
            from tasks.running import Run, run_flow
            print(json.dumps({"server": server.process.pid}), flush=True)
            server.wait_until_healthy()
            records = Records(project)
            run_flow("toy", flow, Run(records, Listener()), records)
"""
PRESS = """
    import os, time
    def press(field, seeds, *, work):
        (work.into / "half").write_text("half")
        if seeds.number == 2 and os.environ.get("STAY"):
            time.sleep(600)
        (work.into / "oil").touch()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 1), (signal.SIGTERM, None)]
)
def test_a_cut_run_repeats_only_the_step_that_was_cut(toy, script, gone, number, code):
    toy.write_body("press", PRESS)
    cut = script(RUN, str(toy.project), toy.code.name, STAY="1")
    told = {}
    for line in cut.stdout:
        told |= json.loads(line)
        if told.get("started") == "press.2":
            break
    os.kill(cut.pid, number)
    cut.communicate(timeout=60)
    assert code is None or cut.returncode in (code, -number)
    assert gone(told["server"])

    again = script(RUN, str(toy.project), toy.code.name)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    seen = {
        k: v
        for line in out.splitlines()
        for k, v in json.loads(line).items()
        if k not in ("server", "started")
    }
    assert seen == {"sow": "cached", "press.1": "cached", "press.2": "ran"}
    folders = [p for p in (toy.project / ".distillery/artifacts/press.2").iterdir() if p.name[0] != "."]
    assert [sorted(f.name for f in folder.iterdir()) for folder in folders] == [["half", "oil"]]
