"""What a person asks when something is odd: versions, processor, server, leftovers, models no one names."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from distillery.machine import cpu_features, cpu_model, library_version
from distillery.params.project import load_params
from tasks.environment import has_own_server, prepare_environment
from tasks.knowledge import forget_unnamed, unnamed
from tasks.leftovers import find_leftovers, remove_leftovers
from tasks.locking import holder, is_held, project_lock
from tasks.registry_store import tracking_uri, without_credentials

LIBRARIES = ("distillery", "torch", "onnx", "onnxruntime", "prefect", "mlflow", "dvc", "numpy", "pandas")


def _mended(project: Path) -> list[str]:
    with project_lock(project, wait=False, tell=print):
        return remove_leftovers(project) + _told(project, forget_unnamed(project))


def _found(project: Path) -> list[str]:
    return find_leftovers(project) + _told(project, unnamed(project))


def _told(project: Path, files: list[Path]) -> list[str]:
    return [file.relative_to(project).as_posix() for file in files]


def examine(project: Path, fix: bool) -> dict[str, Any]:
    """Findings by name. With `fix`, leftovers are removed; not while a run holds the project."""
    prepare_environment(project)
    params = load_params(project / "params.yaml")
    held = is_held(project)
    left = [] if held else _mended(project) if fix else _found(project)
    return {
        "project": str(project),
        "python": platform.python_version(),
        **{name: library_version(name) for name in LIBRARIES},
        "cpu": cpu_model(),
        "cpu_features": cpu_features(),
        "device": params.runtime.device,
        "precision": params.runtime.precision,
        "threads": params.runtime.threads,
        "prefect_server": os.environ["PREFECT_API_URL"] if has_own_server() else "embedded",
        "registry": without_credentials(tracking_uri(project, params.registry)),
        "held_by": holder(project) if held else None,
        "removed" if fix else "leftovers": left,
    }
