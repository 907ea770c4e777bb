import json

import pytest

from distillery.artifacts import digest_bytes, read_json, write_json
from distillery.errors import Busy
from tasks.origins import find_origin
from tasks.pointers import matches_pin, models_kept, pinned_digest
from tasks.register_model import register_model
from tasks.registering import fetch_model, list_models
from tasks.repository import ensure_repository
from tasks.restoring import restore_folder
from tasks.versioning import pin
from tasks.work import Work

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")  # DVC's


@pytest.fixture
def step(stored, params, artifacts, own_data):
    """Run the step's body; returns what it wrote."""
    ensure_repository(stored)
    calls = iter(range(100))

    def run(overrides=params, **written):
        into = stored / f".distillery/into-{next(calls)}"
        into.mkdir()
        register_model(**artifacts(**written), params=overrides, work=Work(stored, into, lambda _: None))
        return (into / "registration.json").read_bytes()

    return run


def test_the_step_registers_every_variant_but_the_teacher_and_keeps_the_chosen_model(step, stored, params):
    written = json.loads(step())

    assert set(written["versions"]) == {"student-fp32", "control-fp32", "student-int8-qat"}
    assert written["registered"] == 3
    version = written["versions"]["student-int8-qat"]
    assert written["chosen"] == {"name": "student-int8-qat", "version": version, "alias": "champion"}

    champion = fetch_model(stored, params.registry, "champion")
    assert (stored / "models/model.onnx").read_bytes() == champion.content
    manifest = read_json(stored / "models/manifest.json")
    assert manifest["variant"] == "student-int8-qat"
    assert models_kept(stored, manifest["files"])
    assert matches_pin(stored, "models")


def test_the_step_done_again_writes_the_same_bytes_and_enters_nothing(step, stored, params):
    first = step()
    pointer = (stored / "models.dvc").read_bytes()

    assert step() == first
    assert (stored / "models.dvc").read_bytes() == pointer
    assert len(list_models(stored, params.registry)) == 3


def test_a_run_on_other_data_than_the_projects_leaves_models_and_pointers_alone(step, stored, params):
    write_json(stored / "data/schema.json", {"source": {"source": "idx", "path": "elsewhere"}})
    written = json.loads(step())
    assert written["chosen"]["alias"] == "champion"
    assert not (stored / "models").exists()
    assert not (stored / "models.dvc").exists()


def test_what_is_measured_anew_is_shown(step, stored, params):
    step()
    (before,) = {row["latency_p50_ms"] for row in list_models(stored, params.registry)}
    step(latency=before + 1)
    assert {row["latency_p50_ms"] for row in list_models(stored, params.registry)} == {before + 1}


def test_without_a_choice_no_alias_moves_no_model_is_kept_and_the_broken_budgets_are_tags(
    step, stored, params
):
    written = json.loads(
        step(chosen=None, broken={"student-fp32": ["max_bytes: 2 > 1", "max_p50_ms: 3 > 1"]})
    )

    assert written["chosen"] is None
    assert not (stored / "models").exists()
    rows = {row["name"]: row for row in list_models(stored, params.registry)}
    assert all(row["aliases"] == [] for row in rows.values())
    assert rows["student-fp32"]["broken"] == ["max_bytes: 2 > 1", "max_p50_ms: 3 > 1"]
    assert rows["student-int8-qat"]["broken"] == []


def test_another_budget_judges_the_same_versions_anew(step, stored, params):
    step()
    tighter = params.model_copy(update={"budget": params.budget.model_copy(update={"max_bytes": 1})})
    written = json.loads(
        step(overrides=tighter, chosen=None, broken={"student-int8-qat": ["max_bytes: 9 > 1"]})
    )

    assert written["registered"] == 0
    rows = {row["name"]: row for row in list_models(stored, params.registry)}
    assert len(rows) == 3
    assert rows["student-int8-qat"]["broken"] == ["max_bytes: 9 > 1"]
    assert rows["student-int8-qat"]["aliases"] == ["champion"]


def test_what_data_held_is_in_dvcs_cache_whatever_its_pointer_pins(step, stored, params, tmp_path):
    (stored / "data/rows.npy").write_bytes(b"pinned")
    pin(stored, "data")
    pointer = (stored / "data.dvc").read_bytes()
    (stored / "data/rows.npy").write_bytes(b"used as they are")
    step()
    tags = fetch_model(stored, params.registry, "champion").tags
    assert (stored / "data.dvc").read_bytes() == pointer
    assert tags["data_md5"] != pinned_digest(stored, "data").md5
    restore_folder(stored, tags["data_md5"], tmp_path / "there")
    assert (tmp_path / "there/rows.npy").read_bytes() == b"used as they are"


def test_data_that_changed_since_they_were_read_are_not_registered(step, stored, params, monkeypatch):
    real = register_model.__globals__["describe_variant"]

    def edit(*arguments):
        (stored / "data/rows.npy").write_bytes(b"edited meanwhile")
        return real(*arguments)

    monkeypatch.setitem(register_model.__globals__, "describe_variant", edit)
    with pytest.raises(Busy, match="changed while it was used"):
        step()
    assert list_models(stored, params.registry) == []


def test_a_version_says_what_it_was_made_from(step, stored, params, artifacts):
    step()
    made = artifacts()

    def digest(kind, variant, name):
        return digest_bytes((made[kind][variant] / name).read_bytes())

    tags = fetch_model(stored, params.registry, "champion").tags
    facts = json.loads(tags["data_source"]), json.loads(tags["data_counts"])["train"], tags["data_classes"]
    newest = {"dataset": "mine", "version": 2, "format": "csv", "files": 3, "digest": "s" * 64}
    assert facts == ({"source": "digits", "path": None, **newest}, 6, "3")
    assert tags["teacher_onnx_digest"] == digest("models", "teacher-fp32", "model.onnx")
    assert tags["teacher_weights_digest"] == digest("networks", "teacher-fp32", "weights.safetensors")
    assert tags["weights_digest"] == digest("networks", "student-int8-qat", "weights.safetensors")
    assert json.loads(tags["bundle_files"])["source.tar"] == tags["code_digest"]
    assert tags["bundle"].startswith("bundle-")


def test_a_source_elsewhere_is_recorded_file_by_file_as_it_was_read(stored, params, prepared_data, tmp_path):
    read = {"images": "1" * 64, "labels": "2" * 64}
    data = params.data.model_copy(update={"source": "idx", "path": "../elsewhere"})
    origin = find_origin(stored, prepared_data({}, **read), data, own=False)
    assert (origin.folder, origin.md5, origin.files) == (str(tmp_path / "elsewhere"), None, read)
    digest = digest_bytes(f"images {'1' * 64}\nlabels {'2' * 64}\n".encode())
    assert origin.source == {"format": "idx", "files": 2, "digest": digest}
    assert find_origin(stored, prepared_data({}), params.data, own=False).to_json()["folder"] is None
