"""How a network reads a sequence, as data: recurrent layers, or the blocks of a Transformer encoder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from distillery.data.form import FROZEN
from distillery.params.base import Count


class Recurrent(BaseModel):
    """One layer of cells over the steps, `both_ways` also from the last: (N, L, D) -> (N, L, outputs)."""

    model_config = FROZEN
    kind: Literal["recurrent"] = "recurrent"
    cell: Literal["lstm", "gru"]
    width: Count
    both_ways: bool

    @property
    def outputs(self) -> int:
        """Features a step."""
        return self.width * (2 if self.both_ways else 1)


class SelfAttention(BaseModel):
    """One block of a Transformer encoder, each half normalised first: (N, L, width) -> the same."""

    model_config = FROZEN
    kind: Literal["self_attention"] = "self_attention"
    width: Count
    heads: Count  # they divide the width
    feed_forward: Count

    @model_validator(mode="after")
    def _every_head_is_as_wide(self) -> SelfAttention:
        if self.width % self.heads:
            raise ValueError(f"heads must divide width: {self.heads} do not divide {self.width}")
        return self

    @property
    def outputs(self) -> int:
        """Features a step."""
        return self.width


Step = Annotated[Recurrent | SelfAttention, Field(discriminator="kind")]


class Steps(BaseModel):
    """Reads a sequence and gives the mean over its steps: (N, L, channels) or ids (N, L) -> (N, outputs).

    `embed`: what a step becomes first: an id's learned vector, or a linear map of a series' numbers; None:
    the numbers as they are. `vocabulary` None: a series. `positions`: a learned vector is added a step;
    `norm`: the steps are normalised (Ba, Kiros, Hinton 2016) before the mean.
    """

    model_config = FROZEN
    kind: Literal["steps"] = "steps"
    vocabulary: Count | None
    embed: Count | None
    positions: bool
    body: Annotated[tuple[Step, ...], Field(min_length=1)]
    norm: bool
    dropout: Annotated[float, Field(ge=0, lt=1)]  # between layers, and within blocks of attention

    @property
    def outputs(self) -> int:
        """Features of the mean."""
        return self.body[-1].outputs
