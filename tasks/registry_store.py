"""Where the registry is, and whether it is still the one that was written to: no heavy import.

The local store is `.distillery/mlflow/`: `mlflow.db`, `artifacts/`, and two small files. `store-id` holds a
random id that cache keys read, so that a deleted store is registered into anew. `store-made` is written after
the database is in place and says which id it was made under, and in which folder: an id whose database was
made and is gone is spent, and a store whose folder moved has paths to correct.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from distillery.artifacts import read_json, write_atomically, write_json
from distillery.errors import ProjectError
from distillery.params.budget import RegistryParams

STORE = Path(".distillery/mlflow")
SQLITE = "sqlite:///"


def store_folder(project: Path) -> Path:
    """The folder of the local store, absolute."""
    return project.resolve() / STORE


def database(project: Path) -> Path:
    """The local store's database."""
    return store_folder(project) / "mlflow.db"


def artifact_folder(project: Path) -> Path:
    """Where the local store keeps the files that it registers."""
    return store_folder(project) / "artifacts"


def local_uri(project: Path) -> str:
    """The URI of the local store: absolute, because MLflow resolves relative ones where it happens to run."""
    return f"{SQLITE}{database(project)}"


def tracking_uri(project: Path, registry: RegistryParams) -> str:
    """The project's registry: MLFLOW_TRACKING_URI, then `registry.uri`, then SQLite inside the project."""
    given = os.environ.get("MLFLOW_TRACKING_URI") or registry.uri
    if not given:
        return local_uri(project)
    if not _is_uri(given):
        raise ProjectError(
            "MLFLOW_TRACKING_URI or registry.uri is no address: write http://host:port or sqlite:///file.db"
        )
    if urlsplit(given).scheme in {"", "file"}:
        raise ProjectError(
            f"The registry cannot be the folder {given} (MLFLOW_TRACKING_URI or registry.uri): "
            "name a server (http://host:port) or a database (sqlite:///file.db), or take it out"
        )
    if given.startswith(SQLITE) and not given.startswith(f"{SQLITE}/"):
        return f"{SQLITE}{project.resolve() / given.removeprefix(SQLITE)}"
    return given


@contextmanager
def addressed(uri: str) -> Iterator[None]:
    """MLFLOW_TRACKING_URI names this registry inside the block."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = uri
    try:
        yield
    finally:
        del os.environ["MLFLOW_TRACKING_URI"]
        os.environ |= {} if before is None else {"MLFLOW_TRACKING_URI": before}


def _is_uri(given: str) -> bool:
    try:
        return urlsplit(given).port is None or True
    except ValueError:
        return False


def without_credentials(uri: str) -> str:
    """The URI as it may be shown and recorded: no user, no password, no query."""
    parts = urlsplit(uri)
    if not parts.hostname:
        return uri.partition("?")[0]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = f"{host}:{parts.port}" if parts.port else host
    return urlunsplit((parts.scheme, place, parts.path, "", ""))


def store_id(project: Path) -> str | None:
    """The id under which the local store is, or will be, made; None if there is none or its database went."""
    try:
        identifier = (store_folder(project) / "store-id").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    made_under, _ = made(project)
    spent = made_under == identifier and not database(project).exists()
    return None if spent else identifier or None


def ensure_store(project: Path) -> str:
    """Give the local store an id if it has none, or a new one if its database went; call it first of all."""
    identifier = store_id(project)
    if identifier is None:
        identifier = secrets.token_hex(16)
        write_atomically(store_folder(project) / "store-id", f"{identifier}\n".encode())
    return identifier


def store_identity(project: Path, registry: RegistryParams) -> str:
    """What cache keys read: the local store's id, or another registry's address. Writes nothing."""
    return identity_of(project, tracking_uri(project, registry))


def identity_of(project: Path, uri: str) -> str:
    """The same, of a registry whose address is known."""
    return store_id(project) or "none yet" if uri == local_uri(project) else without_credentials(uri)


def made(project: Path) -> tuple[str, str]:
    """The id and the folder that the database was made under; empty before it is made."""
    try:
        marker = read_json(store_folder(project) / "store-made")
        return str(marker["id"]), str(marker["folder"])
    except (OSError, ValueError, TypeError, KeyError):
        return "", ""


def mark_made(project: Path) -> None:
    """Say that the database is in place, here, under the present id."""
    identifier, folder = ensure_store(project), str(store_folder(project))
    if made(project) != (identifier, folder):
        write_json(store_folder(project) / "store-made", {"id": identifier, "folder": folder})
