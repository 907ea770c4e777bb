"""The store: SQLite inside the project, moved, deleted or absent, and a real server over HTTP."""

import os
import shutil
import socket
from types import SimpleNamespace

import pytest

from distillery.errors import DistilleryError, ProjectError
from tasks.recalling import recall
from tasks.records import record_digest
from tasks.registering import fetch_model, list_models, register
from tasks.registry_store import database, ensure_store, store_id, store_identity
from tasks.tracking import Registry, _write_flavour, open_registry


def test_the_logged_model_has_signature_example_flavour_and_its_metrics_and_the_run_its_bundle(
    stored, params, record, bundle
):
    import mlflow

    run = record()
    done, folder = register(stored, params.registry, run, bundle), run.facts["bundle"]
    with open_registry(stored, params.registry) as registry:
        uri = f"models:/digits/{done.versions['student-int8-qat']}"
        info = mlflow.models.get_model_info(uri)
        client = mlflow.MlflowClient(registry.uri)
        assert client.get_run(done.run_id).info.status == "FINISHED"
        files = {f.path for f in client.list_artifacts(done.run_id, folder)}
        teacher = {f.path for f in client.list_artifacts(done.run_id, "teacher-fp32")}
        assert client.get_run(done.run_id).data.metrics["macro_f1"] == 0.978  # the chosen one's
    assert info.signature.inputs.input_names() == ["input"]
    assert str(info.signature.inputs.inputs[0].type) == "uint8"
    assert info.signature.inputs.inputs[0].shape == (-1, 2, 2, 1)
    assert info.signature.outputs.input_names() == ["logits"]
    assert "onnx" in info.flavors
    assert info.saved_input_example_info is not None
    assert files == {f"{folder}/source.tar"}
    assert teacher == {"teacher-fp32/model.onnx"}


def test_the_flavour_of_a_tables_file_is_served_with_numbers_and_names(tmp_path, table_file, table):
    import mlflow
    import numpy as np
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    from distillery.feeding import feeder
    from distillery.inference import open_session, run_rows

    (tmp_path / "model.onnx").write_bytes(table_file)
    logged = SimpleNamespace(source_run_id=None, model_id=None)
    _write_flavour(logged, tmp_path / "model.onnx", tmp_path / "flavour")
    assert (tmp_path / "flavour/model.onnx").read_bytes() == table_file

    served = mlflow.pyfunc.load_model(str(tmp_path / "flavour"))
    inputs = {spec.name: (str(spec.type), spec.shape) for spec in served.metadata.get_input_schema().inputs}
    assert inputs == {"input": ("float32", (-1, 2)), "categories": ("object", (-1, 2))}
    feed = feeder(table.form)(table.features[10:13])
    expected = run_rows(open_session(table_file), table, np.arange(10, 13))
    np.testing.assert_array_equal(served.predict(feed)["logits"], expected)
    posted = {"inputs": {name: array.tolist() for name, array in feed.items()}}  # what a server is sent
    parsed = infer_and_parse_data(posted, served.metadata.get_input_schema())
    np.testing.assert_array_equal(served.predict(parsed)["logits"], expected)


def test_an_absent_store_lists_nothing_and_is_not_made_by_reading(project, params):
    assert list_models(project, params.registry) == []
    with pytest.raises(ProjectError, match="holds no version yet"):
        fetch_model(project, params.registry, "champion")
    assert not database(project).exists()


def test_a_moved_project_keeps_its_models(stored, params, record, bundle, tmp_path):
    run = record()
    register(stored, params.registry, run, bundle)
    moved = tmp_path / "elsewhere"
    shutil.move(stored, moved)
    assert fetch_model(moved, params.registry, "champion").version == "3"
    assert register(moved, params.registry, run, bundle).registered == 3


def test_a_deleted_store_gets_another_identity_and_is_registered_into_anew(stored, params, record, bundle):
    register(stored, params.registry, record(), bundle)
    before = store_identity(stored, params.registry)
    assert ensure_store(stored) == before == store_id(stored)
    database(stored).unlink()

    assert store_id(stored) is None
    assert store_identity(stored, params.registry) != before
    assert ensure_store(stored) not in ("", before)
    again = ensure_store(stored)
    assert again == store_id(stored)  # stays, though the database is still to be made

    assert register(stored, params.registry, record(), bundle).registered == 3
    assert store_id(stored) == again
    assert len(list_models(stored, params.registry)) == 3
    database(stored).unlink()
    assert store_id(stored) is None


def test_nothing_is_written_where_the_command_happens_to_run(
    stored, params, record, bundle, tmp_path, monkeypatch
):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    register(stored, params.registry, record(), bundle)
    fetch_model(stored, params.registry, "champion")
    assert list(here.iterdir()) == []
    assert list(stored.rglob(".writing-*")) == []
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_a_server_that_is_away_is_said_at_once(project, params, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://user:secret@127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(DistilleryError, match=r"http://127\.0\.0\.1:\d+ does not answer") as caught:
            list_models(project, params.registry)
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_a_server_over_http_behaves_as_sqlite_does(stored, params, record, bundle, server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert list_models(stored, params.registry) == []
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "set_alias", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            register(stored, params.registry, record(), bundle)
    run = record()
    first = register(stored, params.registry, run, bundle)

    assert register(stored, params.registry, run, bundle) == first
    assert first.registered == 3
    assert first.chosen == {"name": "student-int8-qat", "version": "3", "alias": "champion"}
    assert first.uri == server
    assert register(stored, params.registry, record(seed=1), bundle).chosen["alias"] == "challenger"
    fetched = fetch_model(stored, params.registry, "champion")
    assert fetched.content == run.variants["student-int8-qat"].file.read_bytes()
    assert fetched.tags["record_digest"] == record_digest(fetched.tags)
    assert recall(stored, params.registry, "champion").content == fetched.content
    registered_as = fetched.tags["accuracy"]
    with open_registry(stored, params.registry) as registry:
        registry._client.set_model_version_tag("digits", "3", "accuracy", "1.0")
        registry._client.delete_run(first.run_id)
    with pytest.raises(DistilleryError, match=f"accuracy is '1.0'; it was registered as '{registered_as}'"):
        recall(stored, params.registry, "3")
    rows = list_models(stored, params.registry)
    assert [row["version"] for row in rows] == ["6", "5", "4", "3", "2", "1"]
    assert rows[3]["broken"] == []
    assert store_identity(stored, params.registry) == server != store_id(stored)
    assert not list((stored / ".distillery/mlflow/artifacts").glob("*"))
    with pytest.raises(ProjectError, match="name one of challenger, champion, 1"):
        fetch_model(stored, params.registry, "nobody")
