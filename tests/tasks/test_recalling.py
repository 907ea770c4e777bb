import shutil

import pytest

from distillery.errors import DistilleryError, ProjectError
from tasks.recalling import altered_tags, look_up, recall
from tasks.registering import register
from tasks.tracking import open_registry


@pytest.fixture
def registered(stored, params, record, bundle):
    """A project with three versions; the champion is 3. Returns the run's record."""
    (bundle / "params.yaml").write_text("seed: 0\n")
    run = record()
    register(stored, params.registry, run, bundle)
    return run


def change(project, params, key, value, version="3"):
    with open_registry(project, params.registry) as registry:
        registry._client.set_model_version_tag(params.registry.name, version, key, value)


def bundle_folder(project, run):
    (folder,) = (project / ".distillery/mlflow/artifacts").rglob(run.facts["bundle"])
    return folder


def test_a_version_comes_back_with_its_bundle_and_its_file(stored, params, registered):
    recalled = recall(stored, params.registry, "champion")
    assert (recalled.entry.version.number, recalled.entry.aliases) == ("3", ("champion",))
    assert recalled.bundle == {"source.tar": b"the code", "params.yaml": b"seed: 0\n"}
    assert recalled.content == registered.variants["student-int8-qat"].file.read_bytes()
    assert recalled.tags["variant"] == "student-int8-qat"
    assert look_up(stored, params.registry, "1").aliases == ()


def test_an_altered_tag_is_named_with_both_values(stored, params, registered):
    change(stored, params, "accuracy", "0.999")
    change(stored, params, "seed", "7")
    change(
        stored, params, "budget_broken", "max_bytes"
    )  # a later run may judge otherwise: no part of the record
    for ask in (look_up, recall):
        with pytest.raises(DistilleryError, match=r"record of version 3 of digits .* was altered") as caught:
            ask(stored, params.registry, "3")
        assert caught.value.exit_code == 1
        assert caught.value.faults == (
            "accuracy is '0.999'; it was registered as '0.98'",
            "seed is '7'; it was registered as '0'",
        )
    assert look_up(stored, params.registry, "2").version.number == "2"


@pytest.mark.parametrize("key", ["record_keys", "record_digest", "bundle_files", "identity"])
def test_a_tag_that_was_taken_away_is_named(stored, params, registered, key):
    with open_registry(stored, params.registry) as registry:
        registry._client.delete_model_version_tag(params.registry.name, "3", key)
    with pytest.raises(DistilleryError, match=f"{key} is absent"):
        recall(stored, params.registry, "3")


def test_a_record_that_was_altered_with_its_digest_is_still_noticed():
    from tasks.records import record_digest

    entered = {"accuracy": "0.9", "record_keys": "accuracy"}
    entered["record_digest"] = record_digest(entered)
    forged = entered | {"accuracy": "0.99"}
    forged["record_digest"] = record_digest(forged)
    faults = altered_tags(forged, entered)
    assert len(faults) == 2
    assert faults[0] == "accuracy is '0.99'; it was registered as '0.9'"
    assert altered_tags(entered, {}) == altered_tags(entered, forged | {"accuracy": "1"}) == []
    (fault,) = altered_tags(forged | {"accuracy": "1"}, {})
    assert "which tag it is cannot be said" in fault


def test_a_version_that_someone_else_made_has_no_record(stored, params, registered):
    with open_registry(stored, params.registry) as registry:
        registry._client.create_model_version(params.registry.name, str(stored / "theirs"), None)
    with pytest.raises(ProjectError, match=r"version 4 .* has no record that it could be rebuilt from"):
        recall(stored, params.registry, "4")


def test_an_altered_bundle_file_is_named_with_both_digests_and_its_place(stored, params, registered):
    folder = bundle_folder(stored, registered)
    (folder / "params.yaml").write_text("seed: 1\n")
    with pytest.raises(
        DistilleryError, match=r"bundle of version 3 .* was altered; it was last seen in"
    ) as caught:
        recall(stored, params.registry, "3")
    assert str(folder) in caught.value.message
    (fault,) = caught.value.faults
    assert fault.startswith("params.yaml was altered: its SHA-256 is")
    assert caught.value.exit_code == 1


def test_what_is_gone_of_a_bundle_is_named_with_its_place(stored, params, registered):
    folder = bundle_folder(stored, registered)
    (folder / "source.tar").unlink()
    with pytest.raises(ProjectError, match="is not whole; it was last seen in") as caught:
        recall(stored, params.registry, "3")
    assert caught.value.faults == ("source.tar is gone",)
    shutil.rmtree(folder)
    with pytest.raises(ProjectError, match="is gone; it was last seen in") as caught:
        recall(stored, params.registry, "3")
    assert str(folder) in caught.value.message
    assert len(caught.value.faults) == 2
    assert look_up(stored, params.registry, "3").version.number == "3"


def test_a_file_that_is_gone_or_altered_is_no_obstacle(stored, params, registered):
    content = registered.variants["student-int8-qat"].file.read_bytes()
    (file,) = (
        path
        for path in (stored / ".distillery/mlflow/artifacts").rglob("model.onnx")
        if path.read_bytes() == content
    )
    file.write_bytes(b"other")
    assert recall(stored, params.registry, "3").content is None
    file.unlink()
    assert recall(stored, params.registry, "3").content is None


def test_a_later_bundle_of_the_same_result_leaves_the_first_one_whole(
    stored, params, record, bundle, registered
):
    with open_registry(stored, params.registry) as registry:
        registry._client.delete_model_version(params.registry.name, "1")
    (bundle / "environment.json").write_text("{}")  # a package was installed meanwhile
    register(stored, params.registry, record(), bundle)
    assert set(recall(stored, params.registry, "3").bundle) == {"source.tar", "params.yaml"}
    assert set(recall(stored, params.registry, "4").bundle) == {
        "source.tar",
        "params.yaml",
        "environment.json",
    }
