"""A model taken away: the whole folder or nothing, and the same model as a Python object."""

import hashlib

import numpy as np
import pytest

from distillery.errors import ProjectError
from flows.delivery import load


def test_the_champion_is_taken_away_twice_in_the_same_bytes(first, tmp_path):
    project, done = first
    for name in ("one", "two"):
        said = project("export", "--to", str(tmp_path / "deep" / name), "--json").json
    assert said["variant"] == done.json["chosen"]["name"]
    one, two = ({f.name: f.read_bytes() for f in (tmp_path / "deep" / n).iterdir()} for n in ("one", "two"))
    assert one == two
    assert set(one) == set(said["files"])
    kept = (project.folder / "models/model.onnx").read_bytes()
    assert hashlib.sha256(one["model.onnx"]).digest() == hashlib.sha256(kept).digest()
    assert "CC BY 4.0" in one["MODEL_CARD.md"].decode()
    assert str(project.folder).encode() not in b"".join(one.values())


def test_the_licence_of_the_data_is_what_was_said(first, tmp_path):
    first[0]("export", "--to", str(tmp_path / "parcel"), "--data-licence", "CC0 1.0")
    assert "CC0 1.0" in (tmp_path / "parcel/MODEL_CARD.md").read_text()


def test_a_folder_that_holds_something_is_refused_and_left(first, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("mine")
    refused = first[0]("export", "--to", str(tmp_path / "full"), code=2)
    assert "not empty" in refused.err
    assert [file.name for file in (tmp_path / "full").iterdir()] == ["mine"]
    unknown = first[0]("export", "--model", "best", "--to", str(tmp_path / "new"), code=2)
    assert "no version or alias 'best'" in unknown.err
    assert not (tmp_path / "new").exists()


def test_a_registered_model_is_a_python_object(first, monkeypatch):
    project, _ = first
    for name in ("PREFECT_HOME", "MPLCONFIGDIR", "DVC_SITE_CACHE_DIR", "PREFECT_RESULTS_LOCAL_STORAGE_PATH"):
        monkeypatch.setenv(name, "")  # so that what load sets goes with the test
    features, labels = (np.load(project.folder / "data" / f"{n}.npy") for n in ("features-000", "labels"))
    model = load("champion", project=project.folder)
    found = [prediction.label for prediction in model.predict(features[:100])]
    assert np.mean([label == model.classes[code] for label, code in zip(found, labels, strict=False)]) > 0.5
    with pytest.raises(ProjectError, match="no version or alias"):
        load("best", project=project.folder)
