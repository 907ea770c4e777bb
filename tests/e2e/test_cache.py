"""Never twice: what is cached, what each kind of change re-runs, and that a hit's bytes are checked."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "prefect", "mlflow", "pandas", "onnxruntime", "sklearn", "numpy", "dvc")
AFTER_DISTILLATION = {"distill_student", "export_model", "quantize_student", "evaluate_model"}


def ran(done):
    return {name for (name, _), status in done.status().items() if status in ("ran", "miss")}


def test_a_second_run_does_nothing_and_says_the_same(first):
    project, before = first
    again = project("run", "--json")
    assert ran(again) == set()
    assert again.json["variants"] == before.json["variants"]
    assert again.json["chosen"] == before.json["chosen"]


def test_a_run_with_nothing_to_do_imports_nothing_heavy(project):
    code = f"""
import sys
from flows.cli import app
sys.argv = ["distillery", "run", "--json", "--project", {str(project.folder)!r}]
try:
    app()
except SystemExit as error:
    assert not error.code, error.code
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_moved_project_still_has_its_cache(project):
    assert ran(project("plan", "--json")) == set()


def test_the_temperature_re_runs_distillation_and_what_follows_not_the_teacher(project):
    plan = project("plan", "--json", "--set", "distill.temperature=2.5")
    status = plan.status()
    assert status["train_teacher", None] == status["label_with_teacher", None] == "hit"
    assert status["evaluate_model", "teacher-fp32"] == "hit"
    assert status["distill_student", None] == status["register_model", None] == "miss"
    assert plan.status("because")["distill_student", None] == ["distill.temperature: 4.0 -> 2.5"]


@pytest.mark.slow
def test_what_a_plan_says_is_what_a_run_does(project):
    setting = ("--set", "quantize.static.ranges=percentile")
    planned = project("plan", "--json", *setting)
    done = project("run", "--json", *setting)
    misses = {key for key, status in planned.status().items() if status == "miss"}
    really = {key for key, status in done.status().items() if status == "ran"}
    assert ("quantize_student", "student-int8-static") in really
    assert really <= misses  # a step whose input came out the same is a hit after all
    assert ("train_teacher", None) not in really
    assert ran(project("run", "--json", *setting)) == set()


def test_a_comment_re_runs_nothing_and_the_report_only_itself(project, source):
    for file, line, runs in (
        ("distillery/training.py", "# a comment", set()),
        ("distillery/report/charts.py", "WIDTH = 3", {"write_report"}),
    ):
        (source / file).write_text((source / file).read_text() + f"\n{line}\n")
        assert ran(project("plan", "--json", source=source)) == runs


def test_a_change_of_the_probe_measures_anew(project, source):
    file = source / "distillery/probe.py"
    before = file.read_text()
    file.write_text(before.replace("RUNS = 100, 2000", "RUNS = 100, 3000"))
    assert file.read_text() != before
    plan = project("plan", "--json", source=source)
    assert ran(plan) == {"measure_model", "choose_model", "register_model", "write_report"}


def test_a_change_of_code_re_runs_what_it_shapes_and_names_the_file(project, source):
    file = source / "distillery/losses/soft.py"
    file.write_text(file.read_text().replace("temperature**2", "temperature**3"))
    plan = project("plan", "--json", source=source)
    assert plan.status()["train_teacher", None] == "hit"
    assert plan.status("because")["distill_student", None] == ["code distillery/losses/soft.py changed"]


def test_one_data_byte_re_runs_what_saw_it(project):
    file = project.folder / "data/features-000.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    plan = project("plan", "--json")
    assert ran(plan) >= {"prepare_data", "train_teacher", "distill_student", "register_model"}
    assert plan.status("because")["prepare_data", None] == ["data changed"]


@pytest.mark.parametrize("damage", ["deleted", "corrupted"])
def test_a_damaged_artifact_is_said_and_made_again(project, damage):
    model = project.artifact("export_model.student-fp32") / "model.onnx"
    before = model.read_bytes()
    if damage == "deleted":
        model.unlink()
    else:
        model.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    because = project("plan", "--json").status("because")["export_model", "student-fp32"]
    assert "model.onnx" in because[0] or "files" in because[0]
    done = project("run", "--json")
    assert ran(done) == {"export_model"}
    assert (project.artifact("export_model.student-fp32") / "model.onnx").read_bytes() == before


def test_refresh_does_a_step_anew(project):
    assert ran(project("run", "--json", "--refresh", "choose_model")) == {"choose_model"}


def test_a_lost_kept_model_is_put_back(project):
    kept = project.folder / "models/model.onnx"
    before = kept.read_bytes()
    kept.unlink()
    assert ran(project("run", "--json")) == {"register_model", "write_report"}
    assert kept.read_bytes() == before
