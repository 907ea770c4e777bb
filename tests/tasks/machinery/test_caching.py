import json
import os
import shutil
import time

import pytest

from distillery.artifacts import digest_json
from distillery.errors import DistilleryError
from distillery.machine import describe_machine
from tasks.caching import RESULTS, SET_ASIDE, UNREADABLE, Record, Records, read_record, reads_of
from tasks.keys import Keys
from tasks.memory import FILE, DigestMemory


def record_file(toy, label):
    (file,) = (f for f in (toy.project / RESULTS).iterdir() if f.name.rpartition(".")[0] == label)
    return file


def artifact(toy, label):
    return toy.project / read_record(record_file(toy, label)).artifact.path


def test_a_deleted_artifact_is_a_miss_and_made_again(ran):
    folder = artifact(ran, "press.hot")
    shutil.rmtree(folder)
    path = folder.relative_to(ran.project)
    assert ran.because() == {
        "press.hot": [f"artifact {path} is missing"],
        "weigh": ["input press.hot will be made anew"],
    }
    assert ran.run() == {"sow": "cached", "press.cold": "cached", "press.hot": "ran", "weigh": "cached"}
    assert ran.plan().all_hits


@pytest.mark.parametrize("harm", ["byte", "shorter", "removed", "added"])
def test_a_corrupt_artifact_is_said_set_aside_and_made_again(ran, harm):
    folder = artifact(ran, "press.hot")
    file = folder / "oil"
    match harm:
        case "byte":
            file.write_bytes(b"X" + file.read_bytes()[1:])
        case "shorter":
            file.write_bytes(file.read_bytes()[:-1])
        case "removed":
            file.unlink()
        case "added":
            (folder / "more").touch()
    (said,) = ran.because()["press.hot"]
    assert said.startswith(f"artifact {folder.relative_to(ran.project)} is corrupt")
    assert folder.exists(), "a plan moves nothing"
    assert ran.run()["press.hot"] == "ran"
    assert (ran.project / SET_ASIDE / folder.name).exists()
    assert (folder / "oil").read_text() == "5 at 3 pressed 1.0"
    assert ran.plan().all_hits


def test_a_changed_byte_with_its_old_times_is_noticed(ran):
    file = artifact(ran, "press.hot") / "oil"
    os.utime(file, ns=(10**18, 10**18))
    assert ran.plan().all_hits
    file.write_bytes(b"X" + file.read_bytes()[1:])
    os.utime(file, ns=(10**18, 10**18))
    assert "press.hot" in ran.because()


GARBAGE = {
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
    "bytes": lambda text: "\udc80\x00",
    "a list": lambda text: "[]",
    "another shape": lambda text: changed_result(text, lambda record: {"answer": 42}),
    "a number": lambda text: changed_result(text, lambda record: 42),
    "a part more": lambda text: changed_result(text, lambda r: r | {"extra": 1}),
    "other parts": lambda text: changed_result(
        text, lambda r: r | {"parts": {**r["parts"], "python": "2.7"}}
    ),
    "seconds as text": lambda text: changed_result(text, lambda r: r | {"seconds": "1.0"}),
    "an outer path": lambda text: changed_result(text, with_path("../../elsewhere")),
    "an absolute path": lambda text: changed_result(text, with_path("/etc")),
    "another digest": lambda text: changed_result(
        text, lambda r: r | {"artifact": r["artifact"] | {"digest": "0" * 64}}
    ),
    "another serializer": lambda text: text.replace('"type":"json"', '"type":"pickle"'),
    "expired": lambda text: text.replace('"expiration":null', '"expiration":"2020-01-01T00:00:00Z"'),
}


def changed_result(text, change):
    stored = json.loads(text)
    stored["result"] = json.dumps(change(json.loads(stored["result"])))
    return json.dumps(stored, separators=(",", ":"))


def with_path(path):
    return lambda record: record | {"artifact": record["artifact"] | {"path": path}}


@pytest.mark.parametrize("harm", GARBAGE)
def test_a_record_that_is_not_one_is_a_miss(ran, harm):
    file = record_file(ran, "press.hot")
    file.write_bytes(GARBAGE[harm](file.read_text()).encode(errors="surrogateescape"))
    assert ran.because()["press.hot"] == [UNREADABLE]
    assert file.exists(), "a plan moves nothing"


def test_a_garbage_record_is_set_aside_by_a_run(ran):
    file = record_file(ran, "press.hot")
    file.write_text(changed_result(file.read_text(), lambda record: {"answer": 42}))
    assert ran.run()["press.hot"] == "ran"
    assert (ran.project / SET_ASIDE / file.name).exists()
    file.write_text("{")
    ran.run()
    shelved = list((ran.project / SET_ASIDE).glob(f"{file.name}*"))
    assert len(shelved) == 2, "the first is not overwritten"
    assert ran.plan().all_hits


def test_a_moved_project_keeps_its_records(ran):
    moved = ran.project.with_name("moved")
    ran.project = ran.project.rename(moved)
    assert ran.plan().all_hits
    assert set(ran.run().values()) == {"cached"}


def test_a_moved_record_is_not_that_of_another_key(ran):
    file = record_file(ran, "press.hot")
    ran.times = 3.0
    key = Records(ran.project).keys.of(call_of(ran, "press"))
    shutil.copy(file, file.with_name(f"press.hot.{key.digest}"))
    assert ran.because()["press.hot"] == [UNREADABLE]


def call_of(toy, name):
    """The last call of a step in the plan, without looking it up."""
    calls = []

    class Recording:
        def interpret(self, call):
            calls.append(call)
            return toy_noun(toy, call)

    from tasks.steps import interpreted_by

    with interpreted_by(Recording()):
        toy.flow()
    return [call for call in calls if call.step.name == name][-1]


def toy_noun(toy, call):
    from tasks.steps import Noun

    file = record_file(toy, call.label) if (toy.project / RESULTS).exists() else None
    return Noun(call.step.name, call.variant, read_record(file).artifact if file else None)


def test_the_key_is_the_digest_of_all_its_parts(ran):
    key = Keys(ran.project, DigestMemory(ran.project)).of(call_of(ran, "weigh"))
    assert key.digest == digest_json(key.parts)
    assert {"input press.cold", "input press.hot", "python", "call"} <= set(key.parts)
    assert key.parts["call"] == "{cold: press.cold, hot: press.hot}"
    assert read_record(record_file(ran, "weigh")).parts == key.parts


def test_memory_spares_the_second_reading(ran, monkeypatch):
    time.sleep(0.2)  # files of this very moment are not trusted
    plan = ran.plan()
    plan._records.memory.save()
    read = []
    monkeypatch.setattr("tasks.memory.digest_file", lambda *args: read.append(args))
    assert ran.plan().all_hits
    assert read == []


@pytest.mark.parametrize("content", ["", "[]", '{"known": {}}', '{"digest": "x", "known": {"a": 1}}'])
def test_a_broken_memory_is_forgotten(ran, content):
    (ran.project / FILE).write_text(content)
    assert ran.plan().all_hits


def test_memory_does_not_trust_a_file_written_just_now(tmp_path):
    file = tmp_path / "file"
    file.write_text("a")
    memory = DigestMemory(tmp_path)
    first = memory.digest(file)
    memory.save()
    assert not (tmp_path / FILE).exists()
    assert first.bytes == 1


def test_memory_drops_what_is_gone(tmp_path):
    memory = DigestMemory(tmp_path)
    for name in ("kept", "gone"):
        (tmp_path / name).write_text(name)
        status = (tmp_path / name).stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        memory._known[f"file {tmp_path / name}"] = {"stamp": stamp, "value": {}}
    memory._changed = True
    (tmp_path / "gone").unlink()
    memory.save()
    assert list(DigestMemory(tmp_path)._known) == [f"file {tmp_path / 'kept'}"]


def test_a_record_reads_back_what_it_wrote(ran):
    record = read_record(record_file(ran, "sow"))
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_prefects_random_names_are_swept(ran):
    stray = ran.project / RESULTS / "0123456789abcdef"
    stray.touch()
    Records(ran.project).sweep()
    assert not stray.exists()
    assert ran.plan().all_hits


def test_what_a_step_read_is_told_of_the_artifact_that_it_made(ran):
    assert reads_of(ran.project, artifact(ran, "sow")) == describe_machine()
    assert reads_of(ran.project, artifact(ran, "weigh")) == {}
    record_file(ran, "sow").unlink()
    with pytest.raises(DistilleryError, match="no record of what it was made of"):
        reads_of(ran.project, ran.project / ".distillery/artifacts/sow/0123456789abcdef")
