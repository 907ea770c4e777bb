"""What one row looks like, as data: an image, a row of a table, or a sequence of numbers or of tokens."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

FROZEN = ConfigDict(frozen=True, extra="forbid")


class Shape(BaseModel):
    """One image: height, width and channels. Rows are uint8 (N, H, W, C)."""

    model_config = FROZEN
    height: int
    width: int
    channels: int


class Column(BaseModel):
    """One column of a table. `categories` None: numbers; else the names that its codes stand for, in order.

    `missing` says that some row lacks a value: NaN among numbers, -1 among codes.
    """

    model_config = FROZEN
    name: str
    categories: tuple[str, ...] | None
    missing: bool


class Table(BaseModel):
    """One row of a table. Rows are float32 (N, columns): numbers as they are, categories as codes."""

    model_config = FROZEN
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]


class Series(BaseModel):
    """One series: `length` steps of `channels` numbers each. Rows are float32 (N, length, channels)."""

    model_config = FROZEN
    length: Annotated[int, Field(ge=1)]
    channels: Annotated[int, Field(ge=1)]


class Tokens(BaseModel):
    """One sequence of `length` ids below `vocabulary`. Rows are int32 (N, length); PADDING is no token."""

    model_config = FROZEN
    length: Annotated[int, Field(ge=1)]
    vocabulary: Annotated[int, Field(ge=1)]


PADDING = 0  # the id that fills a sequence up

Form = Shape | Table | Series | Tokens


def in_words(form: Form) -> str:
    """What rows are, for a sentence: `a table of 3 columns`."""
    match form:
        case Shape():
            return f"images of {form.height} x {form.width} x {form.channels}"
        case Table():
            return f"a table of {len(form.columns)} columns"
        case Series():
            return f"series of {form.length} steps of {form.channels} numbers"
        case Tokens():
            return f"sequences of {form.length} token ids"
