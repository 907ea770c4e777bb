"""Each mistake gives one clear message with place, remedy and exit code; nothing is half-written."""

import gzip
import struct

import pytest


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("distill.temprature=3", "did you mean temperature?"),
        ("distill.temperature=0", "distill.temperature"),
        ("distill.temperature=warm", "distill.temperature"),
        ("teacher.model.family=vgg", "teacher.model"),
        ("data.validation=0.85", "data.validation + data.test"),
        ("data.source=idx", "data.path"),
        ("nonsense", "block.name=value"),
        ("runtime.seed=", "runtime.seed"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_path(project, setting, said):
    done = project("plan", "--set", setting, code=2)
    assert said in done.err
    assert done.out == ""


def test_all_wrong_parameters_are_named_at_once(project):
    done = project("run", "--set", "distill.alpha=2", "--set", "budget.max_bytes=-1", code=2)
    assert "distill.alpha" in done.err
    assert "budget.max_bytes" in done.err


def test_a_missing_parameter_is_named(project):
    file = project.folder / "params.yaml"
    file.write_text(file.read_text().replace("  temperature: 4.0\n", ""))
    assert "distill.temperature: is missing" in project("plan", code=2).err


def test_params_that_are_not_yaml_say_where(project):
    (project.folder / "params.yaml").write_text("data: [1, 2\nx")
    assert "params.yaml" in project("plan", code=2).err


def test_a_folder_that_is_no_project_says_what_to_do(tmp_path):
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "plan"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--project" in done.stderr


def test_an_unknown_step_is_refused_with_a_suggestion(project):
    assert "did you mean train_teacher?" in project("run", "--refresh", "train_techer", code=2).err


def idx(array_shape, content, kind=8):
    return (
        bytes([0, 0, kind, len(array_shape)]) + struct.pack(f">{len(array_shape)}I", *array_shape) + content
    )


def write_idx(folder, labels, *, cut=0):
    folder.mkdir()
    for part in ("train", "t10k"):
        pixels = bytes(i % 251 for i in range(len(labels) * 16))
        images = idx((len(labels), 4, 4), pixels)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(images[: len(images) - cut])
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(idx((len(labels),), bytes(labels)))
        )


@pytest.mark.parametrize(
    ("labels", "cut", "said"),
    [([0, 1] * 20, 3, "truncated"), ([0, 1] * 20 + [7], 0, "label 7 is out of range")],
)
def test_broken_idx_files_are_named(project, tmp_path, labels, cut, said):
    write_idx(tmp_path / "rows", labels, cut=cut)
    settings = ("--set", "data.source=idx", "--set", f"data.path={tmp_path / 'rows'}")
    done = project("run", *settings, code=2)
    assert said in done.err
    assert "rows" in done.err
    assert not list(project.folder.rglob(".writing-*"))


def test_missing_idx_files_are_all_named(project, tmp_path):
    done = project("run", "--set", "data.source=idx", "--set", f"data.path={tmp_path}", code=2)
    assert done.err.count("is not there") == 4


def test_splits_that_cannot_be_made_name_the_classes(project):
    done = project("run", "--set", "data.validation=0.0001", code=2)
    assert "class '0'" in done.err
    assert "data.validation" in done.err


def test_a_budget_that_none_keeps_exits_3_and_moves_no_alias(project):
    before = project("models", "--json").json
    done = project("run", "--json", "--set", "budget.max_bytes=10", code=3)
    assert done.json["chosen"] is None
    broken = {variant["name"]: variant["broken"] for variant in done.json["variants"]}
    assert all(broken[name] for name in broken if name.startswith("student-"))
    assert "max_bytes" in broken["student-int8-qat"][0]
    after = project("models", "--json").json
    assert [(row["version"], row["aliases"]) for row in after] == [
        (r["version"], r["aliases"]) for r in before
    ]


def test_a_data_folder_that_does_not_say_what_it_holds_is_not_passed_over(project):
    (project.folder / "data/schema.json").write_text("{")
    for command in ("plan", "run"):
        assert "data/schema.json" in project(command, code=2).err


def test_a_file_where_the_state_should_be_is_told(new_project):
    (new_project.folder / ".distillery").touch()
    assert ".distillery" in new_project("run", code=1).err


def test_an_unknown_model_says_which_exist(project, tmp_path):
    (tmp_path / "rows.csv").write_text("1,2\n")
    done = project("predict", str(tmp_path / "rows.csv"), "--model", "champoin", code=2)
    assert "champion" in done.err


def test_rows_of_another_width_say_what_the_model_takes(project, tmp_path):
    (tmp_path / "rows.csv").write_text("1,2\n")
    done = project("predict", str(tmp_path / "rows.csv"), code=2)
    assert "64" in done.err
