import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import yaml

from distillery.params.project import load_params, validate
from tasks.bundle import describe_environment, running_source, source_tar, write_bundle
from tasks.knowledge import keep
from tasks.origins import DataOrigin


def copied(tmp_path, name="distillery"):
    root = tmp_path / "root"
    for package in ("distillery", "flows", "tasks"):
        (root / package / "inner").mkdir(parents=True)
        (root / package / "inner/code.py").write_text("x = 1\n")
    (root / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    (root / "README.md").write_text("read me\n")
    return root


def members(content):
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return tar.getmembers()


def test_two_processes_in_two_folders_make_the_same_tar(tmp_path):
    command = (
        "from tasks.bundle import source_tar; import hashlib; print(hashlib.sha256(source_tar()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_the_tar_does_not_depend_on_times_modes_or_debris(tmp_path):
    root = copied(tmp_path)
    before = source_tar(root)
    file = root / "tasks/inner/code.py"
    file.chmod(0o700)
    os.utime(file, (1, 1))
    (root / "tasks/__pycache__").mkdir()
    (root / "tasks/__pycache__/code.cpython-311.pyc").write_bytes(b"x")
    (root / "tasks/.code.py.swp").write_bytes(b"x")
    (root / "tasks/code.py~").write_bytes(b"x")
    (root / "notes.txt").write_bytes(b"x")
    assert source_tar(root) == before

    file.write_text("x = 2\n")
    assert source_tar(root) != before


def test_the_tar_holds_the_packages_and_what_builds_them_and_nothing_of_a_person(tmp_path):
    found = members(source_tar(copied(tmp_path)))
    assert [m.name for m in found] == [
        "README.md",
        "distillery/inner/code.py",
        "flows/inner/code.py",
        "pyproject.toml",
        "tasks/inner/code.py",
    ]
    assert {(m.mtime, m.mode, m.uid, m.gid, m.uname, m.gname) for m in found} == {(0, 0o644, 0, 0, "", "")}


def test_beside_other_peoples_packages_only_ours_are_taken(tmp_path):
    names = [m.name for m in members(source_tar(copied(tmp_path, name="theirs")))]
    assert names == ["distillery/inner/code.py", "flows/inner/code.py", "tasks/inner/code.py"]


def test_the_running_code_is_all_there():
    names = {m.name for m in members(source_tar())}
    assert {"distillery/errors.py", "flows/compress.py", "tasks/bundle.py", "pyproject.toml"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_a_bundle_has_code_params_pointers_and_environment(project, params, tmp_path):
    (project / "data.dvc").write_text("outs: []\n")
    into = tmp_path / "into"
    origin = DataOrigin(str(project / "data"), "0" * 32 + ".dir", {}, {"format": "csv"})
    digests = write_bundle(project, params, origin, into)

    assert sorted(p.name for p in into.iterdir()) == [
        "data.dvc",
        "data.json",
        "environment.json",
        "params.yaml",
        "source.tar",
    ]
    assert digests == {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in into.iterdir()}
    assert DataOrigin.from_json(json.loads((into / "data.json").read_text())) == origin
    write_bundle(project, params, DataOrigin("/elsewhere", None, {"a": "b"}, {}), tmp_path / "foreign")
    assert not (tmp_path / "foreign/data.dvc").exists()
    assert validate(yaml.safe_load((into / "params.yaml").read_text()), "params.yaml") == params
    environment = json.loads((into / "environment.json").read_text())
    assert environment == json.loads(json.dumps(describe_environment()))
    assert environment["distributions"]["torch"].startswith("2.13.0")
    assert list(environment["distributions"]) == sorted(environment["distributions"])


def test_a_file_that_is_edited_while_a_run_goes_on_does_not_pass_for_what_ran(monkeypatch):
    before = running_source()
    monkeypatch.setattr("tasks.bundle.source_tar", lambda: b"edited")
    assert running_source() == before == source_tar()


def test_the_variables_that_steer_kernels_are_part_of_the_environment(monkeypatch):
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    variables = describe_environment()["variables"]
    assert variables["ATEN_CPU_CAPABILITY"] == "avx2"
    assert "s3cret" not in variables.values()


def test_a_teacher_that_was_brought_is_in_the_bundle(project, tmp_path):
    (project / "brought.onnx").write_bytes(b"the teacher")
    settings = ["teacher={kind: onnx, file: brought.onnx, gives: logits, pixels: null, output: null}"]
    brought = load_params(Path(__file__).parents[2] / "params.yaml", settings=settings)
    origin = DataOrigin("/elsewhere", None, {"a": "b"}, {})
    digests = write_bundle(project, brought, origin, tmp_path / "into")
    assert (tmp_path / "into/teacher-0").read_bytes() == b"the teacher"
    assert digests["teacher-0"] == hashlib.sha256(b"the teacher").hexdigest()


def test_the_earlier_models_that_a_run_learned_and_began_from_are_in_the_bundle(project, tmp_path):
    learned, begun = keep(project, b"a file"), keep(project, b"a network")
    settings = [f"retrain.remember.model={learned}", f"retrain.begin.network={begun}"]
    origin = DataOrigin("/elsewhere", None, {"a": "b"}, {})
    for start, expected in (("warm", {learned, begun}), ("fresh", {learned})):
        params = load_params(
            Path(__file__).parents[2] / "params.yaml", settings=[*settings, f"retrain.start={start}"]
        )
        digests = write_bundle(project, params, origin, tmp_path / start)
        named = {name for name in digests if name.startswith("knowledge-")}
        assert named == {f"knowledge-{digest}" for digest in expected}
        assert {digests[name] for name in named} == expected


def test_the_user_s_own_modules_that_params_name_are_in_the_bundle(project, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(project))
    (project / "bundled").mkdir()
    (project / "bundled/net.py").write_text("import beside_bundled\n\ndef make(rows, classes): ...\n")
    (project / "beside_bundled.py").write_text("x = 1\n")
    (project / "unused.py").write_text("x = 1\n")
    function = "bundled.net:make"
    settings = [f"student.model={{family: custom, function: '{function}', arguments: {{}}}}"]
    own = load_params(Path(__file__).parents[2] / "params.yaml", settings=settings)
    write_bundle(project, own, DataOrigin("/elsewhere", None, {"a": "b"}, {}), tmp_path / "into")
    names = {m.name for m in members((tmp_path / "into/source.tar").read_bytes())}
    assert names - {m.name for m in members(source_tar())} == {"bundled/net.py", "beside_bundled.py"}
