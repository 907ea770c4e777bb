"""The families a `model` block may name. A new one is a file beside this and its name in this union."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from distillery.data.form import Form, Series, Tokens
from distillery.errors import ParamsError
from distillery.models.mlp import Mlp
from distillery.models.recurrent import Gru, Lstm
from distillery.models.resnet import ResNet
from distillery.models.transformer import Transformer

Family = Annotated[Mlp | ResNet | Lstm | Gru | Transformer, Field(discriminator="family")]

INSTEAD = "{family: mlp, hidden: [64, 32], dropout: 0.0}"
OF_SEQUENCES = "{family: gru, layers: 1, width: 32, both_ways: false, embed: 16, dropout: 0.0}"


def cannot_train_aware(model: Family) -> str | None:
    """Why rounding cannot be trained for, and what to do; None: it can."""
    match model:
        case Lstm() | Gru() | Transformer():
            return (
                f"quantize.qat: a {model.family} is rounded after its training, not in it: "
                "set quantize.qat to null, and use quantize.dynamic"
            )
        case _:
            return None


def require_fitting(models: Mapping[str, Family], rows: Form) -> None:
    """ParamsError with every model, by its path in params.yaml, that cannot read such rows."""
    refusals = {place: model.refusal(rows) for place, model in models.items()}
    instead = OF_SEQUENCES if isinstance(rows, Series | Tokens) else INSTEAD
    faults = [
        f"{place}: {refusal}; --set {place}='{instead}' reads them"
        for place, refusal in refusals.items()
        if refusal is not None
    ]
    if faults:
        raise ParamsError("the models do not fit the rows", faults)
