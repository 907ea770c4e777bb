"""The blocks `budget` and `registry`: what a model must keep to be chosen, and where it is entered."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from distillery.params.base import Block, Count, NonNegative, Positive


class BudgetParams(Block):
    """Block `budget`: every bound must hold, on validation rows, for a variant to be chosen."""

    place: ClassVar[str] = "budget"
    max_accuracy_drop: NonNegative  # points (0.01 of accuracy) below the teacher
    max_bytes: Count  # of the ONNX file
    max_p50_ms: Positive  # batch 1, one thread


class RegistryParams(Block):
    """Block `registry`: the registered model's name; `uri` null means SQLite inside the project."""

    place: ClassVar[str] = "registry"
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]  # of the registered model
    uri: str | None

    @field_validator("uri")
    @classmethod
    def _without_secrets(cls, uri: str | None) -> str | None:
        if uri is not None and ("@" in uri or "password" in uri.lower()):
            raise ValueError("holds a secret, and params are recorded: set MLFLOW_TRACKING_URI instead")
        return uri
