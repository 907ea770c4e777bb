"""Networks of your own, which a function of your project gives as data (docs/models.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from distillery.data.form import Form
from distillery.errors import ParamsError
from distillery.models.layers import Module, Network
from distillery.models.soundness import faults_of
from distillery.own_code import called, own_digest
from distillery.params.base import Block

Function = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]


class Custom(Block):
    """The `Network` that `function` gives for (rows, classes, **arguments).

    It is written `package.module:function`, and the module lies in the project folder. The network is saved
    as any other, so that it is loaded, pruned and quantized without the function.
    """

    family: Literal["custom"]
    function: Function  # package.module:function of the project, which gives a Network
    arguments: dict[str, JsonValue]  # given to the function by name

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        try:
            self.network(rows, 2)
        except ParamsError as error:
            return "; ".join([error.message, *error.faults])
        return None

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and a logit a class; ParamsError with all that is wrong."""
        made = called(self.function, rows, classes, arguments=self.arguments)
        if not isinstance(made, Network):
            kind = f"{type(made).__module__}.{type(made).__qualname__}"
            raise ParamsError(f"{self.function} gave a {kind}, not a distillery.models.layers.Network")
        faults = [] if made.rows == rows else ["its rows are not those that it was given"]
        faults += faults_of(made, classes)
        if faults:
            raise ParamsError(f"{self.function} gave a network that cannot be built", faults)
        return made


class OwnModule(Block):
    """The `torch.nn.Module` that `function` gives for (size, classes, **arguments).

    It takes normalised images (N, *size), `size` being (C, H, W), or the features of a table, `size` being
    (features,), and gives logits (N, classes). What is inside is not known here, so that it can be distilled,
    exported and rounded after training, and neither pruned nor trained aware of rounding.
    """

    family: Literal["module"]
    function: Function  # package.module:function of the project, which gives a torch module
    arguments: dict[str, JsonValue]  # given to the function by name

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read, as far as it is known before the module is there; None: they can."""
        try:
            own_digest(self.function)
        except ParamsError as error:
            return error.message
        return None

    def network(self, rows: Form, classes: int) -> Network:
        """The module as the only layer; ParamsError where its code is not there."""
        layer = Module(
            function=self.function,
            arguments=self.arguments,
            classes=classes,
            code=own_digest(self.function),
        )
        return Network(rows=rows, layers=(layer,))


def own_functions(value: object) -> Iterator[str]:
    """The functions that blocks name, however deep inside."""
    match value:
        case Custom() | OwnModule():
            yield value.function
        case Block():
            for name in type(value).model_fields:
                yield from own_functions(getattr(value, name))
        case tuple():
            for item in value:
                yield from own_functions(item)
