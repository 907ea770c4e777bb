"""Recurrent networks for sequences: LSTM (Hochreiter, Schmidhuber 1997) and GRU (Cho et al. 2014)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from distillery.data.form import Form, Series, Tokens, in_words
from distillery.errors import ParamsError
from distillery.models.layers import Dropout, Linear, Network
from distillery.models.sequence_layers import Recurrent, Steps
from distillery.params.base import Block

Width = Annotated[int, Field(ge=1, le=4096)]


class _Cells(Block):
    family: Literal["lstm", "gru"]
    layers: Annotated[int, Field(ge=1, le=16)]  # one above the other
    width: Width  # cells of a layer
    both_ways: bool  # as many again read from the end
    embed: Width | None  # what a step becomes first; null: its numbers as they are
    dropout: Annotated[float, Field(ge=0, lt=1)]  # share dropped after each layer

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        match rows:
            case Tokens() if self.embed is None:
                return f"{self.family} reads token ids by a vector each: embed says how wide, for example 16"
            case Series() | Tokens():
                return None
            case _:
                return f"{self.family} reads sequences, and these rows are {in_words(rows)}"

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and as many logits as classes; ParamsError where refused."""
        refusal = self.refusal(rows)
        if refusal is not None:
            raise ParamsError(refusal)
        layer = Recurrent(cell=self.family, width=self.width, both_ways=self.both_ways)
        steps = Steps(
            vocabulary=rows.vocabulary if isinstance(rows, Tokens) else None,
            embed=self.embed,
            positions=False,
            body=(layer,) * self.layers,
            norm=False,
            dropout=self.dropout,
        )
        dropped = (Dropout(share=self.dropout),) if self.dropout else ()
        return Network(rows=rows, layers=(steps, *dropped, Linear(features=classes, relu=False)))


class Lstm(_Cells):
    """`layers` of `width` LSTM cells, `both_ways` as many again from the end; the mean over steps decides.

    `embed`: what a step becomes first: an id's learned vector, or a linear map of a series' numbers; null:
    the numbers as they are. `dropout` is the share dropped after each layer.
    """

    family: Literal["lstm"]


class Gru(_Cells):
    """The same of GRU cells, which have three gates where those of an LSTM have four."""

    family: Literal["gru"]
