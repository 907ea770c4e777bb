"""A project with artifacts as the pipeline leaves them, tiny ONNX files, and an MLflow store made once."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.docs.documented import typed_on

os.environ |= {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "ORT_DISABLE_TELEMETRY": "1",
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
}

SPLITS = [0] * 6 + [1] * 2 + [2] * 2
VARIANTS = ("teacher-fp32", "student-fp32", "control-fp32", "student-int8-qat")


def tiny_onnx(seed: int) -> bytes:
    """2 x 2 images in, 3 logits out; the seed makes the weights."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["input"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["f"], ["g"]),
        helper.make_node("MatMul", ["g", "w"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.UINT8, ["n", 2, 2, 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def write_rows(folder):
    """Ten rows of 2 x 2 pixels, two of them to validate and two to test on."""
    import numpy as np

    from distillery.data.rows import ROW_ID

    arrays = {
        "features": np.random.default_rng(0).integers(0, 256, (10, 2, 2, 1), np.uint8),
        "labels": np.arange(10) % 3,
        "row_ids": np.array([(0, at, 0) for at in range(10)], ROW_ID),
        "splits": np.array(SPLITS, np.uint8),
        "calibration": np.arange(10) < 3,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def write_logits(folder, content, prepared):
    """What a file says of the held-out rows."""
    import numpy as np

    from distillery.inference import open_session
    from distillery.tensors import LOGITS

    features = np.load(prepared / "features.npy")[6:]
    np.save(folder / "logits.npy", open_session(content).run([LOGITS], {"input": features})[0])


@pytest.fixture(scope="session")
def params():
    from distillery.params.project import load_params

    return load_params(Path(__file__).parents[2] / "params.yaml")


@pytest.fixture(scope="session")
def store_template(tmp_path_factory):
    """An empty MLflow store: making one takes seconds."""
    from distillery.params.budget import RegistryParams
    from tasks.tracking import open_registry

    project = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with open_registry(project, RegistryParams(name="digits", uri=None)) as registry:
            registry.make()
    return project / ".distillery/mlflow"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project folder, away from this repository's own git."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc-site"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "no-gitconfig"))
    folder = tmp_path / "project"
    (folder / ".distillery").mkdir(parents=True)
    return folder


@pytest.fixture
def stored(project, store_template):
    """A project with an empty store, copied, so that its absolute paths must be put right."""
    shutil.copytree(store_template, project / ".distillery/mlflow")
    return project


@pytest.fixture
def own_data(project, params):
    """`data/` with the second version of what the params name as their source."""
    from distillery.artifacts import write_json

    newest = {"number": 2, "format": "csv", "files": 3, "source_digest": "s" * 64}
    schema = {
        "source": {"source": params.data.source, "path": params.data.path},
        "name": "mine",
        "classes": [],
        "data_digest": "d" * 64,
        "form": {},
        "versions": [{}, newest],
    }
    write_json(project / "data/schema.json", schema)
    return project / "data"


@pytest.fixture
def prepared_data(project):
    """A `prepare_data` artifact that read `data/`, if there is one, with its record; returns its folder."""
    from distillery.artifacts import describe, digest_json, write_json
    from tasks.caching import ARTIFACTS, RESULTS, Record
    from tasks.pointers import directory_md5, file_md5s

    def write(schema, **read):
        if (project / "data").is_dir():
            read = {"data": directory_md5(file_md5s(project / "data"))}
        parts = {"schema": schema, **{f"read {name}": digest for name, digest in read.items()}}
        key = digest_json(parts)
        folder = project / ARTIFACTS / "prepare_data" / key[:16]
        write_json(folder / "schema.json", schema)
        write_rows(folder)
        record = Record(describe(folder, project), parts, 1.0)
        stored = {"metadata": {"serializer": {"type": "json"}, "expiration": None}}
        stored["result"] = json.dumps(record.to_json())
        write_json(project / RESULTS / f"prepare_data.{key}", stored)
        return folder

    return write


@pytest.fixture
def artifacts(tmp_path, prepared_data):
    """Writes what the steps before `register_model` leave; returns the step's arguments."""
    from distillery.artifacts import write_json

    def write(chosen="student-int8-qat", seed=0, broken=None, data_digest="d" * 64, latency=0.01):
        root = tmp_path / f"artifacts-{seed}-{chosen}"
        rows = {"height": 2, "width": 2, "channels": 1}
        counts = {"train": 6, "validation": 2, "test": 2, "left_out": 0, "calibration": 3}
        schema = {
            "data_digest": data_digest,
            "classes": ["a", "b", "c"],
            "form": rows,
            "counts": counts,
            "version_rows": [10],
        }
        data = prepared_data(schema)
        for place, name in enumerate(VARIANTS):
            (root / "models" / name).mkdir(parents=True, exist_ok=True)
            content = tiny_onnx(100 * seed + place)
            (root / "models" / name / "model.onnx").write_bytes(content)
            (root / "networks" / name).mkdir(parents=True, exist_ok=True)
            (root / "networks" / name / "weights.safetensors").write_bytes(b"weights" + content)
            test = {
                "accuracy": 0.98,
                "accuracy_low": 0.97,
                "accuracy_high": 0.99,
                "macro_f1": 0.975 + place / 1000,
            }
            quality = {"test": {**test, "rows": 360, "confusion": [[1]]}, "validation": {"accuracy": 0.985}}
            write_json(root / "evaluations" / name / "evaluation.json", quality)
            write_logits(root / "evaluations" / name, content, data)
            measured = {"file_bytes": len(content), "latency_p50_ms": latency, "parameters": 12}
            write_json(root / "measurements" / name / "measurement.json", measured)
        candidates = [name for name in VARIANTS if name not in ("teacher-fp32", "control-fp32")]
        verdict = {name: (broken or {}).get(name, []) for name in candidates}
        write_json(root / "choice/choice.json", {"chosen": chosen, "reason": "smallest", "broken": verdict})
        kinds = ("networks", "models", "evaluations", "measurements")
        each = {kind: {n: root / kind / n for n in VARIANTS} for kind in kinds}
        return {"data": data, "choice": root / "choice", **each}

    return write


@pytest.fixture
def record(stored, params, artifacts, bundle):
    """A run's record from artifacts; another seed makes other files."""

    from distillery.artifacts import digest_file, files_below, read_json
    from tasks.origins import DataOrigin
    from tasks.records import (
        TEACHER,
        RunRecord,
        describe_bundle,
        describe_data,
        describe_facts,
        describe_variant,
    )

    def make(overrides=params, chosen="student-int8-qat", **written):
        arguments = artifacts(chosen=chosen, **written)
        broken = read_json(arguments["choice"] / "choice.json")["broken"]
        variants = {
            name: describe_variant(
                name,
                arguments["networks"][name],
                model,
                arguments["evaluations"][name],
                arguments["measurements"][name],
                broken.get(name, ()),
            )
            for name, model in arguments["models"].items()
        }
        schema = read_json(arguments["data"] / "schema.json")
        digests = {name: digest_file(bundle / name, name).sha256 for name in files_below(bundle)}
        facts = describe_facts(stored, overrides, variants[TEACHER]) | describe_bundle(digests)
        facts |= describe_data(schema, overrides.data, DataOrigin(None, None, {}, {}))
        return RunRecord(variants, chosen, facts)

    return make


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "source.tar").write_bytes(b"the code")
    return folder


@pytest.fixture
def champions(stored, params, artifacts, record, bundle):
    """Versions 1 to 6 of two runs, each with its recorded rows; 3 is champion, 6 challenger."""
    import numpy as np

    from distillery.data.rows import load_rows
    from distillery.smoke import record_smoke
    from tasks.registering import register

    for seed in range(2):
        made = artifacts(seed=seed)
        logits = {n: np.load(folder / "logits.npy") for n, folder in made["evaluations"].items()}
        (bundle / "smoke.npz").write_bytes(record_smoke(load_rows(made["data"]), logits))
        register(stored, params.registry, record(seed=seed), bundle)
    return stored


class MlflowServer:
    """A real MLflow server on the loopback, which goes with its children."""

    def __init__(self, folder):
        folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.uri, self.process = folder, f"http://127.0.0.1:{self.port}", None

    def start(self):
        (words,) = typed_on("docs/operations.md", "mlflow")
        here = (word.replace("/srv/mlflow", str(self.folder)) for word in words)
        own = (str(self.port) if word == "5000" else word for word in here)
        command = [sys.executable, "-m", "mlflow", *own]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).close()  # noqa: S310
                return
            except OSError:
                time.sleep(0.5)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def stop(self):
        if self.process is None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None


@pytest.fixture
def mlflow_server(tmp_path):
    running = MlflowServer(tmp_path / "server")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def server(mlflow_server):
    """Its address."""
    return mlflow_server.uri
