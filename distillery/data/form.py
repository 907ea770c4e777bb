"""What one row looks like, as data: an image, or a row of a table."""

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


Form = Shape | Table
