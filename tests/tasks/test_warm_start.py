from contextlib import nullcontext

import pytest

from distillery.artifacts import digest_bytes
from distillery.data.importing import materialise
from distillery.data.sources import read_digits
from distillery.models.network import save_model
from distillery.warm_start import unpack
from tasks import warm_start
from tasks.knowledge import recall
from tasks.records import Stored, Version, network_folder
from tasks.retraining import Champion
from tasks.warm_start import where_to_begin

SAME = {"family": "resnet", "stem_stride": 1, "width": 4, "stages": 2, "blocks": 1, "dropout": 0.0}


@pytest.fixture
def data(project, params):
    """The digits as the project's own data."""
    (project / "data").mkdir()
    materialise(read_digits(), {"source": params.data.source, "path": params.data.path}, project / "data")


@pytest.fixture
def kept(students, tmp_path):
    """What the champion's MLflow run keeps of its network."""
    folder = tmp_path / "network"
    folder.mkdir()
    save_model(students["resnet"], folder)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def begin(project, params, kept, files, monkeypatch):
    """Where a student begins, and what was said; with what the run keeps and another student."""
    digest = digest_bytes(kept["weights.safetensors"])

    class Registry:
        def read_folder(self, version, name):
            assert name == network_folder(digest)
            return Stored("here", Registry.files)

    def make(found=kept, content=files["resnet"], **changes):
        Registry.files, said = found, []
        monkeypatch.setattr(warm_start, "open_registry", lambda *_: nullcontext(Registry()))
        model = type(params.student).model_validate({"model": SAME | changes})
        asked = params.model_copy(update={"student": model})
        version = Version("7", "run", "source", {"weights_digest": digest})
        return where_to_begin(project, asked, Champion(version, content), said.append), said

    return make


@pytest.mark.usefixtures("data")
def test_the_network_of_the_champion_is_kept_by_its_digest(project, begin, students, rows):
    begun, said = begin()
    known = unpack(recall(project, begun.network))
    assert (known.network, known.classes) == (students["resnet"].network, rows.classes)
    assert said == ["the student begins from the network of version 7"]


@pytest.mark.usefixtures("data")
def test_whatever_cannot_be_begun_from_is_said_and_the_start_is_fresh(project, begin, kept):
    cases = (
        ({"found": {}}, "its network was not registered with it"),
        ({"found": {**kept, "weights.safetensors": b"other"}}, "its network is not what was registered"),
        ({"found": {**kept, "network.json": b"{}"}}, "its network cannot be read"),
        ({"content": None}, "its ONNX file, which names its classes, is not what was registered"),
        ({"width": 5}, "its layers are not those of student.model"),
    )
    for changes, why in cases:
        begun, (said,) = begin(**changes)
        assert begun.network is None
        assert said.startswith(f"the student starts fresh, not from version 7: {why}")
    assert not (project / ".distillery/knowledge").exists()


def test_data_that_are_not_the_projects_own_say_nothing_of_the_student(begin):
    begun, (said,) = begin()
    assert begun.network is None
    assert said.endswith("these data are not the project's own")


def test_where_there_is_no_champion_nothing_is_said(project, params):
    said = []
    assert where_to_begin(project, params, None, said.append).network is None
    assert said == []
