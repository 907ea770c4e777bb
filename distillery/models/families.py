"""The families a `model` block may name. A new one is a file beside this and its name in this union."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from distillery.data.form import Form
from distillery.errors import ParamsError
from distillery.models.custom import Custom, OwnModule
from distillery.models.lenet import Cnn, LeNet5
from distillery.models.mlp import Mlp
from distillery.models.mobilenet import MobileNetV2
from distillery.models.resnet import ResNet
from distillery.models.resnet_imagenet import ResNetImageNet
from distillery.models.vgg import Vgg

Family = Annotated[
    Mlp | LeNet5 | Cnn | ResNet | ResNetImageNet | MobileNetV2 | Vgg | Custom | OwnModule,
    Field(discriminator="family"),
]

INSTEAD = "{family: mlp, hidden: [64, 32], dropout: 0.0}"


def cannot_train_aware(model: Family) -> str | None:
    """Why rounding cannot be trained for, and what to do; None: it can."""
    match model:
        case OwnModule():
            return (
                f"quantize.qat: what is inside {model.function}, a torch module, is not known here: set "
                "quantize.qat to null (dynamic and static stay), or give its layers (family: custom)"
            )
        case _:
            return None


def require_fitting(models: Mapping[str, Family], rows: Form) -> None:
    """ParamsError with every model, by its path in params.yaml, that cannot read such rows."""
    refusals = {place: model.refusal(rows) for place, model in models.items()}
    faults = [
        f"{place}: {refusal}; --set {place}='{INSTEAD}' reads them"
        for place, refusal in refusals.items()
        if refusal is not None
    ]
    if faults:
        raise ParamsError("the models do not fit the rows", faults)
