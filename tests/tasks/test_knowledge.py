import hashlib

import pytest

from distillery.errors import ProjectError
from tasks.knowledge import FOLDER, forget_unnamed, keep, recall, unnamed
from tasks.leftovers import remove_leftovers


def test_what_was_kept_is_recalled_by_its_digest(tmp_path):
    digest = keep(tmp_path, b"a model")
    assert digest == hashlib.sha256(b"a model").hexdigest()
    assert recall(tmp_path, digest) == b"a model"


def test_what_is_gone_or_altered_is_said(tmp_path):
    digest = keep(tmp_path, b"a model")
    (tmp_path / FOLDER / digest).write_bytes(b"another")
    with pytest.raises(ProjectError, match="is not what was kept: `distillery retrain` fetches it again"):
        recall(tmp_path, digest)
    with pytest.raises(ProjectError, match="is gone"):
        recall(tmp_path, "0" * 64)


@pytest.mark.parametrize("file", ["params.yaml", "params/update.yaml", ".distillery/results/distill.abc"])
def test_what_params_or_a_record_name_is_kept_and_the_rest_may_go(tmp_path, file):
    named, forgotten = keep(tmp_path, b"named"), keep(tmp_path, b"forgotten")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_bytes(b"\xff retrain: {remember: {model: %s}}" % named.encode())
    assert unnamed(tmp_path) == [tmp_path / FOLDER / forgotten]


def test_a_project_that_keeps_nothing_has_nothing_to_remove_and_what_is_no_digest_is_not_ours(tmp_path):
    assert unnamed(tmp_path) == []
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "notes.txt").write_text("mine")
    assert unnamed(tmp_path) == []


def test_only_the_doctor_removes_what_is_unnamed_for_a_retraining_keeps_before_it_runs(tmp_path):
    named, forgotten = keep(tmp_path, b"named"), keep(tmp_path, b"forgotten")
    (tmp_path / "params.yaml").write_text(f"retrain: {{begin: {{network: {named}}}}}")
    assert remove_leftovers(tmp_path) == []  # as a run does at its start
    assert forget_unnamed(tmp_path) == [tmp_path / FOLDER / forgotten]
    assert forget_unnamed(tmp_path) == []
    assert recall(tmp_path, named) == b"named"
