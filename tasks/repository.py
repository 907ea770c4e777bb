"""The project as a git and DVC repository: is it one, and which commit labels a result. No heavy import."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from distillery.artifacts import write_atomically
from distillery.errors import ProjectError

OTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
POINTERS = ("data.dvc", "models.dvc")


@dataclass(frozen=True)
class CommitLabel:
    """The commit a result is labelled with (`none` before the first), and whether files differed from it."""

    commit: str
    dirty: bool

    def __str__(self) -> str:
        if self.commit == "none":
            return "no commit yet"
        return f"commit {self.commit}" + (" with uncommitted changes" if self.dirty else "")


def git_root(project: Path) -> Path | None:
    """The nearest folder, from the project upwards, that is a git repository."""
    here = project.resolve()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), None)


def is_versioned(project: Path) -> bool:
    """Whether the project is in a git repository and is a DVC repository."""
    return git_root(project) is not None and (project / ".dvc/config").is_file()


def ensure_repository(project: Path) -> list[str]:
    """Make the project a git and DVC repository where it is not; says, in words, what was made."""
    ignore = project / ".distillery/.gitignore"
    if not ignore.exists():
        write_atomically(ignore, b"*\n")  # state is never committed, whatever .gitignore above says
    if is_versioned(project):
        return []
    from tasks.versioning import make_repository  # DVC is slow to import and almost always not needed here

    return make_repository(project, git_root(project))


def init_git(project: Path) -> None:
    """Make a folder a git repository, also where the environment (of a hook, say) names another one."""
    environment = {name: value for name, value in os.environ.items() if name not in OTHER_REPOSITORY}
    command = ["git", "init", "--quiet"]
    try:
        subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise ProjectError("git is not installed, and DVC needs it: install git and run again") from None
    except subprocess.CalledProcessError as error:
        raise ProjectError(f"git could not make {project} a repository: {error.stderr.strip()}") from None


def commit_label(project: Path) -> CommitLabel:
    """The commit of the project's git repository. Pointers do not make it dirty: a run writes them."""
    commit = _git(project, "rev-parse", "--verify", "--quiet", "HEAD")
    changed = _git(project, "status", "--porcelain", "--", ".", *(f":(exclude){name}" for name in POINTERS))
    return CommitLabel(commit or "none", dirty=bool(changed))


def uncommitted_pointers(project: Path) -> list[str]:
    """Those pointers that git does not have as they are now."""
    changed = _git(project, "status", "--porcelain", "-z", "--", *POINTERS).split("\0")
    return sorted(Path(entry.rpartition(" ")[2]).name for entry in changed if entry)  # "?? data.dvc"


def file_at_commit(project: Path, revision: str, name: str) -> bytes | None:
    """A file of the project as a git revision has it, or None where it has none or is no revision."""
    if revision.startswith("-") or ":" in revision:
        return None
    said = _git(project, "show", f"{revision}:./{name}")
    return said.encode() if said else None


def file_through_history(project: Path, name: str) -> dict[bytes, str]:
    """Every content that a file of the project has in any commit of any branch or tag, by one such commit.

    Raises ProjectError where git cannot tell: an unseen version would be missed in silence.
    """
    if git_root(project) is None:
        return {}
    commits = _answer(project, b"", "rev-list", "--all", "--full-history", "--", name).decode().split()
    asked = "".join(f"{commit}:./{name}\n" for commit in commits)
    contents = _blobs(_answer(project, asked.encode(), "cat-file", "--batch"))
    found: dict[bytes, str] = {}
    for commit, content in zip(commits, contents, strict=True):
        if content is not None:
            found.setdefault(content, commit)
    return found


def is_shallow(project: Path) -> bool:
    """Whether older commits were left out when the repository was cloned."""
    return _git(project, "rev-parse", "--is-shallow-repository") == "true"


def _blobs(said: bytes) -> Iterator[bytes | None]:
    """The contents that `git cat-file --batch` gives, None for what is missing."""
    stream = BytesIO(said)
    while head := stream.readline():
        if head.endswith(b" missing\n"):
            yield None
        else:
            yield stream.read(int(head.split()[-1]))  # "DIGEST blob SIZE"
            stream.readline()


def _answer(project: Path, given: bytes, *arguments: str) -> bytes:
    try:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=project, input=given, capture_output=True, check=True).stdout
    except OSError as error:
        raise ProjectError(f"git cannot be run, and the history has to be read: {error}") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise ProjectError(f"git cannot read the history of {project}: {said}") from None


def _git(project: Path, *arguments: str) -> str:
    """What git answers, or nothing where there is no git, no repository or no commit yet."""
    try:
        answer = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
