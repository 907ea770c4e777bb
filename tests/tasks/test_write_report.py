"""The page of a run, from artifacts as the steps before leave them."""

import json
from pathlib import Path

import pytest

from distillery.artifacts import write_json
from distillery.evaluation import wilson_interval
from distillery.verdict import GateResult, Outcome, Verdict
from tasks.evaluate_model import evaluate_model
from tasks.report_facts import Known, RunFolders, read_facts
from tasks.tracking import open_registry
from tasks.work import Work
from tasks.write_report import write_report

NOTHING = Known((), ())
NAMES = ("teacher-fp32", "student-fp32", "control-fp32", "student-int8-qat")
MEASURED = {
    "file_bytes": 9000, "parameters": 7000, "macs": 80_000, "integer_op_share": 0.9, "latency_p50_ms": 0.05,
    "latency_p95_ms": 0.07, "latency_runs": 2000, "throughput_rows_per_second": 6e4,
    "peak_rss_bytes": 3 * 10**7,
    "transport_bytes": 900,
    "zero_share": 0.01,
    "operators": {"Gemm": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def evaluated(rows, files, tmp_path_factory):
    """What two real files say of the held-out digits; the first is the teacher."""
    folder = tmp_path_factory.mktemp("evaluated")
    data, teacher = Path(rows.features.filename).parent, None
    for family in ("resnet", "mlp"):
        (folder / family / "model").mkdir(parents=True)
        (folder / family / "model/model.onnx").write_bytes(files[family])
        (folder / family / "evaluation").mkdir()
        work = Work(folder, folder / family / "evaluation", lambda progress: None)
        evaluate_model(data, folder / family / "model", teacher, work=work)
        teacher = teacher or folder / family / "evaluation"
    return folder


@pytest.fixture
def run(rows, evaluated, tmp_path):
    """A finished run of four variants."""
    families = dict(zip(NAMES, ("resnet", "mlp", "mlp", "mlp"), strict=True))
    networks = {name: tmp_path / "networks" / name.replace("-int8-qat", "-fp32") for name in NAMES}
    models = {name: evaluated / family / "model" for name, family in families.items()}
    models["student-int8-qat"] = tmp_path / "qat"
    for folder, best in zip((*networks.values(), tmp_path / "qat"), (2, 1, 1, 1, 3), strict=True):
        epochs = [{"accuracy": 0.5 + 0.1 * n, "best": n < best, "done": n + 1} for n in range(3)]
        write_json(folder / "epochs.json", epochs)
    (tmp_path / "qat/model.onnx").write_bytes((models["student-fp32"] / "model.onnx").read_bytes())
    measurements = {name: tmp_path / "measurements" / name for name in NAMES}
    for folder in measurements.values():
        write_json(folder / "measurement.json", MEASURED)
    broken = {"student-fp32": ["max_bytes: 9 > 8"], "student-int8-qat": []}
    write_json(tmp_path / "choice.json", {"chosen": NAMES[3], "reason": "smallest", "broken": broken})
    chosen = {"name": NAMES[3], "version": "3", "alias": "champion"}
    versions = {"student-fp32": "1", "control-fp32": "2", NAMES[3]: "3"}
    registration = {"run_id": "0" * 32, "versions": versions, "registered": 3, "chosen": chosen, "uri": ""}
    write_json(tmp_path / "registration.json", registration)
    evaluations = {name: evaluated / family / "evaluation" for name, family in families.items()}
    decisions = {"choice": tmp_path, "registration": tmp_path}
    data = Path(rows.features.filename).parent
    return RunFolders(data, networks, models, evaluations, measurements, decisions)


def test_the_facts_are_those_of_the_artifacts(project, run, params, rows):
    facts = read_facts(project, run, params, NOTHING)
    assert [variant.name for variant in facts.variants] == list(NAMES)
    for variant in facts.variants:
        right = facts.tested[variant.name].right
        assert variant.accuracy == right.mean()
        assert (variant.accuracy_low, variant.accuracy_high) == wilson_interval(int(right.sum()), len(right))
    assert (facts.chosen, facts.registered.alias, facts.subject.name) == (NAMES[3], "champion", NAMES[3])
    assert facts.variants[1].broken == ["max_bytes: 9 > 8"]
    assert facts.tested[NAMES[0]].positions.tolist() == rows.where(2).tolist()
    assert facts.tested[NAMES[0]].labels.tolist() == rows.labels[rows.where(2)].tolist()
    assert facts.data.digest == rows.data_digest
    assert facts.data.counts["test"] == len(rows.where(2))


def test_every_training_is_shown_once_with_the_epoch_that_was_kept(project, run, params):
    curves = read_facts(project, run, params, NOTHING).curves
    assert [(curve.name, curve.best) for curve in curves] == [
        ("teacher-fp32", 2), ("student-fp32", 1), ("control-fp32", 1), ("student-int8-qat", 3),
    ]  # fmt: skip


def test_a_training_of_no_epochs_is_no_curve(project, run, params):
    write_json(run.models["student-int8-qat"] / "epochs.json", [])
    names = [curve.name for curve in read_facts(project, run, params, NOTHING).curves]
    assert names == ["teacher-fp32", "student-fp32", "control-fp32"]


def test_earlier_versions_are_those_of_the_same_data_with_all_their_numbers(project, run, params, rows):
    known = {"name": "student-fp32", "accuracy": 0.9, "file_bytes": 9, "latency_p50_ms": 0.1}
    models = [
        {**known, "version": "9", "data_digest": rows.data_digest},
        {**known, "version": "3", "data_digest": rows.data_digest},
        {**known, "version": "8", "data_digest": "other"},
        {**known, "version": "7", "data_digest": rows.data_digest, "accuracy": None},
    ]
    assert [
        earlier.version for earlier in read_facts(project, run, params, Known(tuple(models), ())).earlier
    ] == ["9"]


def test_a_verdict_that_a_step_left_is_read_back_as_it_was(project, run, params, tmp_path):
    gate = GateResult("accuracy", Outcome.UNDECIDED, True, "too few rows", {"rows": 9})
    verdict = Verdict("2", "3", 9, (gate,))
    write_json(tmp_path / "verdict.json", verdict.to_json())
    run.decisions["verdict"] = tmp_path
    assert read_facts(project, run, params, NOTHING).verdict == verdict


def test_the_page_lies_in_the_artifact_and_with_the_run(stored, run, params, tmp_path):
    with open_registry(stored, params.registry) as registry:
        run_id = registry.start_run(registry.make(), "i" * 64, {})
    file = run.decisions["registration"] / "registration.json"
    write_json(file, {**json.loads(file.read_text()), "run_id": run_id})
    (tmp_path / "into").mkdir()
    write_report(*vars(run).values(), params, work=Work(stored, tmp_path / "into", lambda progress: None))
    page = tmp_path / "into/index.html"
    assert "student-int8-qat is the champion" in page.read_text()
    kept = (stored / ".distillery/mlflow/artifacts").rglob("report/index.html")
    assert [copy.read_bytes() for copy in kept] == [page.read_bytes()]
