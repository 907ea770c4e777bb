"""Which folder is the project: the one that holds params.yaml."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distillery.errors import ProjectError
from distillery.params.project import Params, load_params, read_tree
from tasks.environment import prepare_environment


def find_project(named: Path | None) -> Path:
    """The named folder, or the nearest one upwards with a params.yaml; ProjectError where none is."""
    if named is not None:
        if not (named / "params.yaml").is_file():
            raise ProjectError(f"{named} holds no params.yaml: name the folder that does")
        return named.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "params.yaml").is_file():
            return folder
    raise ProjectError(f"no params.yaml in {here} or above: go to the project or name it with --project")


@dataclass(frozen=True)
class Request:
    """What a command works on."""

    project: Path
    params: Params
    own_data: bool  # no overlay names another source than params.yaml does


def make_importable(project: Path) -> None:
    """Let params name the project's own modules; what is installed, or running, comes first."""
    if str(project) not in sys.path:
        sys.path.append(str(project))


def read_request(named: Path | None, overlays: Sequence[Path], settings: Sequence[str]) -> Request:
    """Find the project, set its environment, and read its params; ParamsError with every fault."""
    project = find_project(named)
    prepare_environment(project)
    make_importable(project)
    file = project / "params.yaml"
    params = load_params(file, overlays, settings)
    base = read_tree(file).get("data")
    named_source = {"source": params.data.source, "path": params.data.path}
    own = isinstance(base, dict) and {key: base.get(key) for key in named_source} == named_source
    return Request(project, params, own)
