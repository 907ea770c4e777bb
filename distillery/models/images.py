"""What the families that read images share: which rows they refuse, and how wide they may be."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from distillery.data.form import Form, Shape, in_words
from distillery.errors import ParamsError

Channels = Annotated[int, Field(ge=1, le=8192)]
Features = Annotated[int, Field(ge=1, le=16384)]


def only_images(name: str, rows: Form) -> str | None:
    """Why such rows cannot be read by a family that reads images; None: they can."""
    if isinstance(rows, Shape):
        return None
    return f"{name} reads images, and these rows are {in_words(rows)}"


def too_small(name: str, rows: Form, side: int) -> str | None:
    """Why images whose smaller side is below `side` pixels cannot be read; None: they are large enough."""
    if not isinstance(rows, Shape) or min(rows.height, rows.width) >= side:
        return None
    return (
        f"{name} reads images of {side} x {side} pixels and more, and these are {rows.height} x {rows.width}"
    )


def require_readable(refusal: str | None) -> None:
    """ParamsError with a refusal, if there is one."""
    if refusal is not None:
        raise ParamsError(refusal)
