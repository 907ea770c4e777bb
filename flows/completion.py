"""What a shell completes besides commands and options. Imports late: only a shell asks."""

from __future__ import annotations

from distillery.errors import DistilleryError


def complete_setting(incomplete: str) -> list[str]:
    """`block.name=` of every parameter that begins so."""
    return [f"{path}=" for path in _paths() if path.startswith(incomplete)]


def complete_parameter(incomplete: str) -> list[str]:
    """Blocks and parameters that begin so."""
    parts = [path.split(".") for path in _paths()]
    known = {".".join(names[:end]) for names in parts for end in range(1, len(names) + 1)}
    return sorted(path for path in known if path.startswith(incomplete))


def complete_step(incomplete: str) -> list[str]:
    """Steps of the pipeline that begin so."""
    from tasks.steps import STEPS

    return sorted(step.name for step in STEPS if step.name.startswith(incomplete))


def _paths() -> list[str]:
    """What params.yaml holds; nothing where it cannot be read, since a shell shows no errors."""
    from distillery.params.project import flatten, read_tree
    from flows.project import find_project

    try:
        return list(flatten(read_tree(find_project(None) / "params.yaml")))
    except DistilleryError:
        return []
