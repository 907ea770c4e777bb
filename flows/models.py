"""Reading the registry: the table of models, and predicting with one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from distillery.prediction import Prediction, UnknownName, predict_file
from flows.project import Request
from tasks.registering import fetch_model, list_models

SHOWN = 10  # unknown categories


def registered_models(request: Request) -> list[dict[str, Any]]:
    """Every version of the registered model, newest first."""
    return list_models(request.project, request.params.registry)


def predict_with(request: Request, model: str, source: Path, say: Callable[[str], None]) -> list[Prediction]:
    """Classify a file's rows with a registered model, by alias or version; `say` what it does not know."""
    predictions = predict_file(fetch_model(request.project, request.params.registry, model).content, source)
    for sentence in tell_unknown(predictions.unknown):
        say(sentence)
    return predictions.rows


def tell_unknown(unknown: Sequence[UnknownName]) -> Iterator[str]:
    """A warning for each category that a model does not know, up to a few."""
    for name in unknown[:SHOWN]:
        yield (
            f"warning: column {name.column}: {name.name!r} is unknown to the model and counts as missing"
            f" ({name.rows} row{'s' if name.rows > 1 else ''})"
        )
    hidden = unknown[SHOWN:]
    if hidden:
        cells = sum(name.rows for name in hidden)
        yield f"warning: and {len(hidden)} more categories that are unknown to the model, in {cells} cells"
