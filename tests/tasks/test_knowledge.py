import hashlib

import pytest

from distillery.errors import ProjectError
from tasks.knowledge import FOLDER, keep, recall


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
