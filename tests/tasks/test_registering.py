"""What happens at the registry: once for ever, cut off or killed anywhere, the alias read back."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from distillery.artifacts import digest_bytes
from distillery.errors import Busy, DistilleryError, ProjectError
from tasks.records import network_folder, record_digest
from tasks.registering import fetch_model, list_models, register
from tasks.repository import ensure_repository
from tasks.tracking import Registry, open_registry


def rows_by_name(project, params):
    return {row["name"]: row for row in list_models(project, params.registry)}


def test_a_version_says_all_about_itself_and_its_file_is_the_file_that_ships(stored, params, record, bundle):
    run = record()
    done = register(stored, params.registry, run, bundle)
    row = rows_by_name(stored, params)["student-int8-qat"]

    assert row["version"] == done.versions["student-int8-qat"]
    assert isinstance(row["version"], str)
    assert (row["accuracy"], row["latency_p50_ms"]) == (0.98, 0.01)
    assert row["file_bytes"] == run.variants["student-int8-qat"].file.stat().st_size
    assert row["data_digest"] == "d" * 64
    assert row["git_commit"] == "none"
    assert row["model"] == "digits"

    fetched = fetch_model(stored, params.registry, "champion")
    assert fetched.content == run.variants["student-int8-qat"].file.read_bytes()
    assert digest_bytes(fetched.content) == fetched.tags["onnx_digest"]
    assert fetched.tags["seed"] == "0"
    assert fetched.tags["validation_accuracy"] == "0.985"
    assert fetched.tags["record_digest"] == record_digest(fetched.tags)
    assert fetched.tags["record_digest"] != record_digest({**fetched.tags, "accuracy": "1.0"})
    assert fetch_model(stored, params.registry, row["version"]).content == fetched.content
    assert rows_by_name(stored, params)["control-fp32"]["role"] == "control"


def test_the_network_of_every_version_is_kept_with_its_run(stored, params, record, bundle):
    run = record()
    register(stored, params.registry, run, bundle)
    with open_registry(stored, params.registry) as registry:
        for version in registry.versions():
            folder = network_folder(version.tags["weights_digest"])
            files = registry.read_folder(version, folder).files
            assert digest_bytes(files["weights.safetensors"]) == version.tags["weights_digest"]
            network = run.variants[version.tags["variant"]].network
            assert files["weights.safetensors"] == (network / "weights.safetensors").read_bytes()


def test_the_same_identity_is_never_registered_twice(stored, params, record, bundle):
    first = register(stored, params.registry, record(), bundle)
    again = register(stored, params.registry, record(), bundle)

    assert again == first
    assert len(list_models(stored, params.registry)) == 3
    other_budget = params.model_copy(update={"budget": params.budget.model_copy(update={"max_bytes": 9})})
    assert register(stored, params.registry, record(other_budget), bundle).versions == first.versions
    other_data = register(stored, params.registry, record(data_digest="e" * 64), bundle)
    assert other_data.registered == 3
    assert set(other_data.versions.values()).isdisjoint(first.versions.values())


def test_the_first_choice_is_champion_the_next_challenger_and_the_champion_itself_moves_nothing(
    stored, params, record, bundle
):
    first, second, third = (record(seed=seed) for seed in range(3))

    def alias(run):
        return register(stored, params.registry, run, bundle).chosen["alias"]

    assert [alias(first), alias(second), alias(first)] == ["champion", "challenger", "champion"]
    held = {a: row["version"] for row in list_models(stored, params.registry) for a in row["aliases"]}
    assert alias(third) == "challenger"
    now = {a: row["version"] for row in list_models(stored, params.registry) for a in row["aliases"]}
    assert now["champion"] == held["champion"]
    assert int(now["challenger"]) > int(held["challenger"])


@pytest.mark.parametrize("cut", ["_upload", "enter", "set_alias", "finish", "attach"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_cut_off_between_any_two_writes_is_finished_and_not_doubled(
    stored, params, record, bundle, monkeypatch, cut, when
):
    real, calls = getattr(Registry, cut), []

    def cutting(self, *arguments):
        calls.append(cut)
        if len(calls) < 2 and cut in ("_upload", "enter"):
            return real(self, *arguments)
        if when == "after":
            real(self, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Registry, cut, cutting)
        with pytest.raises(KeyboardInterrupt):
            register(stored, params.registry, record(), bundle)

    done = register(stored, params.registry, record(), bundle)
    rows = list_models(stored, params.registry)
    assert sorted(row["name"] for row in rows) == ["control-fp32", "student-fp32", "student-int8-qat"]
    assert done.registered == 3
    assert done.chosen["alias"] == "champion"
    with open_registry(stored, params.registry) as registry:
        experiment = registry.make()
        assert len(registry._client.search_runs([experiment])) == 1
        assert len(registry._client.search_logged_models([experiment])) == 3


def test_the_alias_is_read_back(stored, params, record, bundle, monkeypatch):
    monkeypatch.setattr(Registry, "set_alias", lambda *_: None)
    with pytest.raises(Busy, match="reads back"):
        register(stored, params.registry, record(), bundle)


def registered_file(project, content):
    return next(
        path
        for path in (project / ".distillery/mlflow/artifacts").rglob("model.onnx")
        if path.read_bytes() == content
    )


@pytest.mark.parametrize("damage", [lambda f: f.write_bytes(f.read_bytes()[:-1] + b"x"), Path.unlink])
def test_a_damaged_file_is_told_by_fetch_and_put_back_by_registering_again(
    stored, params, record, bundle, damage
):
    run = record()
    content = run.variants["student-int8-qat"].file.read_bytes()
    register(stored, params.registry, run, bundle)
    damage(registered_file(stored, content))

    with pytest.raises(DistilleryError, match=r"the ONNX file of version 3 is .*--refresh register_model"):
        fetch_model(stored, params.registry, "champion")
    assert register(stored, params.registry, run, bundle).versions["student-int8-qat"] == "3"
    assert fetch_model(stored, params.registry, "champion").content == content


def test_an_unknown_version_or_alias_lists_what_exists(stored, params, record, bundle):
    register(stored, params.registry, record(), bundle)
    with pytest.raises(ProjectError, match="'chalenger': name one of champion, 1, 2, 3"):
        fetch_model(stored, params.registry, "chalenger")


KILLED_AT = (
    "tasks.versioning:pin",
    "tasks.registry_store:mark_made",
    "mlflow:MlflowClient.create_model_version",
    "tasks.tracking:Registry.set_alias",
    "tasks.registering:asdict",
)


@pytest.mark.slow
def test_a_run_killed_at_many_points_one_after_the_other_ends_with_one_of_everything(
    project, params, artifacts, own_data
):
    ensure_repository(project)
    made = artifacts()
    params_file = Path(__file__).parents[2] / "params.yaml"

    def run(cut):
        arguments = [project, cut, params_file, made["data"], made["choice"].parent]
        script = str(Path(__file__).with_name("cut_registration.py"))
        return subprocess.run(
            [sys.executable, script, *map(str, arguments)], capture_output=True, text=True, check=False
        )

    for cut in KILLED_AT:
        assert (cut, run(cut).returncode) == (cut, -signal.SIGKILL)
    done = run("nowhere")

    assert done.stderr == ""
    written = json.loads(done.stdout)
    assert written["registered"] == 3
    assert written["chosen"]["alias"] == "champion"
    assert len(list_models(project, params.registry)) == 3
    assert (
        fetch_model(project, params.registry, "champion").content
        == (project / "models/model.onnx").read_bytes()
    )
    assert json.loads(run("nowhere").stdout) == written
