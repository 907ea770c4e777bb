"""The main job as a user sees it: a cold run, and what it leaves."""

import hashlib

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
import yaml

VARIANTS = [
    "teacher-fp32",
    "student-fp32",
    "control-fp32",
    "student-int8-dynamic",
    "student-int8-static",
    "student-int8-qat",
]
PROMISED = {
    "name", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "file_bytes", "parameters", "macs",
    "latency_p50_ms", "latency_p95_ms", "peak_rss_bytes", "integer_op_share", "teacher_agreement",
}  # fmt: skip


def test_the_json_is_one_object_of_the_promised_shape(first):
    _, done = first
    result = done.json
    assert set(result) >= {"steps", "variants", "chosen", "seconds"}
    assert [variant["name"] for variant in result["variants"]] == VARIANTS
    assert all(set(variant) >= PROMISED for variant in result["variants"])
    assert all(step["status"] == "ran" and step["seconds"] > 0 for step in result["steps"])
    assert result["chosen"]["alias"] == "champion"
    assert result["chosen"]["name"].startswith("student-")


def test_the_chosen_is_the_smallest_student(first):
    result = first[1].json
    students = {v["name"]: v["file_bytes"] for v in result["variants"] if v["name"].startswith("student")}
    assert result["chosen"]["name"] == min(students, key=students.get)


def test_the_numbers_are_those_of_the_files(first):
    project, done = first
    for variant in done.json["variants"]:
        step = "quantize_student" if "int8" in variant["name"] else "export_model"
        model = project.artifact(f"{step}.{variant['name']}") / "model.onnx"
        assert variant["file_bytes"] == model.stat().st_size
        predictions = pd.read_parquet(
            project.artifact(f"evaluate_model.{variant['name']}") / "predictions.parquet"
        )
        test = predictions[predictions["split"] == "test"]
        assert variant["accuracy"] == pytest.approx((test["label"] == test["predicted"]).mean())
        assert variant["accuracy_low"] < variant["accuracy"] <= variant["accuracy_high"]
        assert predictions["row_id"].is_unique


def test_int8_files_compute_in_integers_and_are_smaller(first):
    by_name = {variant["name"]: variant for variant in first[1].json["variants"]}
    for name in VARIANTS[3:]:
        assert by_name[name]["integer_op_share"] > 0.95
        assert by_name[name]["file_bytes"] < by_name["student-fp32"]["file_bytes"]
    assert by_name["student-fp32"]["integer_op_share"] == 0


def test_the_kept_model_eats_raw_rows_and_names_its_classes(first):
    project, _done = first
    kept = project.folder / "models/model.onnx"
    model = onnx.load(kept)
    properties = {prop.key: prop.value for prop in model.metadata_props}
    assert properties["classes"] == '["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]'
    assert [i.name for i in model.graph.input] == ["input"]
    session = ort.InferenceSession(kept, providers=["CPUExecutionProvider"])
    features = np.load(project.folder / "data/features-000.npy")
    (logits,) = session.run(["logits"], {"input": features[:7]})
    assert logits.shape == (7, 10)
    assert str(project.folder).encode() not in kept.read_bytes()


def test_pointers_pin_the_data_and_the_kept_models(first):
    project, _ = first
    for name, count in (("data", 3), ("models", 3)):
        (out,) = yaml.safe_load((project.folder / f"{name}.dvc").read_text())["outs"]
        assert out["nfiles"] == count
        assert out["md5"].endswith(".dir")


def test_a_fresh_clone_makes_just_the_bytes_that_the_shipped_pointer_pins(first, root):
    shipped = yaml.safe_load((root / "data.dvc").read_text())
    made = yaml.safe_load((first[0].folder / "data.dvc").read_text())
    assert made["outs"] == shipped["outs"]


def test_nothing_is_left_running_or_half_written(first):
    project, _ = first
    assert not list(project.folder.rglob(".writing-*"))
    findings = project("doctor", "--json").json
    assert findings["leftovers"] == []


def test_models_lists_every_compressed_variant_once(first):
    rows = first[0]("models", "--json").json
    assert sorted(row["name"] for row in rows) == sorted(VARIANTS[1:])
    assert [row["name"] for row in rows if row["aliases"] == ["champion"]] == [
        first[1].json["chosen"]["name"]
    ]
    promised = {
        "version",
        "name",
        "aliases",
        "accuracy",
        "file_bytes",
        "latency_p50_ms",
        "data_digest",
        "git_commit",
    }
    assert all(set(row) >= promised and isinstance(row["version"], str) for row in rows)


def test_predict_classifies_rows_with_the_champion(first, tmp_path):
    project, _ = first
    features, labels = (
        np.load(project.folder / "data" / f"{name}.npy") for name in ("features-000", "labels")
    )
    np.savez(tmp_path / "rows.npz", input=features[:50])
    found = project("predict", str(tmp_path / "rows.npz"), "--json").json
    assert len(found) == 50
    assert np.mean([row["label"] == str(label) for row, label in zip(found, labels[:50], strict=True)]) > 0.5
    assert all(0 < row["probability"] <= 1 for row in found)


@pytest.mark.parametrize("command", ["run", "plan", "models", "doctor", "predict"])
def test_nothing_is_written_to_the_home_directory(first, tmp_path, monkeypatch, command):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    rows = (str(first[0].folder / "data/features-000.npy"),) if command == "predict" else ()
    first[0](command, *rows)
    assert list((tmp_path / "home").rglob("*")) == []


def test_the_table_shows_every_variant_and_the_reason(first):
    done = first[0]("run")
    assert all(name in done.out for name in VARIANTS)
    assert "champion" in done.out
    assert "keep the budget" in done.out


@pytest.mark.slow
def test_the_same_project_elsewhere_gives_the_same_bytes(first, new_project):
    again = new_project
    again("run", "--json")
    for label in ("train_teacher", "distill_student", *(f"evaluate_model.{name}" for name in VARIANTS)):
        ours, theirs = (project.artifact(label) for project in (first[0], again))
        for file in sorted(path.name for path in ours.iterdir()):
            digests = [hashlib.sha256((folder / file).read_bytes()).hexdigest() for folder in (ours, theirs)]
            assert digests[0] == digests[1], (label, file)
