"""Reading the registry: the table of models."""

from __future__ import annotations

from typing import Any

from flows.project import Request
from tasks.registering import list_models


def registered_models(request: Request) -> list[dict[str, Any]]:
    """Every version of the registered model, newest first."""
    return list_models(request.project, request.params.registry)
