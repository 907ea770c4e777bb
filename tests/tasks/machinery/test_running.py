import json
import time

import httpx
import pytest

from distillery.errors import Busy, DataError
from tasks.caching import RESULTS, read_record


def test_what_was_run_is_cached_then(ran):
    assert set(ran.run().values()) == {"cached"}
    assert ran.plan().all_hits


def test_a_body_is_handed_folders_blocks_and_mappings(ran):
    folder = ran.plan().flow["weight"].folder(ran.project)
    assert sorted(p.name for p in (folder / "scales").iterdir()) == ["cold", "hot"]
    assert (ran.plan().flow["oils"]["hot"].folder(ran.project) / "oil").read_text() == "5 at 3 pressed 1.0"


def test_only_what_changed_runs(ran):
    ran.times = 2.0
    assert ran.run() == {"sow": "cached", "press.cold": "ran", "press.hot": "ran", "weigh": "ran"}


def test_refresh_runs_a_step_anew_and_stops_where_the_bytes_are_the_same(ran):
    assert ran.run(refresh=["press"]) == {
        "sow": "cached",
        "press.cold": "ran",
        "press.hot": "ran",
        "weigh": "cached",
    }


def test_the_listener_hears_every_step_and_its_progress(toy, server):
    heard = []

    class Listener:
        def started(self, label):
            heard.append(f"{label} started")

        def progressed(self, progress):
            heard.append(progress)

        def finished(self, label, status, seconds):
            heard.append(f"{label} {status}")

    toy.write_body("sow", "def sow(seeds, *, work):\n    list(work.watch(['half', 'all']))")
    toy.write_body("press", "def press(field, oil, *, work):\n    (work.into / 'oil').touch()")
    toy.run(listener=Listener())
    assert heard[:4] == ["sow started", "half", "all", "sow ran"]
    assert heard[-1] == "weigh ran"


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        ("OSError(28, 'No space left on device')", OSError),
        ("KeyboardInterrupt", KeyboardInterrupt),
        ("__import__('distillery.errors').errors.DataError('bad rows', ['row 3'])", DataError),
    ],
)
def test_an_error_of_a_body_comes_out_as_itself_and_leaves_nothing(toy, server, raised, kind):
    toy.write_body(
        "press", f"def press(field, oil, *, work):\n    (work.into / 'x').touch()\n    raise {raised}"
    )
    with pytest.raises(kind) as caught:
        toy.run()
    assert getattr(caught.value, "faults", ("row 3",)) == ("row 3",)
    assert not list(toy.project.rglob(".writing-*"))
    assert {file.name.split(".")[0] for file in (toy.project / ".distillery/results").iterdir()} == {"sow"}
    assert list(toy.because()) == ["press.cold", "press.hot", "weigh"]


def test_code_that_changes_under_a_running_step_is_not_kept(toy, server):
    edit = "__import__('pathlib').Path(__file__).with_name('soil.py').write_text('DEPTH = 4')"
    toy.write_body("sow", f"import {toy.code.name}.soil\ndef sow(seeds, *, work):\n    {edit}")
    with pytest.raises(Busy, match="sow is not kept") as caught:
        toy.run()
    assert caught.value.faults == (f"code {toy.code.name}/soil.py changed",)
    assert next(iter(toy.because())) == "sow"


def test_a_result_that_could_not_be_stored_ends_the_run(toy, server, monkeypatch):
    from prefect.filesystems import LocalFileSystem

    from distillery.errors import DiskError

    def refuse(self, path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalFileSystem, "write_path", refuse)
    with pytest.raises(DiskError, match="disk full"):
        toy.run()


def test_what_prefect_stores_is_what_we_read(ran):
    """The file name, the shape and the serializer of prefect 3.8.8."""
    (file,) = (ran.project / RESULTS).glob("sow.*")
    record = read_record(file)
    assert record is not None
    stored = json.loads(file.read_text())
    assert stored["metadata"]["prefect_version"] == "3.8.8"
    assert json.loads(stored["result"]) == json.loads(json.dumps(record.to_json()))


def test_prefect_shows_every_step_its_state_and_its_inputs(ran, server):
    ran.times = 7.0
    ran.run()
    (flow_run,) = _ask(f"{server.url}/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})
    query = {"flow_runs": {"id": {"any_": [flow_run["id"]]}}}  # the run before may still report too
    for _ in range(100):
        found = _ask(f"{server.url}/task_runs/filter", query)
        states = {run["name"]: run["state_name"] for run in found}
        if sorted(states.values()) == ["Cached", "Completed", "Completed", "Completed"]:
            break
        time.sleep(0.2)
    assert states["sow"] == "Cached"
    assert states["press.cold"] == "Completed"
    inputs = {run["name"]: run["task_inputs"]["inputs"] for run in found}
    sow = next(run["id"] for run in found if run["name"] == "sow")
    assert [entry["id"] for entry in inputs["press.hot"]] == [sow]
    assert len(inputs["weigh"]) == 2


def _ask(url, body):
    answer = httpx.post(url, json=body)
    answer.raise_for_status()
    return answer.json()
