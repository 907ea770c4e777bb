"""What `reproduce` and `lineage` say and exit with; registry and rebuild are stood in for."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distillery.rebuild import Agreement
from flows import cli
from tasks.recalling import Entry, Recalled
from tasks.records import Version
from tasks.registering import FetchedModel

ROOT = Path(__file__).resolve().parents[2]
TAGS = {
    "variant": "student-int8-qat", "role": "candidate", "identity": "i", "onnx_digest": "o" * 64,
    "weights_digest": "w" * 64, "teacher_weights_digest": "t" * 64, "teacher_onnx_digest": "T" * 64,
    "data_digest": "d" * 64, "data_md5": "5" * 32 + ".dir", "data_classes": "10", "bundle": "bundle-0",
    "data_source": '{"path": null, "source": "imported", "dataset": "mine", "version": 2, "files": 3,'
    ' "format": "csv", "digest": "s0urce"}',
    "data_counts": '{"calibration": 2, "left_out": 1, "test": 3, "train": 6, "validation": 2}',
    "params_digest": "p", "code_digest": "c", "git_commit": "abc", "git_dirty": "true", "seed": "0",
    "threads": "2", "precision": "bf16", "device": "cuda", "python": "3.11.7", "cpu_features": "avx2",
    "libraries": '{"torch": "2.13.0"}', "accuracy": "0.97", "accuracy_low": "0.95", "accuracy_high": "0.98",
    "macro_f1": "0.96", "file_bytes": "3838",
}  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch):
    for name in ("DVC_SITE_CACHE_DIR", "PREFECT_HOME", "PREFECT_RESULTS_LOCAL_STORAGE_PATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # which a command sets for good
    project = tmp_path / "project"
    project.mkdir()
    (project / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    runner = CliRunner()
    return lambda *arguments: runner.invoke(cli.app, [*arguments, "--project", str(project)])


@pytest.fixture
def rebuilt(monkeypatch):
    """Stands in for all that is slow: `tags` are of the rebuilt file, `here` is of the environment."""

    def stand_in(content=b"registered", here=None, share=1.0, **tags):
        environment = {"python": "3.11.7", "cpu": {"model": "Xeon", "features": []}, "distributions": {}}
        entry = Entry(Version("3", "run", "models:/m", TAGS), ("champion",), "digits at sqlite:///x")
        bundle = {"environment.json": json.dumps(environment).encode()}
        compared = []

        def compare(_scratch, registered, other):
            compared.append((registered, other))
            return Agreement(359, share, 0.25)

        monkeypatch.setattr("flows.reproduce.recall", lambda *_: Recalled(entry, bundle, content))
        monkeypatch.setattr("flows.reproduce.lay_out", lambda *_: (None, ["data: 3 files, verified"]))
        monkeypatch.setattr("flows.reproduce.build", lambda *_: FetchedModel("1", b"rebuilt", TAGS | tags))
        monkeypatch.setattr("flows.reproduce.compare", compare)
        monkeypatch.setattr("flows.reproduce.describe_environment", lambda: environment | (here or {}))
        monkeypatch.setattr("flows.lineage.look_up", lambda *_: entry)
        return compared

    return stand_in


OTHER = {"onnx_digest": "x" * 64, "macro_f1": "0.95"}


def test_the_same_bytes_are_identical_and_nothing_is_compared(run, rebuilt):
    compared = rebuilt()
    done = run("reproduce", "champion", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["verdict"], told["version"], told["variant"]) == ("identical", "3", "student-int8-qat")
    assert told["onnx_digest"] == told["rebuilt_digest"] == "o" * 64
    assert (told["environment"], told["agreement"], told["kept"], compared) == ([], None, None, [])
    assert told["git_commit"] == "abc"
    assert "commit abc with uncommitted changes" in done.stderr
    assert "data: 3 files, verified" in done.stderr
    assert "environment: as recorded" in done.stderr


def test_other_bytes_on_another_machine_are_equivalent_with_causes_and_numbers(run, rebuilt):
    here = {"cpu": {"model": "Epyc", "features": []}}
    compared = rebuilt(here=here, share=0.995, **OTHER)
    done = run("reproduce", "champion", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["verdict"] == "equivalent"
    assert told["environment"] == [{"name": "cpu model", "recorded": "Xeon", "here": "Epyc"}]
    assert told["agreement"] == {"rows": 359, "share": 0.995, "largest_logit_difference": 0.25}
    assert told["numbers"]["macro_f1"] == {"recorded": 0.96, "rebuilt": 0.95}
    assert compared == [(b"registered", b"rebuilt")]
    table = run("reproduce", "champion").stdout
    assert "is rebuilt: equivalent" in table
    assert "environment, cpu model: Xeon -> Epyc" in table
    assert "99.50% of 359 test rows are predicted alike" in table


def test_a_device_that_was_replaced_is_a_cause(run, rebuilt):
    rebuilt(device="cpu", **OTHER)
    done = run("reproduce", "3", "--json")
    assert json.loads(done.stdout)["environment"] == [{"name": "device", "recorded": "cuda", "here": "cpu"}]
    assert done.exit_code == 0


def test_other_bytes_in_the_same_environment_are_different_exit_4(run, rebuilt):
    rebuilt(**OTHER)
    done = run("reproduce", "champion", "--json")
    assert done.exit_code == 4
    assert json.loads(done.stdout)["verdict"] == "different"
    assert "distillery: version champion was rebuilt, but differently" in done.stderr
    assert "nothing in the environment accounts for other bytes" in done.stderr


def test_without_the_registered_file_only_digests_are_compared(run, rebuilt):
    assert rebuilt(content=None) == []
    done = run("reproduce", "champion", "--json")
    assert json.loads(done.stdout)["verdict"] == "identical"
    assert "its ONNX file is gone or altered" in done.stderr
    assert rebuilt(content=None, here={"python": "3.12"}, **OTHER) == []
    assert run("reproduce", "champion", "--json").exit_code == 4


def test_other_rows_are_the_users_to_restore_and_no_verdict(run, rebuilt):
    rebuilt(data_digest="e" * 64)
    done = run("reproduce", "champion", "--json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"gives data digest {'e' * 64} here, and the record says {'d' * 64}" in done.stderr


def test_a_registry_without_versions_and_a_folder_that_is_taken_are_said(run, tmp_path):
    for command in ("reproduce", "lineage"):
        done = run(command, "champion")
        assert (done.exit_code, done.stdout) == (2, "")
        assert "holds no version yet" in done.stderr
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").touch()
    done = run("reproduce", "champion", "--to", str(tmp_path / "taken"))
    assert done.exit_code == 2
    assert "is not empty" in done.stderr
    assert list((tmp_path / "project/.distillery").glob("*")) == []


def test_the_lineage_leads_from_the_file_to_the_source(run, rebuilt):
    rebuilt()
    told = json.loads(run("lineage", "champion", "--json").stdout)
    chain, node = [], told["file"]
    while node:
        chain.append(node.get("name", "file"))
        node = node.get("from")
    assert chain == ["file", "student", "teacher", "data", "source"]
    data = told["file"]["from"]["from"]["from"]
    assert (data["dataset"], data["version"], data["from"]["format"]) == ("mine", 2, "csv")
    assert (data["rows"], data["classes"], data["md5"]) == (12, 10, "5" * 32 + ".dir")
    assert (told["git_dirty"], told["libraries"], told["aliases"]) == (
        True,
        {"torch": "2.13.0"},
        ["champion"],
    )
    lines = run("lineage", "champion").stdout
    for said in (
        "SHA-256 " + "o" * 64,
        "12 rows, 10 classes",
        "version 2 of mine",
        "source: imported, 3 files, SHA-256 s0urce",
        "seed 0",
        "torch 2.13.0",
    ):
        assert said in lines


@pytest.mark.parametrize("variant", ["student-pruned-fp32", "student-pruned-int8-qat"])
def test_a_pruned_network_is_told_by_what_it_is(run, rebuilt, monkeypatch, variant):
    rebuilt()
    monkeypatch.setitem(TAGS, "variant", variant)
    file = json.loads(run("lineage", "3", "--json").stdout)["file"]
    assert (file["from"]["name"], file["from"]["from"]["name"]) == ("student-pruned", "teacher")
    assert "student-pruned: weights SHA-256" in run("lineage", "3").stdout


def test_a_control_has_no_teacher(run, rebuilt, monkeypatch):
    rebuilt()
    monkeypatch.setitem(TAGS, "role", "control")
    file = json.loads(run("lineage", "3", "--json").stdout)["file"]
    assert (file["from"]["name"], file["from"]["from"]["name"]) == ("control", "data")
