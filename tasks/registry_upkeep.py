"""What a registry needs before it is opened: right paths after a move, a server that answers."""

from __future__ import annotations

import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

from distillery.errors import Unreachable
from tasks.registry_store import database, local_uri, made, mark_made, store_folder, without_credentials

PATHS = (  # where MLflow's tables hold absolute paths
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


SERVED = ("http://", "https://")


def attend(project: Path, uri: str) -> None:
    """What this registry needs, if anything."""
    if uri == local_uri(project):
        relocate(project)
    elif uri.startswith(SERVED):
        require_answer(uri)


def relocate(project: Path) -> None:
    """After the project was moved or copied, point the database's absolute paths to where it is now."""
    identifier, folder = made(project)
    here = str(store_folder(project))
    if not identifier or folder == here or not database(project).exists():
        return
    size = len(folder) + 1
    with closing(sqlite3.connect(database(project))) as connection, connection:
        for table, column in PATHS:
            moved = f"UPDATE {table} SET {column} = ? || substr({column}, ?)"  # noqa: S608 - names are ours
            inside = f" WHERE substr({column}, 1, ?) = ?"
            connection.execute(moved + inside, (here, size, size, f"{folder}/"))
    mark_made(project)


def require_answer(uri: str) -> None:
    """Ask a server for a sign of life, once, because MLflow itself would try for minutes."""
    try:
        urllib.request.urlopen(uri.rstrip("/") + "/health", timeout=10).close()  # noqa: S310 - http(s) only
    except urllib.error.HTTPError as error:
        error.close()  # it answers; whether it lets us in, the first call tells
    except (OSError, ValueError) as error:
        raise Unreachable(
            f"The registry at {without_credentials(uri)} does not answer ({error}): start the server, or "
            "correct MLFLOW_TRACKING_URI or registry.uri; then run again, and it goes on where it stopped"
        ) from None
