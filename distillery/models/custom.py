"""Networks of your own, which a function of your project gives as data (docs/models.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from distillery.data.form import Form
from distillery.errors import ParamsError
from distillery.models.layers import Network
from distillery.models.soundness import faults_of
from distillery.own_code import called
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


def own_functions(value: object) -> Iterator[str]:
    """The functions that blocks name, however deep inside."""
    match value:
        case Custom():
            yield value.function
        case Block():
            for name in type(value).model_fields:
                yield from own_functions(getattr(value, name))
        case tuple():
            for item in value:
                yield from own_functions(item)
