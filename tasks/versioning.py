"""The only file that imports DVC: makes the repository, pins folders, keeps the models of a run.

Nothing here commits to git. DVC writes to the console and the root logger as it likes: it is silenced, and
what it raises is said again with a remedy.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.fs import download, localfs, parse_external_url
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.scm import SCMError
from dvc_data.hashfile.build import build
from dvc_data.hashfile.transfer import transfer
from fsspec.asyn import sync

from distillery.artifacts import write_json, written_beside
from distillery.errors import Busy, DataError, DiskError, DistilleryError, ProjectError
from tasks.object_store import ObjectStore
from tasks.pointers import file_md5s, matches_pin, pointer_file, stored_in_cache
from tasks.registry_store import without_credentials
from tasks.remote_config import Remote, configured_remotes
from tasks.repository import init_git

for _name in ("dvc", "dvc_data", "dvc_objects", "scmrepo"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # its progress bars ask the level too


@dataclass(frozen=True)
class KeptModels:
    """What `models/` holds after a run: the chosen ONNX file, its teacher, and words about both."""

    chosen: Path
    teacher: Path
    manifest: Mapping[str, Any]


def make_repository(project: Path, root: Path | None) -> list[str]:
    """Make the project a git repository and a DVC one, where it is not; says, in words, what was made.

    `root` is the git repository that the project is in already, if any.
    """
    said = []
    if root is None:
        init_git(project)
        said.append(f"made {project} a git repository (nothing is committed)")
    with _plainly(project):
        if not (project / ".dvc").is_dir():
            Repo.init(str(project), subdir=root not in (None, project.resolve())).close()
            said.append(f"made {project} a DVC repository (analytics off, autostage off)")
        with Repo(str(project)) as repo, repo.config.edit("repo") as config:
            config["core"] |= {"analytics": False, "autostage": False, "check_update": False}
    return said


def pin(project: Path, name: str) -> bool:
    """Store the folder `name` in DVC's cache and write `name.dvc`; True when the pointer changed.

    The same bytes leave the pointer as it is, byte for byte. Git is not told.
    """
    folder, pointer = project / name, pointer_file(project, name)
    if not folder.is_dir():
        raise ProjectError(f"{folder} is not there, so it cannot be pinned: put the files there first")
    before = pointer.read_bytes() if pointer.exists() else None
    files = file_md5s(folder)
    if matches_pin(project, name, files) and stored_in_cache(project, files):
        return False
    with _plainly(project), Repo(str(project)) as repo:
        repo.add(str(folder))
    return pointer.read_bytes() != before


def store(project: Path, name: str) -> str:
    """Keep the folder `name` in DVC's cache, whatever its pointer pins; returns the folder's md5."""
    with _plainly(project), Repo(str(project)) as repo:
        cache = repo.cache.local
        staging, _, built = build(cache, str(project / name), localfs, "md5")
        if transfer(staging, cache, {built.hash_info}, shallow=False).failed:
            raise DiskError(f"DVC could not store {project / name}: make room in {cache.path} and run again")
    return str(built.hash_info.value)


@contextmanager
def object_stores(project: Path, remotes: Sequence[Remote] | None = None) -> Iterator[list[ObjectStore]]:
    """DVC's cache, then these remotes; where none are given, the default remote and the others by name."""
    with ExitStack() as closing:
        with _plainly(project):
            repo = closing.enter_context(Repo(str(project)))
            cache = repo.cache.local
        stores = [ObjectStore(f"DVC's cache ({cache.path})", lambda: cache)]
        for remote in configured_remotes(project) if remotes is None else remotes:
            connect = partial(repo.cloud.get_remote_odb, remote.name, "distillery")
            stores.append(ObjectStore(str(remote), connect, remote.secrets))
        yield stores


def keep_models(project: Path, kept: KeptModels) -> bool:
    """Write `models/` (model.onnx, teacher.onnx, manifest.json) and pin it; True if `models.dvc` changed."""
    folder = project / "models"
    with written_beside(folder) as scratch:
        shutil.copyfile(kept.chosen, scratch / "model.onnx")
        shutil.copyfile(kept.teacher, scratch / "teacher.onnx")
        write_json(scratch / "manifest.json", kept.manifest)
        scratch.chmod(0o755)
    return pin(project, "models")


@contextmanager
def _plainly(project: Path) -> Iterator[None]:
    """What DVC raises, said with its place and remedy."""
    try:
        yield
    except NotDvcRepoError:
        remedy = "go to a clone that has its .dvc folder, or `distillery run` here once"
        raise ProjectError(
            f"{project} is no DVC repository, so it has no cache and no remote: {remedy}"
        ) from None
    except LockError:
        raise Busy(f"Another DVC command holds {project}: wait until it ends and run again") from None
    except OSError as error:
        raise DiskError(f"DVC could not write in {project}: {error}") from None
    except (DvcException, SCMError) as error:
        said = " ".join(str(error).split())
        raise DistilleryError(
            f"DVC failed in {project}: {said}. Run `dvc doctor` there to see its setup"
        ) from error


def describe_address(url: str) -> list[dict[str, str]]:
    """What is at an address that DVC can import, a line a file; DataError where nothing answers there."""
    with _addressed(url) as (fs, path):
        found = fs.find(path, detail=True) if fs.isdir(path) else {path: fs.info(path)}
    told = ("etag", "ETag", "checksum", "md5", "size", "mtime", "LastModified", "last_modified")
    return [
        {"name": name, **{key: str(info[key]) for key in told if info.get(key) is not None}}
        for name, info in sorted(found.items())
    ]


def fetch_address(url: str, into: Path) -> None:
    """Download what is at an address into a new folder; DataError where that fails."""
    into.mkdir(parents=True)
    with _addressed(url) as (fs, path):
        name = PurePosixPath(urlsplit(url).path).name or "rows"
        download(fs, path, str(into if fs.isdir(path) else into / name))


@contextmanager
def _addressed(url: str) -> Iterator[tuple[Any, str]]:
    """The file system of an address and the path there; what it raises is said with the address."""
    try:
        fs, path = parse_external_url(url)
        try:
            yield fs, path
        finally:
            session = getattr(fs.fs, "_session", None)  # of HTTP, which nobody else closes
            if session is not None:
                sync(fs.fs.loop, session.close)
    except Exception as error:  # every kind has errors of its own
        shown = without_credentials(url)
        said = " ".join(f"{type(error).__name__}: {error}".replace(url, shown).split())[:300]
        raise DataError(f"{shown} cannot be read: {said}") from None
