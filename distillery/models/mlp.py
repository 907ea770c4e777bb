"""Multi-layer perceptron."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from distillery.data.form import Form, Table, Tokens
from distillery.errors import ParamsError
from distillery.models.layers import Dropout, Flatten, Layer, Linear, Network
from distillery.params.base import Block

HiddenWidth = Annotated[int, Field(ge=1, le=16384)]


class Mlp(Block):
    """Dense layers of `hidden` widths with ReLU between them; `dropout` is the share dropped after each."""

    family: Literal["mlp"]
    hidden: tuple[HiddenWidth, ...]  # widths of the dense layers before the last
    dropout: Annotated[float, Field(ge=0, lt=1)]  # share dropped after each of them

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        return "mlp reads numbers, and these rows are token ids" if isinstance(rows, Tokens) else None

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and as many logits as classes; ParamsError for token ids."""
        refusal = self.refusal(rows)
        if refusal is not None:
            raise ParamsError(refusal)
        flatten = () if isinstance(rows, Table) else (Flatten(),)  # a table's row is flat
        hidden: list[Layer] = []
        for width in self.hidden:
            hidden += [Linear(features=width, relu=True)]
            hidden += [Dropout(share=self.dropout)] if self.dropout else []
        return Network(rows=rows, layers=(*flatten, *hidden, Linear(features=classes, relu=False)))
