"""Reading the registry: the table of models, and predicting with one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distillery.prediction import Prediction, predict_file
from flows.project import Request
from tasks.registering import fetch_model, list_models


def registered_models(request: Request) -> list[dict[str, Any]]:
    """Every version of the registered model, newest first."""
    return list_models(request.project, request.params.registry)


def predict_with(request: Request, model: str, source: Path) -> list[Prediction]:
    """Classify a file's rows with a registered model, by alias or version."""
    return predict_file(fetch_model(request.project, request.params.registry, model).content, source)
