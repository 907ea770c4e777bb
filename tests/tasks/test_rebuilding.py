"""A few lines stand in for a version's own code: what it is given, what it is asked, what it may answer."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
import time
from pathlib import Path

import pytest
import yaml

from distillery.errors import DataError, DistilleryError, ProjectError
from tasks.origins import DataOrigin
from tasks.pointers import pinned_digest
from tasks.rebuilding import Scratch, build, compare, empty_folder, lay_out
from tasks.recalling import Entry, Recalled
from tasks.records import Version
from tasks.repository import ensure_repository
from tasks.versioning import pin

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")  # DVC's
BROUGHT = DataOrigin(None, None, {}, {})
TELL = """
    import json, os, sys
    from pathlib import Path

    def main():
        told = {"arguments": sys.argv, "environment": dict(os.environ), "here": os.getcwd(), "path": sys.path}
        Path("told.json").write_text(json.dumps(told))
        print("noise")
        sys.exit(CODE)
"""


def code_of(body):
    """A `source.tar` whose command line is this."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in (("flows/__init__.py", ""), ("flows/cli.py", textwrap.dedent(body))):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
def recalled(params):
    """A version as the registry has it, with a bundle of our making."""

    def make(origin=BROUGHT, body=TELL, variables=None, **runtime):
        tree = params.model_dump(mode="json")
        tree["registry"] = {"name": "theirs", "uri": "http://127.0.0.1:1"}
        tree["runtime"] |= runtime
        bundle = {
            "source.tar": code_of(body),
            "params.yaml": yaml.safe_dump(tree).encode(),
            "data.json": json.dumps(origin.to_json()).encode(),
            "environment.json": json.dumps({"variables": variables or {}}).encode(),
        }
        version = Version("3", "run", "models:/m", {"variant": "student-fp32", "onnx_digest": "0"})
        return Recalled(Entry(version, (), "theirs"), bundle, None)

    return make


def params_of(folder):
    return yaml.safe_load((folder / "params.yaml").read_text())


def test_a_scratch_project_has_code_params_and_a_repository_of_its_own(recalled, project, tmp_path, params):
    scratch, said = lay_out(recalled(), project, tmp_path / "there")
    tree = params_of(tmp_path / "there")
    assert tree["registry"] == {"name": "theirs", "uri": None}
    assert scratch.registry.name == "theirs"
    assert tree["data"] == params.data.model_dump()
    assert (tmp_path / "there/source/flows/cli.py").is_file()
    assert (tmp_path / "there/.git").is_dir()
    assert said == ["data: the code brings them"]


def test_the_projects_own_data_come_from_dvcs_cache(recalled, project, tmp_path):
    (project / "data").mkdir()
    (project / "data/rows").write_bytes(b"rows")
    ensure_repository(project)
    pin(project, "data")
    origin = DataOrigin(str(project / "data"), pinned_digest(project, "data").md5, {}, {})
    (project / "data/rows").write_bytes(b"edited since")
    _, (said,) = lay_out(recalled(origin), project, tmp_path / "there")
    assert (tmp_path / "there/data/rows").read_bytes() == b"rows"
    assert said.startswith("data: 1 files, verified, from DVC's cache")


def test_a_source_elsewhere_is_copied_and_named_in_the_params(recalled, project, tmp_path):
    (tmp_path / "idx").mkdir()
    (tmp_path / "idx/images").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    origin = DataOrigin(str(tmp_path / "idx"), None, {"images": empty}, {})
    lay_out(recalled(origin), project, tmp_path / "there")
    assert params_of(tmp_path / "there")["data"]["path"] == "data-source"
    assert (tmp_path / "there/data-source/images").is_file()


def test_teachers_that_were_brought_are_laid_beside_and_named_in_the_params(recalled, project, tmp_path):
    version = recalled()
    tree = yaml.safe_load(version.bundle["params.yaml"])
    weights = {"kind": "weights", "file": "/away/w.safetensors", "model": tree["teacher"]["model"]}
    onnx = {"kind": "onnx", "file": "t.onnx", "gives": "logits", "pixels": None, "output": None}
    tree["teachers"]["others"] = [tree["teacher"], weights]
    tree["teacher"] = onnx
    brought = {"teacher-0": b"outputs", "teacher-2": b"weights"}
    bundle = {**version.bundle, "params.yaml": yaml.safe_dump(tree).encode(), **brought}
    lay_out(Recalled(version.entry, bundle, None), project, tmp_path / "there")
    told = params_of(tmp_path / "there")
    assert told["teacher"] == onnx | {"file": "teacher-0"}
    assert told["teachers"]["others"] == [tree["teachers"]["others"][0], weights | {"file": "teacher-2"}]
    assert {name: (tmp_path / "there" / name).read_bytes() for name in brought} == brought


def test_where_something_is_gone_nothing_stays_behind(recalled, project, tmp_path):
    origin = DataOrigin(str(tmp_path / "gone"), None, {"images": "0", "labels": "1"}, {})
    with pytest.raises(DataError) as caught, empty_folder(tmp_path / "there") as folder:
        lay_out(recalled(origin), project, folder)
    assert len(caught.value.faults) == 2
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(("there", "expected"), [(False, "cpu"), (True, "cuda")])
def test_a_device_that_is_not_there_is_replaced(recalled, project, tmp_path, monkeypatch, there, expected):
    monkeypatch.setattr("tasks.rebuilding.has_cuda", lambda: there)
    lay_out(recalled(device="cuda"), project, tmp_path / "there")
    assert params_of(tmp_path / "there")["runtime"]["device"] == expected


def test_a_folder_that_is_not_empty_is_refused_and_a_temporary_one_goes(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    for taken in (tmp_path / "full", tmp_path / "full/file"):
        with pytest.raises(ProjectError, match="not empty"), empty_folder(taken):
            pass
    with empty_folder(None) as folder:
        (folder / "file").touch()
    assert not folder.exists()
    with empty_folder(tmp_path / "kept") as folder:
        (folder / "file").touch()
    assert (tmp_path / "kept/file").is_file()


LEAKS = {
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
    "MLFLOW_TRACKING_TOKEN": "secret",
    "PREFECT_API_URL": "http://127.0.0.1:1",
    "DVC_SITE_CACHE_DIR": "/ours",
    "GIT_DIR": "/ours/.git",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OMP_NUM_THREADS": "7",
}


def test_the_versions_own_code_runs_with_the_recorded_variables_and_none_of_ours(
    recalled, project, tmp_path, monkeypatch, capfd
):
    for name, value in LEAKS.items():
        monkeypatch.setenv(name, value)
    version = recalled(body=TELL.replace("CODE", "2"), variables={"OMP_NUM_THREADS": "2"})
    scratch, _ = lay_out(version, project, tmp_path / "there")
    with pytest.raises(DistilleryError, match="ended with exit code 2"):
        build(scratch, "student-fp32")
    told = json.loads((tmp_path / "there/told.json").read_text())
    assert told["arguments"] == ["distillery", "run", "--project", str(tmp_path / "there")]
    assert told["here"] == str(tmp_path / "there")
    assert told["path"][0] == str(tmp_path / "there/source")
    assert {name: told["environment"][name] for name in LEAKS if name in told["environment"]} == {
        "OMP_NUM_THREADS": "2"
    }
    assert capfd.readouterr().out == ""


REGISTER = """
    import json, os, sys
    from pathlib import Path

    def main():
        command, scratch = sys.argv[1], Path(sys.argv[-1])
        if command == "run":
            sys.path.insert(0, os.environ["OURS"])
            del sys.modules["flows"], sys.modules["flows.cli"]
            from distillery.params.budget import RegistryParams
            from tasks.tracking import open_registry
            with open_registry(scratch, RegistryParams(name="theirs", uri=None)) as registry:
                registry.make()
                place = scratch / "model"
                place.mkdir(exist_ok=True)
                (place / "model.onnx").write_bytes(b"rebuilt")
                from hashlib import sha256
                digest = sha256(b"rebuilt").hexdigest()
                tags = {"variant": "student-fp32", "onnx_digest": digest}
                registry._client.create_model_version("theirs", str(place), None, tags)
            sys.exit(3)
        first, second = (Path(name).read_bytes() for name in sys.argv[2:4])
        assert sys.argv[4] == "--json"
        print(json.dumps({"rows": len(first), "share": 0.5, "largest_logit_difference": len(second)}))
"""


def test_a_rebuilt_file_is_found_in_the_scratch_registry_and_compared_by_the_versions_own_code(
    recalled, project, tmp_path, root, monkeypatch
):
    monkeypatch.setenv("OURS", str(root))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/users.db")
    scratch, _ = lay_out(recalled(body=REGISTER), project, tmp_path / "there")
    rebuilt = build(scratch, "student-fp32")
    assert (rebuilt.content, rebuilt.tags["variant"]) == (b"rebuilt", "student-fp32")
    assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/users.db"
    assert not (tmp_path / "users.db").exists()
    agreement = compare(scratch, b"registered", rebuilt.content)
    assert (agreement.rows, agreement.share, agreement.largest_logit_difference) == (10, 0.5, 7)
    with pytest.raises(DistilleryError, match="registered no student-int8-qat"):
        build(Scratch(scratch.folder, scratch.registry, {"AGAIN": "1"}), "student-int8-qat")


SLEEP = """
    import time
    from pathlib import Path

    def main():
        Path("started").touch()
        time.sleep(60)
        Path("survived").touch()
"""


def test_the_versions_own_code_dies_with_us(recalled, project, tmp_path, root):
    lay_out(recalled(body=SLEEP), project, tmp_path / "there")
    script = (
        "import sys; from pathlib import Path; from tasks.rebuilding import Scratch;"
        "Scratch(Path(sys.argv[1]), None, {}).command('run', output=-3)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "there")]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(root)}) as parent:
        _wait_for((tmp_path / "there/started").exists)
        (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.send_signal(signal.SIGKILL)
    _wait_for(lambda: _is_dead(int(child)))


def _wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_dead(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
