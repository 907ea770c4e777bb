"""Registered versions made again from their records: identical, and exact about what is missing."""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
import yaml

from distillery.artifacts import digest_file, files_below
from tasks.pointers import file_md5s

TINY = {
    "teacher.training.epochs": 1, "distill.training.epochs": 2, "quantize.qat.training.epochs": 2,
    "student.model.width": 3,
}  # fmt: skip


def forget(project):
    """Take away all that could be reused: what was computed, `data/` and `models/`."""
    for name in (".distillery/artifacts", ".distillery/results", ".distillery/memory.json", "data", "models"):
        path = project.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def working_tree(project):
    """The digest of every file that is the user's."""
    files = (
        name for name in files_below(project.folder) if not name.startswith((".distillery/", ".dvc/tmp"))
    )
    return {name: digest_file(project.folder / name, name).sha256 for name in files}


def versions(project):
    """The newest version of each variant."""
    return {row["name"]: row for row in reversed(project("models", "--json").json)}


def test_every_variant_is_rebuilt_byte_for_byte_with_an_empty_cache(project, tmp_path):
    before = versions(project)
    forget(project)
    tree = working_tree(project)
    done = project(
        "reproduce", before["student-int8-qat"]["version"], "--to", str(tmp_path / "there"), "--json"
    )
    told = done.json
    assert (told["verdict"], told["variant"], told["environment"]) == ("identical", "student-int8-qat", [])
    assert told["onnx_digest"] == told["rebuilt_digest"] == before["student-int8-qat"]["onnx_digest"]
    there = type(project)(tmp_path / "there")
    rebuilt = {name: row["onnx_digest"] for name, row in versions(there).items()}
    assert rebuilt == {name: row["onnx_digest"] for name, row in before.items()}
    assert working_tree(project) == tree
    assert versions(project) == before


@pytest.mark.slow
def test_uncommitted_code_and_edited_data_and_a_named_registry_are_rebuilt_identically(
    new_project, source, tmp_path, monkeypatch
):
    """What no commit and no pointer has, under an environment that names other stores and other kernels."""
    settings = [f"--set={name}={value}" for name, value in TINY.items()]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/registry.db")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
    file = source / "distillery/losses/soft.py"
    file.write_text(file.read_text().replace("temperature**2", "temperature**3"))
    new_project("run", *settings, source=source)
    features = new_project.folder / "data/features-000.npy"
    content = bytearray(features.read_bytes())
    content[-1] ^= 1
    features.write_bytes(content)
    done = new_project("run", *settings, source=source)
    assert "used as it is" in done.err
    before = versions(new_project)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    forget(new_project)
    told = new_project("reproduce", before["student-fp32"]["version"], "--json").json
    assert told["verdict"] == "identical"
    assert versions(new_project) == before


def test_an_altered_record_is_said_tag_by_tag(project):
    database = project.folder / ".distillery/mlflow/mlflow.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE model_version_tags SET value = '0.999' WHERE key = 'accuracy'")
    for command in ("reproduce", "lineage"):
        done = project(command, "champion", "--json", code=1)
        assert done.out == ""
        assert "- accuracy is '0.999'; it was registered as '0." in done.err


@pytest.mark.parametrize("harm", ["altered", "gone"])
def test_a_harmed_bundle_is_said_file_by_file_with_its_place(project, harm):
    (file,) = (project.folder / ".distillery/mlflow/artifacts").rglob("bundle-*/source.tar")
    if harm == "altered":
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    else:
        file.unlink()
    done = project("reproduce", "champion", "--json", code=1 if harm == "altered" else 2)
    assert done.out == ""
    assert f"last seen in {file.parent}" in done.err
    assert f"- source.tar {'was altered: its SHA-256 is' if harm == 'altered' else 'is gone'}" in done.err


def test_data_that_are_gone_are_said_object_by_object_with_where_they_were_looked_for(project, tmp_path):
    command = [sys.executable, "-m", "dvc", "remote", "add", "-d", "store", str(tmp_path / "store")]
    subprocess.run(command, cwd=project.folder, check=True)
    md5s = file_md5s(project.folder / "data")
    for md5 in md5s.values():
        (project.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    done = project("reproduce", "champion", "--to", str(tmp_path / "there"), "--json", code=2)
    assert done.out == ""
    for name, md5 in md5s.items():
        assert (
            f"- {name} ({md5}): not in DVC's cache ({project.folder}/.dvc/cache/files/md5); not in remote"
            in (done.err)
        )
    assert not (tmp_path / "there").exists()


def test_the_lineage_names_what_is_really_there(project):
    told = project("lineage", "champion", "--json").json
    file, student = told["file"], told["file"]["from"]
    teacher, data = student["from"], student["from"]["from"]
    model = (project.folder / "models/model.onnx").read_bytes()
    assert file["onnx_digest"] == hashlib.sha256(model).hexdigest()
    weights = project.artifact("distill_student") / "weights.safetensors"
    assert student["weights_digest"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    weights = project.artifact("train_teacher") / "weights.safetensors"
    assert teacher["weights_digest"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    pointer = yaml.safe_load((project.folder / "data.dvc").read_text())
    assert (data["md5"], data["rows"]) == (pointer["outs"][0]["md5"], 1797)
    schema = json.loads((project.artifact("prepare_data") / "schema.json").read_text())
    assert (data["digest"], data["counts"]) == (schema["data_digest"], schema["counts"])
    assert data["from"].items() >= {"name": "source", "source": "digits", "path": None}.items()
    assert data["version"] == 1
