import subprocess

import pytest

from distillery.errors import ProjectError
from tasks.pinned import pinned_versions

POINTER = "outs:\n- md5: {md5}\n  size: {size}\n  nfiles: 2\n  hash: md5\n  path: {name}\n"


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def md5(number):
    return f"{number:032x}.dir"


def pin(folder, number, name="data"):
    (folder / f"{name}.dvc").write_text(POINTER.format(md5=md5(number), size=10 * number, name=name))


def commit(folder, *numbers, name="data"):
    for number in numbers:
        pin(folder, number, name)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--allow-empty", "-m", str(number))


def found(folder):
    return {version.pointer.md5: version.where for version in pinned_versions(folder).versions}


@pytest.fixture(params=[".", "sub é folder"])
def folder(project, request):
    """A project at the top of a git repository, or below it."""
    git(project, "init", "--quiet", "-b", "main")
    place = project / request.param
    place.mkdir(exist_ok=True)
    return place


def test_the_working_tree_and_every_commit_branch_and_tag_are_seen(folder):
    commit(folder, 1, 2)
    git(folder, "checkout", "--quiet", "-b", "side", "HEAD~1")
    commit(folder, 3, 4)
    git(folder, "checkout", "--quiet", "main")
    git(folder, "merge", "--quiet", "-s", "ours", "side", "-m", "ours")  # of which a plain log shows one side
    git(folder, "branch", "-D", "side")
    git(folder, "checkout", "--quiet", "--detach")
    commit(folder, 5)
    git(folder, "tag", "-a", "five", "-m", "five")
    git(folder, "checkout", "--quiet", "main")
    git(folder, "checkout", "--quiet", "--detach")
    commit(folder, 6)
    commit(folder, 7, name="models")
    pin(folder, 9)
    git(folder, "stash")
    pin(folder, 8)
    assert set(found(folder)) == {md5(number) for number in range(1, 10)}
    assert found(folder)[md5(8)] == "data.dvc"
    assert found(folder)[md5(7)] == "models.dvc"
    assert found(folder)[md5(4)].startswith("data.dvc at ")
    assert pinned_versions(folder).warnings == ()


def test_a_pointer_that_was_removed_since_still_counts(folder):
    commit(folder, 1)
    (folder / "data.dvc").unlink()
    git(folder, "commit", "--quiet", "-am", "gone")
    assert set(found(folder)) == {md5(1)}


def test_before_the_first_commit_and_without_git_the_working_tree_counts(project):
    pin(project, 1)
    assert found(project) == {md5(1): "data.dvc"}
    git(project, "init", "--quiet")
    assert found(project) == {md5(1): "data.dvc"}


def test_what_pins_nothing_is_said(project):
    with pytest.raises(ProjectError, match="pins neither data nor models"):
        pinned_versions(project)


@pytest.mark.parametrize("content", ["<<<<<<< HEAD\n", "outs:\n- md5: ../../../etc/passwd\n  size: 1\n"])
def test_a_broken_pointer_in_history_is_a_warning_and_in_the_working_tree_a_fault(folder, content):
    commit(folder, 1)
    (folder / "data.dvc").write_text(content)
    git(folder, "commit", "--quiet", "-am", "broken")
    with pytest.raises(ProjectError, match="does not pin one folder"):
        pinned_versions(folder)
    pin(folder, 2)
    pinned = pinned_versions(folder)
    assert {version.pointer.md5 for version in pinned.versions} == {md5(1), md5(2)}
    assert len(pinned.warnings) == 1
    assert "data.dvc at " in pinned.warnings[0]


def test_a_shallow_clone_says_that_it_does_not_know_all(project, tmp_path):
    git(project, "init", "--quiet")
    commit(project, 1, 2)
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{project}", "shallow")
    pinned = pinned_versions(tmp_path / "shallow")
    assert [version.pointer.md5 for version in pinned.versions] == [md5(2)]
    assert "shallow" in pinned.warnings[0]


def test_a_history_that_git_cannot_read_is_a_fault_not_an_empty_one(project):
    git(project, "init", "--quiet")
    commit(project, 1)
    (project / ".git/HEAD").write_text("nonsense\n")
    with pytest.raises(ProjectError, match="git cannot read the history"):
        pinned_versions(project)
