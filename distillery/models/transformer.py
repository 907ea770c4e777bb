"""A small Transformer encoder for sequences (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from distillery.data.form import Form, Series, Tokens, in_words
from distillery.errors import ParamsError
from distillery.models.layers import Dropout, Linear, Network
from distillery.models.sequence_layers import SelfAttention, Steps
from distillery.params.base import Block, Count


class Transformer(Block):
    """`layers` encoder blocks over vectors of `width` a step, with learned positions; their mean decides.

    An id has a learned vector; the numbers of a series' step are mapped to one. `heads` divide `width`.
    `dropout` is the share dropped in and after each block.
    """

    family: Literal["transformer"]
    layers: Annotated[int, Field(ge=1, le=48)]  # encoder blocks
    width: Annotated[int, Field(ge=1, le=4096)]  # of a step's vector
    heads: Count  # of attention; they divide width
    feed_forward: Annotated[int, Field(ge=1, le=16384)]  # width between a block's dense layers
    dropout: Annotated[float, Field(ge=0, lt=1)]  # share dropped in and after each block

    @model_validator(mode="after")
    def _every_head_is_as_wide(self) -> Transformer:
        if self.width % self.heads:
            raise ValueError(f"heads must divide width: {self.heads} do not divide {self.width}")
        return self

    def refusal(self, rows: Form) -> str | None:
        """Why such rows cannot be read; None: they can."""
        if isinstance(rows, Series | Tokens):
            return None
        return f"transformer reads sequences, and these rows are {in_words(rows)}"

    def network(self, rows: Form, classes: int) -> Network:
        """The layers for rows of this form and as many logits as classes; ParamsError where refused."""
        refusal = self.refusal(rows)
        if refusal is not None:
            raise ParamsError(refusal)
        block = SelfAttention(width=self.width, heads=self.heads, feed_forward=self.feed_forward)
        steps = Steps(
            vocabulary=rows.vocabulary if isinstance(rows, Tokens) else None,
            embed=self.width,
            positions=True,
            body=(block,) * self.layers,
            norm=True,
            dropout=self.dropout,
        )
        dropped = (Dropout(share=self.dropout),) if self.dropout else ()
        return Network(rows=rows, layers=(steps, *dropped, Linear(features=classes, relu=False)))
