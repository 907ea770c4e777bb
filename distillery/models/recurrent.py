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
    layers: Annotated[int, Field(ge=1, le=16)]  # one above the other
    width: Width  # cells of a layer
    both_ways: bool  # as many again read from the end
    embed: Width | None  # what a step becomes first; null: its numbers as they are
    dropout: Annotated[float, Field(ge=0, lt=1)]  # share dropped after each layer


class Lstm(_Cells):
    """`layers` of `width` LSTM cells, `both_ways` as many again from the end; the mean over steps decides.

    `embed`: what a step becomes first: an id's learned vector, or a linear map of a series' numbers; null:
    the numbers as they are. `dropout` is the share dropped after each layer.
    """

    family: Literal["lstm"]

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        return _refusal(self, rows)

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and as many logits as classes; ParamsError where refused."""
        return _network(self, rows, classes)


class Gru(_Cells):
    """The same of GRU cells, which have three gates where those of an LSTM have four."""

    family: Literal["gru"]

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        return _refusal(self, rows)

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and as many logits as classes; ParamsError where refused."""
        return _network(self, rows, classes)


def _refusal(cells: Lstm | Gru, rows: Form) -> str | None:
    match rows:
        case Tokens() if cells.embed is None:
            return f"{cells.family} reads token ids by a vector each: embed says how wide, for example 16"
        case Series() | Tokens():
            return None
        case _:
            return f"{cells.family} reads sequences, and these rows are {in_words(rows)}"


def _network(cells: Lstm | Gru, rows: Form, classes: int) -> Network:
    refusal = cells.refusal(rows)
    if refusal is not None:
        raise ParamsError(refusal)
    layer = Recurrent(cell=cells.family, width=cells.width, both_ways=cells.both_ways)
    steps = Steps(
        vocabulary=rows.vocabulary if isinstance(rows, Tokens) else None,
        embed=cells.embed,
        positions=False,
        body=(layer,) * cells.layers,
        norm=False,
        dropout=cells.dropout,
    )
    dropped = (Dropout(share=cells.dropout),) if cells.dropout else ()
    return Network(rows=rows, layers=(steps, *dropped, Linear(features=classes, relu=False)))
