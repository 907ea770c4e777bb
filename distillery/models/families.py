"""The families a `model` block may name. A new one is a file beside this and its name in this union."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from distillery.data.form import Column, Form, Series, Shape, Table, Tokens
from distillery.errors import ParamsError
from distillery.models.custom import Custom, OwnModule
from distillery.models.layers import Network
from distillery.models.lenet import Cnn, LeNet5
from distillery.models.mlp import Mlp
from distillery.models.mobilenet import MobileNetV2
from distillery.models.recurrent import Gru, Lstm
from distillery.models.resnet import ResNet
from distillery.models.resnet_imagenet import ResNetImageNet
from distillery.models.sequence_layers import Steps
from distillery.models.transformer import Transformer
from distillery.models.vgg import Vgg

Images = LeNet5 | Cnn | ResNet | ResNetImageNet | MobileNetV2 | Vgg
Sequences = Lstm | Gru | Transformer
Named = Annotated[Mlp | Images | Sequences | Custom | OwnModule, Field(discriminator="family")]


def _of_function(given: Any) -> Any:
    """`package.module:function` is a network of one's own whose function takes no arguments."""
    written_short = isinstance(given, str) and ":" in given
    return {"family": "custom", "function": given, "arguments": {}} if written_short else given


Family = Annotated[Named, BeforeValidator(_of_function, json_schema_input_type=Named | str)]

ANY_ROWS = (  # large ones, so that every family takes them
    Shape(height=256, width=256, channels=1),
    Table(columns=(Column(name="any", categories=None, missing=False),)),
    Series(length=8, channels=1),
    Tokens(length=8, vocabulary=8),
)
ANY_CLASSES = 2
INSTEAD = "{family: mlp, hidden: [64, 32], dropout: 0.0}"
OF_SEQUENCES = "{family: gru, layers: 1, width: 32, both_ways: false, embed: 16, dropout: 0.0}"


def any_network(model: Family) -> Network | None:
    """Its network for rows of some form that it reads: names and widths, but of what reads them, are the same
    for all; None: no form is known that it reads.
    """
    rows = next((rows for rows in ANY_ROWS if model.refusal(rows) is None), None)
    return None if rows is None else model.network(rows, ANY_CLASSES)


def cannot_train_aware(model: Family, rows: Form | None = None) -> str | None:
    """Why rounding cannot be trained for, and what to do; None: it can.

    While the rows are not known, `rows` None, a network of one's own is taken for one that can.
    """
    match model:
        case OwnModule():
            return (
                f"quantize.qat: what is inside {model.function}, a torch module, is not known here: set "
                "quantize.qat to null (dynamic and static stay), or give its layers (family: custom)"
            )
        case Lstm() | Gru() | Transformer():
            reads_steps = True
        case Custom() if rows is not None:
            reads_steps = any(isinstance(layer, Steps) for layer in model.network(rows, 2).layers)
        case _:
            reads_steps = False
    if not reads_steps:
        return None
    return (
        f"quantize.qat: networks that read sequences ({model.family}) are rounded after their training, "
        "not in it: set quantize.qat to null, and use quantize.dynamic"
    )


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
