"""Taking a registered model elsewhere: as a folder of plain files, or as a Python object."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distillery.artifacts import write_atomically, written_beside
from distillery.classifier import OnnxClassifier
from distillery.delivery.parcel import parcel
from distillery.errors import ProjectError
from flows.project import Request, read_request
from tasks.delivering import fetch_delivery
from tasks.registering import fetch_model


@dataclass(frozen=True)
class Exported:
    """What was put where."""

    model: str
    version: str
    variant: str
    folder: str
    files: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The object that `export --json` prints."""
        return {**asdict(self), "files": list(self.files)}


def export(request: Request, model: str, to: Path, licence: str | None) -> Exported:
    """Put a version (or alias) into a folder that is empty or absent, whole or not at all."""
    target = to.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ProjectError(f"{to} is there and not empty: name a folder that is empty or absent")
    content, delivered = fetch_delivery(request.project, request.params.registry, model, licence)
    files = parcel(content, delivered)
    with written_beside(target) as into:
        for name, written in files.items():
            write_atomically(into / name, written)
        into.chmod(0o755)
    return Exported(
        delivered.registry, delivered.version, delivered.variant, str(target), tuple(sorted(files))
    )


def load(
    model: str = "champion",
    *,
    project: Path | str | None = None,
    settings: tuple[str, ...] = (),
    threads: int = 1,
) -> OnnxClassifier:
    """A registered model, by alias or version: `load("champion").predict(array)`.

    `project`: default the nearest parent with a params.yaml; `settings` as `--set` takes them. Raises
    ProjectError where there is no such project, version or alias.
    """
    request = read_request(None if project is None else Path(project), (), settings)
    return OnnxClassifier(fetch_model(request.project, request.params.registry, model).content, threads)
