import subprocess

import pytest

from distillery.artifacts import digest_bytes
from distillery.errors import DistilleryError, ProjectError
from tasks.pointers import file_md5s, matches_pin, models_kept, pinned_digest, stored_in_cache
from tasks.repository import commit_label, ensure_repository, is_versioned, uncommitted_pointers
from tasks.versioning import KeptModels, keep_models, pin

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")  # DVC's


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def data(project):
    (project / "data/sub").mkdir(parents=True)
    (project / "data/rows.npy").write_bytes(b"rows")
    (project / "data/Zwei.bin").write_bytes(b"2")
    (project / "data/sub/é.bin").write_bytes(b"")
    return project / "data"


def test_a_bare_folder_becomes_a_repository_once_and_says_so(project):
    said = ensure_repository(project)
    assert [word in sentence for word, sentence in zip(("git", "DVC"), said, strict=True)] == [True, True]
    assert is_versioned(project)
    config = (project / ".dvc/config").read_text()
    assert "analytics = False" in config
    assert "autostage = False" in config
    assert ensure_repository(project) == []
    assert commit_label(project).commit == "none"


def test_a_project_in_a_subfolder_of_a_repository_stays_in_it(project, tmp_path):
    git(tmp_path, "init", "--quiet")
    said = ensure_repository(project)
    assert len(said) == 1
    assert not (project / ".git").exists()
    assert (project / ".dvc").is_dir()


def test_state_is_ignored_by_git_whatever_the_project_ignores(project):
    ensure_repository(project)
    (project / ".distillery/secret").write_bytes(b"x")
    assert ".distillery" not in git(project, "status", "--short")


def test_pinning_equals_dvcs_own_answer_and_is_done_once(project, data, capfd):
    ensure_repository(project)
    assert pin(project, "data")
    pointer = (project / "data.dvc").read_bytes()

    assert matches_pin(project, "data")
    assert pinned_digest(project, "data").files == 3
    assert stored_in_cache(project, file_md5s(data))
    assert not pin(project, "data")
    assert (project / "data.dvc").read_bytes() == pointer
    assert git(project, "log", "--all", "--oneline") == ""
    assert capfd.readouterr() == ("", "")

    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        assert repo.status() == {}


def test_a_changed_row_changes_the_pointer_and_the_old_rows_stay_in_the_cache(project, data):
    ensure_repository(project)
    pin(project, "data")
    old = file_md5s(data)
    (data / "rows.npy").write_bytes(b"ROWS")
    assert not matches_pin(project, "data")
    assert pin(project, "data")
    assert matches_pin(project, "data")
    assert stored_in_cache(project, old)


def test_a_lost_cache_is_filled_again_and_the_pointer_stays(project, data):
    ensure_repository(project)
    pin(project, "data")
    pointer = (project / "data.dvc").read_bytes()
    for file in (project / ".dvc/cache").rglob("*"):
        if file.is_file():
            file.unlink()
    assert not pin(project, "data")
    assert (project / "data.dvc").read_bytes() == pointer
    assert stored_in_cache(project, file_md5s(data))


def test_an_ignore_file_that_has_the_folders_is_left_as_it_is(project, data):
    (project / ".gitignore").write_text("/data\n/models\n")
    ensure_repository(project)
    pin(project, "data")
    assert (project / ".gitignore").read_text() == "/data\n/models\n"


def test_what_is_not_there_cannot_be_pinned(project):
    ensure_repository(project)
    with pytest.raises(ProjectError, match="data is not there"):
        pin(project, "data")


def test_what_dvc_refuses_is_said_plainly(project, data):
    ensure_repository(project)
    (project / ".dvc/config").write_text("[core]\n  nonsense = true\n")
    with pytest.raises(DistilleryError, match="DVC failed in"):
        pin(project, "data")


@pytest.fixture
def kept(tmp_path):
    (tmp_path / "chosen.onnx").write_bytes(b"small")
    (tmp_path / "teacher.onnx").write_bytes(b"big")
    return KeptModels(tmp_path / "chosen.onnx", tmp_path / "teacher.onnx", {"variant": "student-int8-qat"})


def test_models_are_kept_once_and_checked_without_dvc(project, kept):
    ensure_repository(project)
    digests = {"model.onnx": digest_bytes(b"small"), "teacher.onnx": digest_bytes(b"big")}
    assert keep_models(project, kept)
    assert sorted(p.name for p in (project / "models").iterdir()) == [
        "manifest.json",
        "model.onnx",
        "teacher.onnx",
    ]
    assert models_kept(project, digests)
    assert not keep_models(project, kept)

    kept.chosen.write_bytes(b"smaller")
    assert keep_models(project, kept)
    assert not models_kept(project, digests)
    assert matches_pin(project, "models")


def test_a_tampered_model_is_not_kept(project, kept):
    ensure_repository(project)
    keep_models(project, kept)
    (project / "models/manifest.json").write_text("{}")
    assert not models_kept(
        project, {"model.onnx": digest_bytes(b"small"), "teacher.onnx": digest_bytes(b"big")}
    )


def test_a_commit_is_a_label_and_pointers_do_not_make_it_dirty(project, data):
    ensure_repository(project)
    (project / "params.yaml").write_text("a: 1\n")
    git(project, "add", "params.yaml", ".dvc", ".dvcignore")
    git(project, "commit", "--quiet", "-m", "first")
    assert commit_label(project).commit == git(project, "rev-parse", "HEAD")
    pin(project, "data")
    git(project, "add", ".gitignore")
    git(project, "commit", "--quiet", "-m", "second")
    assert not commit_label(project).dirty
    (project / "params.yaml").write_text("a: 2\n")
    assert commit_label(project).dirty


@pytest.mark.parametrize("where", [".", "sub folder"])
def test_pointers_that_git_does_not_have_are_named_plainly(project, where):
    git(project, "init", "--quiet")
    folder = project / where
    folder.mkdir(exist_ok=True)
    for name in ("data.dvc", "models.dvc"):
        (folder / name).write_text("outs: []\n")
    assert uncommitted_pointers(folder) == ["data.dvc", "models.dvc"]
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "both")
    assert uncommitted_pointers(folder) == []
    (folder / "data.dvc").write_text("outs: [1]\n")
    assert uncommitted_pointers(folder) == ["data.dvc"]
